/** The dense half of test/runtimes/conformance.mjs on the built library, in this process: prints { tokens, logits }. */
import { load } from '../../dist/node/index.js';
import { dense } from '../runtimes/conformance.mjs';

const model = await load(new URL('../../models/smollm2-135m-instruct-q4_1.gguf', import.meta.url), { tier: 'base', contextSize: 256 });
console.log(JSON.stringify(await dense(model)));
