/** Through a bundler for a page; the model by a path of its server. The result is left in `globalThis.result`. */
import { load } from 'clada';
import { dense } from './conformance.mjs';

globalThis.result = load('/models/smollm2-135m-instruct-q4_1.gguf', { contextSize: 256, tier: 'base', calibration: false })
  .then(dense).then((value) => ({ value }), (error) => ({ error: error.stack }));
