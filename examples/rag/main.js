/**
 * A page that answers from documents of its own: they become vectors, those nearest to the question are found, and the model answers from
 * them. All of it in a worker on the visitor's machine; the page stays free.
 *
 * One model does both here, as a stand-in: a chat model finds some of what an embedding model finds. With one of those, load it beside the
 * chat model and embed with it: loadInWorker('models/Qwen3-Embedding-0.6B-Q8_0.gguf').
 */
import { loadInWorker } from './node_modules/clada/dist/worker.js';

const $ = (id) => document.getElementById(id);
const documents = await (await fetch('documents.json')).json();

/** Loads the model and embeds the documents, once. */
let ready;
const prepare = () => ready ??= (async () => {
  const onProgress = ({ loaded, total }) => { $('status').textContent = `loading ${Math.round((100 * loaded) / total)} %`; };
  const model = await loadInWorker('model.gguf', { contextSize: 1024, onProgress });
  $('status').textContent = `reading ${documents.length} documents`;
  const { embeddings } = await model.embed(documents, { pooling: 'mean' });
  return { model, search: searchIn(embeddings) };
})();

/** Vectors of length 1: their dot product is the cosine. What all have in common is taken off first, which a chat model's vectors need. */
function searchIn(vectors) {
  const mean = vectors[0].map((_, d) => vectors.reduce((sum, vector) => sum + vector[d], 0) / vectors.length);
  const centred = (vector) => {
    const out = vector.map((value, d) => value - mean[d]), length = Math.hypot(...out);
    return out.map((value) => value / length);
  };
  const rows = vectors.map(centred), dot = (a, b) => a.reduce((sum, value, d) => sum + value * b[d], 0);
  return (vector, count) => {
    const query = centred(vector);
    const all = rows.map((row, index) => ({ text: documents[index], cosine: dot(row, query) }));
    return all.sort((a, b) => b.cosine - a.cosine).slice(0, count);
  };
}

$('ask').onclick = async () => {
  $('ask').disabled = true;
  $('answer').textContent = '';
  try {
    const { model, search } = await prepare(), question = $('question').value;
    const { embeddings: [vector] } = await model.embed(question, { pooling: 'mean' });
    const found = search(vector, 2);
    const item = (textContent) => Object.assign(document.createElement('li'), { textContent });
    $('found').replaceChildren(...found.map(({ text, cosine }) => item(`${cosine.toFixed(2)} ${text}`)));
    const prompt = `Text:\n${found.map(({ text }) => text).join('\n')}\n\nQuestion: ${question}`;
    const answer = model.chat({ system: 'You answer in one sentence.' }).send(prompt, { temperature: 0, maxTokens: 100 });
    for await (const { text } of answer) $('answer').textContent += text;
    $('status').textContent = `${answer.stats().generatePerSecond.toFixed(1)} tokens a second, build ${model.info.tier}`;
  } catch (error) {
    $('status').textContent = error.message;
  } finally {
    $('ask').disabled = false;
  }
};
