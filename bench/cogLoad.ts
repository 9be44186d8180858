/**
 * Does the load of a token tell where neurons should be spent? For three methods at one density, over documents that nothing was fitted to: the
 * fixed selection, the one that the load moves, the same loads shuffled over the tokens of their document, a table of mean loads by token, and
 * a richer signal (token rarity and word-internal tokens beside surprisal and entropy, fitted on other documents), and a mask drawn by lot. Fixed levels
 * around it give the KL that a fixed selection would have at the same mean cost.
 *
 *   npx tsx bench/cogLoad.ts DOCUMENTS.json [--model FILE] [--calibration FILE] [--limit N] [--methods LIST] [--out FILE]     documents as for `clada eval --documents`
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import type { MethodName } from 'clada';
import { calibrationPath, load } from 'clada';
import { MemorySource } from '../src/bytes/memory.ts';
import { readCalibration } from '../src/adapt/calibration.ts';
import { resolveSparsity } from '../src/adapt/resolve.ts';
import { withForcedCogLoad } from '../src/adapt/selection.ts';
import type { Selection } from '../src/adapt/selection.ts';
import type { Dense } from '../src/calibrate/grid.ts';
import { denseRows } from '../src/calibrate/grid.ts';
import { klDivergence } from '../src/adapt/divergence.ts';
import { shuffleLoads, tokenTableLoads } from '../src/eval/controls.ts';
import { estimate, pairedDifference } from '../src/eval/metrics.ts';
import { Random } from '../src/sampler/random.ts';
import type { Sequence } from '../src/session/sequence.ts';
import { constantsOf } from '../src/text/sparsity.ts';
import { createTokenizer } from '../src/tokenizer/tokenizer.ts';
import { headerFor, openLog } from '../src/cli/results.ts';
import type { LoadRecord } from '../src/eval/records.ts';
import { metadataOf } from '../test/helpers/metadata.ts';
import { openSequence } from '../test/helpers/models.ts';
import { modelFile } from './model.ts';

const { values, positionals } = parseArgs({ allowPositionals: true, options: { limit: { type: 'string', default: '32' }, out: { type: 'string' }, density: { type: 'string', default: '0.6' }, methods: { type: 'string', default: 'clada-paper,mask,cascade' }, model: { type: 'string', default: modelFile }, calibration: { type: 'string' } } });
const { model: path } = values;
const all = JSON.parse(readFileSync(positionals[0]!, 'utf8')) as { ids: number[] }[], prompt = 64, density = Number(values.density);
const order = all.map((_, i) => i).sort((a, b) => (a % 2) - (b % 2) || a - b); // odd ones are measured, even ones fitted
const documents = order.map((i) => all[i]!.ids), half = documents.length >> 1, fitted = documents.slice(0, half), measured = documents.slice(half).slice(0, Number(values.limit));

const named = await load(path, { contextSize: 256, tier: 'relaxed', threads: 1, calibration: false }), log = openLog(values.out, { ...headerFor(named, []), command: `npx tsx bench/cogLoad.ts DOCUMENTS.json --model ${path.split('/').pop()!} --limit ${values.limit} --density ${values.density} --methods ${values.methods}` });
named.close();
const calibration = await readCalibration(new MemorySource(new Uint8Array(readFileSync(values.calibration ?? calibrationPath(path)))));
const sequence = await openSequence(path, { kv: 'q8', contextSize: 256, tier: 'relaxed' });
sequence.engine.forms.place({ ...constantsOf(calibration), columnNorm: await sequence.exclusive((engine) => engine.forms.columnNorms()) });
const vocab = await sequence.exclusive((engine) => engine.vocab), tokenizer = createTokenizer(await metadataOf(path));

interface Run { kl: number; cost: number; kls: number[]; loads: number[]; surprisals: number[]; entropies: number[] }

/** One document; `loads`: given ones; `lottery`: GRIFFIN's statistics are drawn instead of counted. */
async function run(ids: readonly number[], dense: Dense, selection: Selection, loads?: ArrayLike<number>, lottery?: Random): Promise<Run> {
  const result: Run = { kl: 0, cost: 0, kls: [], loads: [], surprisals: [], entropies: [] }, count = ids.length - prompt;
  let entropy = NaN;
  for (let fed = 0; fed <= count; fed++) {
    if (loads && fed > 0) sequence.adapt.forceCogLoad(loads[fed - 1]!);
    await sequence.evaluate(ids.slice(0, prompt + fed), ({ logits, report }) => {
      const before = entropy;
      entropy = report.entropy;
      if (fed === 0 && lottery) for (let layer = 0; layer < calibration.nLayers; layer++) sequence.adapt.sums(layer).normed.forEach((_, i, sums) => { sums[i] = lottery.float64(); });
      if (fed === 0) return;
      const at = fed - 1;
      result.kls.push(klDivergence(dense.logits.subarray(at * dense.vocab, (at + 1) * dense.vocab), dense.logSumExp[at]!, logits, report.logSumExp));
      result.cost += report.cost / count;
      result.loads.push(report.cogLoad);
      result.surprisals.push(report.surprisal);
      result.entropies.push(before);
    }, { selection, decodeFrom: prompt });
  }
  result.kl = result.kls.reduce((sum, value) => sum + value, 0) / count;
  return result;
}

/** Rarity (-log of the smoothed frequency among the fitted documents) and 1 for tokens inside a word. */
const counts = new Map<number, number>(), total = fitted.reduce((sum, ids) => sum + ids.length, 0);
for (const ids of fitted) for (const id of ids) counts.set(id, (counts.get(id) ?? 0) + 1);
const rarity = (id: number): number => -Math.log(((counts.get(id) ?? 0) + 0.5) / (total + 0.5));
const internal = (id: number): number => (/^[A-Za-z]/.test(tokenizer.decode([id])) ? 1 : 0);

