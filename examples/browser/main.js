/** A plain page: the model streams from the server or from the visitor's disk into WebAssembly memory; the answer appears as it is made. */
import { load } from './node_modules/clada/dist/index.js';

const $ = (id) => document.getElementById(id);
let model, from;

/** Loads once for each source. */
async function open() {
  const file = $('file').files[0], source = file ?? $('url').value;
  if (model && from === source) return model;
  model?.close();
  const response = file ? undefined : await fetch(source);
  if (response && !response.ok) throw new Error(`${source}: status ${response.status}`);
  model = await load(file ?? response.body, { contextSize: 1024, onProgress: ({ loaded, total }) => { $('status').textContent = `loading ${Math.round((100 * loaded) / total)} %`; } });
  from = source;
  return model;
}

$('ask').onclick = async () => {
  $('ask').disabled = true;
  $('answer').textContent = '';
  try {
    const chat = (await open()).chat({ system: 'You answer in one sentence.' }), answer = chat.send($('prompt').value, { temperature: 0, maxTokens: 200 });
    for await (const { text } of answer) $('answer').textContent += text;
    $('status').textContent = `${answer.stats().generatePerSecond.toFixed(1)} tokens a second, build ${model.info.tier}`;
  } catch (error) {
    $('status').textContent = error.message;
  } finally {
    $('ask').disabled = false;
  }
};
