/**
 * What must be the same in every runtime, from the built library: 64 greedy tokens and a digest of all logits on the way, on the build `base`.
 * Plain JavaScript, so that any runtime runs it as it is: `node test/helpers/digest.mjs` prints { tokens, logits }.
 */
import { createHash } from 'node:crypto';
import { load } from '../../dist/index.js';

const model = await load(new URL('../../models/smollm2-135m-instruct-q4_1.gguf', import.meta.url).pathname, { tier: 'base', contextSize: 256 });
const ids = [...model.tokenizer.encode('The lighthouse keeper wrote in his diary every night. Today he', { addSpecial: true })];
const hash = createHash('sha256'), tokens = [];
while (tokens.length < 64) {
  const { logits, report } = await model.evaluate(ids);
  hash.update(new Uint8Array(logits.buffer, logits.byteOffset, logits.byteLength));
  ids.push(report.topToken);
  tokens.push(report.topToken);
}
console.log(JSON.stringify({ tokens, logits: hash.digest('hex') }));
