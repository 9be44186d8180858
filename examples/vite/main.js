/** The one import line, through a bundler: the build that this browser takes is a chunk of its own, fetched when it is needed. */
import { load } from 'clada';

const $ = (id) => document.getElementById(id);
const open = () => load(`${import.meta.env.BASE_URL}models/smollm2-135m-instruct-q4_1.gguf`, { contextSize: 1024 });
let loading;

$('ask').onclick = async () => {
  try {
    const model = await (loading ??= open()), answer = model.chat({ system: 'You answer in one sentence.' }).send($('prompt').value, { temperature: 0, maxTokens: 200 });
    $('answer').textContent = '';
    for await (const { text } of answer) $('answer').textContent += text;
    $('status').textContent = `${answer.stats().generatePerSecond.toFixed(1)} tokens a second, build ${model.info.tier}`;
  } catch (error) {
    $('status').textContent = error.message;
  }
};
