/** The same in a worker, which answers with a message. */
import './bundled-page.mjs';

globalThis.result.then((result) => postMessage(result));
