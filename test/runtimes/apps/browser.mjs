/** Conformance in a page, without a bundler: the result is left in `globalThis.result`. */
import { load } from './node_modules/clada/dist/index.js';
import { conformance } from './conformance.mjs';

const get = (name) => fetch(`/models/${name}`);
globalThis.result = conformance({
  load, model: async () => (await get('smollm2-135m-instruct-q4_1.gguf')).body, calibration: async () => (await get('smollm2-135m-instruct-q4_1.clada.gguf')).arrayBuffer(),
}).then((value) => ({ value }), (error) => ({ error: error.stack }));
