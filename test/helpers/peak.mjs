/**
 * What loading a file takes, from the built library: `node test/helpers/peak.mjs FILE.gguf [OPTIONS as JSON]` prints JSON: seconds, bytes of weights
 * and of WebAssembly memory, and the most that the process held while it loaded (resident), also after its first token. Linux: reads /proc.
 */
import { readFileSync } from 'node:fs';
import { load } from '../../dist/node/index.js';

const [path, options = '{}'] = process.argv.slice(2);
const resident = (what) => 1024 * Number(new RegExp(`^${what}:\\s+(\\d+)`, 'm').exec(readFileSync('/proc/self/status', 'utf8'))[1]);
const before = resident('VmRSS'), started = performance.now();
const model = await load(path, { calibration: false, ...JSON.parse(options) });
const seconds = (performance.now() - started) / 1000, peak = resident('VmHWM'), { weightBytes, memoryBytes, fileBytes } = model.info;
await model.generate('Hello', { maxTokens: 2, temperature: 0 }).text();
console.log(JSON.stringify({ seconds, fileBytes, weightBytes, memoryBytes, before, peak, afterToken: resident('VmHWM') }));
