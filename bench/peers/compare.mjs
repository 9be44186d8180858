/**
 * clada against native llama.cpp (node-llama-cpp, prebuilt): the same file, one thread, taking turns in one process.
 *
 *   npm run build && cd bench/peers && npm install --ignore-scripts && npm run bench -- [--model FILE] [--rounds N] [--prompt N] [--predict N] [--json]
 *
 * Both feed a prompt of nonsense and then decode token by token from a short prompt, greedily. llama.cpp evaluates a given token for each
 * step, so that its sampler is not counted; ours samples. Ratios above 1: clada is faster.
 */
import { cpus } from 'node:os';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { getLlama, getModuleVersion } from 'node-llama-cpp';
import { load } from '../../dist/index.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const { values } = parseArgs({
  options: {
    model: { type: 'string', default: resolve(root, 'models/smollm2-135m-instruct-q4_1.gguf') }, rounds: { type: 'string', default: '7' },
    prompt: { type: 'string', default: '512' }, predict: { type: 'string', default: '128' }, json: { type: 'boolean', default: false },
  },
});
const modelPath = resolve(values.model);
const [rounds, prompt, predict] = [values.rounds, values.prompt, values.predict].map((text) => {
  const n = Number(text);
  if (!Number.isInteger(n) || n < 1) throw new Error(`${text}: expected a whole number from 1`);
  return n;
});
const contextSize = Math.max(256, prompt, predict + 16) + 16;

const llama = await getLlama({ gpu: false, build: 'never', skipDownload: true, maxThreads: 1, logLevel: 'error' });
const native = await llama.loadModel({ modelPath, gpuLayers: 0 });
const context = await native.createContext({ contextSize, threads: 1, batchSize: 512, flashAttention: false });
const sequence = context.getSequence();

async function nativeSpeeds(first, second) {
  await sequence.clearHistory();
  let started = performance.now();
  await sequence.evaluateWithoutGeneratingNewTokens(first);
  const prefill = (1000 * first.length) / (performance.now() - started);
  await sequence.clearHistory();
  await sequence.evaluateWithoutGeneratingNewTokens(second.slice(0, 12));
  started = performance.now();
  for (const token of second.slice(12)) await sequence.evaluateWithoutGeneratingNewTokens([token]);
  return { prefill, decode: (1000 * (second.length - 12)) / (performance.now() - started) };
}

async function ourSpeeds(model, first, second) {
  const started = performance.now();
  await model.evaluate(first);
  const prefill = (1000 * first.length) / (performance.now() - started);
  const generation = model.generate(second.slice(0, 12), { temperature: 0, ignoreEos: true, maxTokens: second.length - 12 + 1 });
  await generation.tokens();
  return { prefill, decode: generation.stats().generatePerSecond };
}

const engines = [{ name: `llama.cpp ${llama.llamaCppRelease.release} (node-llama-cpp ${await getModuleVersion()})`, run: nativeSpeeds }];
for (const tier of ['relaxed', 'base']) {
  const model = await load(modelPath, { tier, contextSize });
  engines.push({ name: `clada ${tier}`, run: (...tokens) => ourSpeeds(model, ...tokens), vocab: model.info.vocab, bandwidth: () => model.measureBandwidth() });
}
const { vocab } = engines[1];
const nonsense = (count, run) => Array.from({ length: count }, (_, i) => ((i + 1) * 7919 + (run + 1) * 104_729) % vocab);

const results = engines.map(() => ({ prefill: [], decode: [] })), bandwidth = [];
for (let round = -1; round < rounds; round++) {
  for (let turn = 0; turn < engines.length; turn++) {
    const i = (turn + round + 1) % engines.length;
    const speeds = await engines[i].run(nonsense(prompt, 2 * (round + 1)), nonsense(predict + 12, 2 * (round + 1) + 1));
    if (round < 0) continue; // warm-up
    results[i].prefill.push(speeds.prefill);
    results[i].decode.push(speeds.decode);
  }
  if (round >= 0) bandwidth.push(engines[1].bandwidth());
}

const median = (list) => [...list].sort((a, b) => a - b)[list.length >> 1];
/** Median, least and most. */
const spread = (list) => [median(list), Math.min(...list), Math.max(...list)];
const ratio = (i, what) => spread(results[i][what].map((speed, round) => speed / results[0][what][round]));
const rows = engines.map(({ name }, i) => ({
  name, prefill: spread(results[i].prefill), decode: spread(results[i].decode), prefillRatio: ratio(i, 'prefill'), decodeRatio: ratio(i, 'decode'),
}));
if (values.json) console.log(JSON.stringify({ prompt, predict, rounds, bandwidth: spread(bandwidth), engines: rows }));
else {
  const range = ([middle, least, most], digits) => `${middle.toFixed(digits)} (${least.toFixed(digits)} … ${most.toFixed(digits)})`;
  console.log(`${cpus()[0].model}, Node ${process.versions.node}, one thread, ${rounds} rounds taking turns, memory read at ${range(spread(bandwidth), 1)} GB/s; median (least … most)\n`);
  console.log(`| engine | pp${prompt} tok/s | tg${predict} tok/s | prefill ratio | decode ratio |\n| --- | ---: | ---: | ---: | ---: |`);
  for (const { name, prefill, decode, prefillRatio, decodeRatio } of rows) {
    console.log(`| ${name} | ${range(prefill, 0)} | ${range(decode, 1)} | ${range(prefillRatio, 2)} | ${range(decodeRatio, 2)} |`);
  }
}
process.exit(0); // node-llama-cpp keeps the process alive
