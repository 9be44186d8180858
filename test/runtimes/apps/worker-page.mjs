/** A page whose worker Vite makes in its default format. */
import Bundled from './bundled-worker.mjs?worker';

globalThis.result = new Promise((resolve) => {
  const worker = new Bundled();
  worker.onmessage = ({ data }) => { resolve(data); };
  worker.onerror = ({ message }) => { resolve({ error: message }); };
});
