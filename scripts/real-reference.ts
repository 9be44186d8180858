/**
 * What native llama.cpp makes of two texts with the real models: test/fixtures/real/NAME.json, that test:models is held against. Tokens of each
 * text, their surprisals and the mean over {@link scored} of them in one context; then a greedy continuation with the gap to the second choice.
 * Cache in f32, so that only activations are rounded.
 *
 *   npm install --prefix bench/peers && npm run models && tsx scripts/real-reference.ts [NAME …]
 *   tsx scripts/real-reference.ts --exact NAME FILE.gguf
 *
 * --exact adds `exactNll`: the mean of the same tokens by a file whose weights are the same values in f32 (fixtures/real/expand.py), where nothing is
 * rounded to 8 bits: what both engines come near to.
 */
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { absent, reals, textNames, textOf, type Real, type Truth } from '../test/real/real.ts';

interface Options { generateNext: { probabilities: true; options: object } }
interface Sequence {
  controlledEvaluate(input: [number, Options][]): Promise<({ next: { probabilities: Map<number, number> } } | undefined)[]>;
  clearHistory(): Promise<void>;
}
interface Context { getSequence(): Sequence; dispose(): Promise<void> }
interface Model {
  createContext(options: object): Promise<Context>; dispose(): Promise<void>;
  tokenize(text: string, special: boolean, trim?: string): number[];
  detokenize(ids: number[], special: boolean): string;
  readonly tokens: { readonly bos: number | null; readonly shouldPrependBosToken: boolean };
}

/** Tokens of each text that have a surprisal, tokens evaluated at a time, of a continuation's prompt, and of a continuation. */
const scored = 1000, piece = 16, promptTokens = 96, continued = 48;
const folder = fileURLToPath(new URL('../test/fixtures/real', import.meta.url));

const peer = '../bench/peers/node_modules/node-llama-cpp/dist/index.js';
const { getLlama, getModuleVersion } = (await import(peer)) as {
  getLlama(options: object): Promise<{ loadModel(options: object): Promise<Model>; llamaCppRelease: { release: string } }>; getModuleVersion(): Promise<string>;
};
const llama = await getLlama({ gpu: false, build: 'never', skipDownload: true, maxThreads: 2, logLevel: 'error' });
const engine = `llama.cpp ${llama.llamaCppRelease.release} (node-llama-cpp ${await getModuleVersion()}), f32 cache, no flash attention`;

/** Distributions behind each of `ids`: a whole vocabulary each, so a few at a time. */
async function distributions(sequence: Sequence, ids: readonly number[]): Promise<Map<number, number>[]> {
  const options: Options = { generateNext: { probabilities: true, options: { temperature: 1, topK: 0, topP: 1, minP: 0 } } };
  return (await sequence.controlledEvaluate(ids.map((id) => [id, options]))).map((out) => out!.next.probabilities);
}

const fixed = (value: number): number => Number(value.toFixed(4));

async function surprisals(sequence: Sequence, ids: readonly number[]): Promise<number[]> {
  const nll: number[] = [];
  await sequence.clearHistory();
  for (let from = 0; from < ids.length - 1; from += piece) {
    const behind = await distributions(sequence, ids.slice(from, Math.min(from + piece, ids.length - 1)));
    nll.push(...behind.map((p, i) => -Math.log(p.get(ids[from + i + 1]!)!)));
  }
  return nll;
}

/** Greedy tokens behind `prompt`, and by how many nats each is ahead of the second choice. */
async function greedy(sequence: Sequence, prompt: readonly number[]): Promise<[token: number, gap: number][]> {
  const tokens: [number, number][] = [];
  await sequence.clearHistory();
  let [next] = (await distributions(sequence, prompt)).slice(-1);
  while (tokens.length < continued) {
    const [[token, first], [, second]] = [...next!].sort((a, b) => b[1] - a[1]) as [[number, number], [number, number]];
    tokens.push([token, fixed(Math.log(first / second))]);
    [next] = await distributions(sequence, [token]);
  }
  return tokens;
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Runs `work` with a sequence of a model and writes what it returns to the fixture of `real`. */
async function open(real: Real, path: string, work: (sequence: Sequence, model: Model) => Promise<object>): Promise<void> {
  const model = await llama.loadModel({ modelPath: path, gpuLayers: 0 });
  const context = await model.createContext({
    contextSize: scored + 24, batchSize: 512, threads: 2, flashAttention: false, experimentalKvCacheKeyType: 'F32', experimentalKvCacheValueType: 'F32',
  });
  writeFileSync(`${folder}/${real.name}.json`, `${JSON.stringify(await work(context.getSequence(), model))}\n`);
  await context.dispose();
  await model.dispose();
}

async function reference(sequence: Sequence, model: Model): Promise<object> {
  const { bos, shouldPrependBosToken } = model.tokens, result: Record<string, unknown> = { engine };
  for (const text of textNames) {
    const ids = [...(shouldPrependBosToken ? [bos!] : []), ...model.tokenize(textOf(text), false, 'none')];
    if (ids.length <= scored) throw new Error(`${text}: ${ids.length} tokens`);
    const nll = await surprisals(sequence, ids.slice(0, scored + 1)), tokens = await greedy(sequence, ids.slice(0, promptTokens));
    result[text] = { ids, meanNll: mean(nll), nll: nll.map(fixed), promptTokens, greedy: tokens };
    console.log(`${text}: ${ids.length} tokens, mean NLL ${mean(nll).toFixed(5)}: ${JSON.stringify(model.detokenize(tokens.map(([id]) => id), true))}`);
  }
  return result;
}

async function exact(sequence: Sequence, truth: Truth): Promise<object> {
  const result: Truth = { ...truth };
  for (const text of textNames) {
    const exactNll = mean(await surprisals(sequence, truth[text].ids.slice(0, scored + 1)));
    result[text] = { ...truth[text], exactNll };
    console.log(`${text}: ${exactNll.toFixed(5)} exact, ${truth[text].meanNll.toFixed(5)} with 8-bit activations`);
  }
  return result;
}

const { values, positionals } = parseArgs({ options: { exact: { type: 'boolean', default: false } }, allowPositionals: true });
const names = values.exact ? positionals.slice(0, 1) : positionals;
for (const real of reals.filter(({ name }) => names.length === 0 || names.includes(name))) {
  if (!real.isHere) { console.log(absent(real)); continue; }
  console.log(real.name);
  if (values.exact) await open(real, positionals[1]!, (sequence) => exact(sequence, real.truth()));
  else await open(real, real.path, reference);
}
process.exit(0); // llama.cpp keeps threads
