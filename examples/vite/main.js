/** The one import line, through a bundler: the worker and the build that this browser takes are found by themselves, and fetched when they are needed. */
import { loadInWorker } from 'clada/worker';

const $ = (id) => document.getElementById(id);
const open = () => loadInWorker(`${import.meta.env.BASE_URL}models/smollm2-135m-instruct-q4_1.gguf`, { contextSize: 1024 });
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