/** Least squares of y on the columns of x, all centred within their document; a small ridge. */
function fit(groups: readonly { x: number[][]; y: number[] }[], width: number): number[] {
  const a = Array.from({ length: width }, (_, i) => Array.from({ length: width }, (_v, j) => (i === j ? 1e-3 : 0))), b = new Array<number>(width).fill(0);
  for (const { x, y } of groups) {
    const average = (column: (i: number) => number): number => y.reduce((sum, _, i) => sum + column(i), 0) / y.length;
    const means = Array.from({ length: width }, (_, j) => average((i) => x[i]![j]!)), meanY = average((i) => y[i]!);
    y.forEach((value, i) => {
      for (let j = 0; j < width; j++) {
        b[j]! += (x[i]![j]! - means[j]!) * (value - meanY);
        for (let k = 0; k < width; k++) a[j]![k]! += (x[i]![j]! - means[j]!) * (x[i]![k]! - means[k]!);
      }
    });
  }
  for (let j = 0; j < width; j++) { // Gauss
    for (let i = 0; i < width; i++) {
      if (i === j) continue;
      const factor = a[i]![j]! / a[j]![j]!;
      for (let k = 0; k < width; k++) a[i]![k]! -= factor * a[j]![k]!;
      b[i]! -= factor * b[j]!;
    }
  }
  return b.map((value, j) => value / a[j]![j]!);
}

async function each(ids: readonly (readonly number[])[], use: (ids: readonly number[], dense: Dense, i: number) => Promise<void>): Promise<void> {
  for (const [i, document] of ids.entries()) await use(document, await denseRows(sequence as Sequence, document, prompt), i);
}

const traits = { nLayers: calibration.nLayers, ffn: calibration.ffn, gated: true, relu: false, downShare: 1 / 3 };
for (const method of values.methods.split(',') as MethodName[]) {
  const select = (options: object): Selection => resolveSparsity({ method, density, ...options }, traits, calibration).selection;
  const fixed = [0.97, 1, 1.03].map((factor) => resolveSparsity({ method, density: density * factor, cogLoad: false }, traits, calibration).selection), loaded = select({ cogLoad: true });
  // the richer signal, from the damage of the fixed selection on the other documents
  const groups: { x: number[][]; y: number[] }[] = [];
  await each(fitted.slice(0, 4), async (ids, dense) => {
    const { kls, surprisals, entropies } = await run(ids, dense, fixed[1]!);
    groups.push({ x: kls.map((_, i) => [surprisals[i]!, entropies[i]!, rarity(ids[prompt + i]!), internal(ids[prompt + i]!)]), y: kls.map((kl) => Math.log(kl + 1e-4)) });
  });
  const [wS, wH, wR, wI] = fit(groups, 4) as [number, number, number, number];
  const table = Float32Array.from({ length: vocab }, (_, id) => wR * rarity(id) + wI * internal(id));
  const rich = select({ cogLoad: true, surprisalWeight: Math.fround(wS), entropyWeight: Math.fround(wH) });

  const runs: Record<string, Run[]> = {};
  const keep = (name: string, result: Run): void => { (runs[name] ??= []).push(result); };
  await each(measured, async (ids, dense) => {
    for (const [i, selection] of fixed.entries()) keep(`fixed ${i}`, await run(ids, dense, selection));
    keep('load', await run(ids, dense, loaded));
    sequence.adapt.tokenCogLoad(table);
    keep('rich', await run(ids, dense, rich));
    sequence.adapt.tokenCogLoad(undefined);
  });
  if (method === 'mask') {
    const griffin = resolveSparsity({ method: 'griffin', density }, traits, calibration).selection, lottery = new Random(1);
    await each(measured, async (ids, dense) => { keep('random mask', await run(ids, dense, griffin, undefined, lottery)); });
  }
  const loads = runs['load']!.map((result) => result.loads), forced = withForcedCogLoad(loaded);
  const shuffled = shuffleLoads(loads, 1), byToken = tokenTableLoads(measured.map((ids, i) => ({ ids: ids.slice(prompt), loads: loads[i]! })));
  await each(measured, async (ids, dense, i) => {
    keep('shuffled', await run(ids, dense, forced, shuffled[i]!));
    keep('token table', await run(ids, dense, forced, byToken[i]!));
  });
  // what a fixed selection would lose at the mean cost of each: log KL is nearly straight in cost
  const costOf = (name: string): number => estimate(runs[name]!.map(({ cost }) => cost)).mean;
  for (const name of ['load', 'rich', 'shuffled', 'token table', 'random mask'].filter((control) => runs[control])) {
    const cost = costOf(name), [low, high] = cost < costOf('fixed 1') ? ['fixed 0', 'fixed 1'] : ['fixed 1', 'fixed 2'], t = (cost - costOf(low!)) / (costOf(high!) - costOf(low!));
    const same = runs[low!]!.map(({ kl }, i) => Math.exp(Math.log(kl) + t * (Math.log(runs[high!]![i]!.kl) - Math.log(kl))));
    const { mean: difference, se } = pairedDifference(same, runs[name]!.map(({ kl }) => kl)), base = estimate(same).mean;
    const line: LoadRecord = { type: 'load', method, density, control: name, documents: measured.length, cost, kl: estimate(runs[name]!.map(({ kl }) => kl)).mean, fixedKl: base, change: difference / base, se: se / base };
    console.log(JSON.stringify(line));
    log.append(line);
  }
  console.error(method, 'weights', wS, wH, wR, wI);
}
