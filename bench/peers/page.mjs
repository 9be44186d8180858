/** page.html?engine=clada|wllama&task=JSON: the outcome, or what went wrong, is left in `globalThis.result`. clada runs in a worker, as pages do it; wllama makes its own. */
import { reasonOf } from './task.mjs';

const { searchParams } = new URL(location.href), task = searchParams.get('task');
const settle = (promise) => promise.then((value) => ({ value }), (error) => ({ error: reasonOf(error) }));

function inWorker(name) {
  const worker = new Worker(name, { type: 'module' });
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => { if (data.error) reject(new Error(data.error)); else resolve(data.value); };
    worker.onerror = ({ message }) => { reject(new Error(message)); };
    worker.postMessage(task);
  });
}

globalThis.result = settle(searchParams.get('engine') === 'clada' ? inWorker('page-worker.mjs') : import('./page-wllama.mjs').then(({ run }) => run(JSON.parse(task))));
