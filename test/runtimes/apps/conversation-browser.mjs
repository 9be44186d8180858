/** Begins a conversation in a page: { snapshot (base64), rest } is left in `globalThis.result`. */
import { load } from './node_modules/clada/dist/index.js';
import { begin } from './conversation.mjs';

const get = (name) => fetch(`/models/${name}`), base64 = (bytes) => btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''));
async function run() {
  const calibration = await (await get('smollm2-135m-instruct-q4_1.clada.gguf')).arrayBuffer();
  const { snapshot, rest } = await begin(await load((await get('smollm2-135m-instruct-q4_1.gguf')).body, { tier: 'base', contextSize: 256, calibration }));
  return { snapshot: base64(snapshot), rest };
}
globalThis.result = run().then((value) => ({ value }), (error) => ({ error: error.stack }));
