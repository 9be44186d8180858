/**
 * The head in two stages beside the whole one: at every position of documents (token ids, docs/adaptive.md) the distribution after it, first as two
 * stages leave it, then all of it. Counts greedy tokens and draws that differ, rows read, the largest errors of entropy and log-sum-exp in nats and in
 * their own standard error; then whole tokens a second, taking turns in one process.
 *
 *   tsx bench/head.ts MODEL DOCUMENTS [POSITIONS]
 */
import { readFileSync } from 'node:fs';
import { Engine } from '../src/engine/engine.ts';
import { openFile } from '../src/bytes/file.ts';
import { readGguf } from '../src/format/gguf/read.ts';
import { DEVIATIONS, stagedPlan } from '../src/model/head.ts';
import { defaultKv } from '../src/model/memory.ts';
import { planModel } from '../src/model/plan.ts';
import { createSampler } from '../src/sampler/sampler.ts';

const [path, documents, count = '2000'] = process.argv.slice(2);
const parts = [await openFile(path!)], file = await readGguf(parts), plan = planModel(file);
const open = (staged: boolean): Promise<Engine> => Engine.open(file, staged ? stagedPlan(plan, { deviations: DEVIATIONS }) : plan, { contextSize: 512, kv: defaultKv(plan), tier: 'auto' });
const [engine, whole] = [await open(true), await open(false)], sequence = engine.openSequence(), other = whole.openSequence();
const texts = (JSON.parse(readFileSync(documents!, 'utf8')) as { kind: string; ids: number[] }[]).map(({ kind, ids }) => ({ kind, ids: ids.slice(0, 400) }));

interface Row { positions: number; tops: number; draws: number; greedy: number; sampled: number; entropy: number; lse: number; ratio: number }
const kinds = new Map<string, Row>();
const ways = [{ temperature: 0 }, { seed: 1 }];
const stagedOf = (ptr: number) => ({
  get floor() { return engine.floor(ptr); }, get logSumExp() { return engine.report(ptr).logSumExp; }, get tailError() { return engine.report(ptr).tailError; },
  refine: (floor?: number, ids?: readonly number[]) => { engine.refine(ptr, floor, ids); },
});
let done = 0;
for (const { kind, ids } of texts) {
  if (done >= Number(count)) break;
  engine.truncate(sequence, 0);
  const row = kinds.get(kind) ?? { positions: 0, tops: 0, draws: 0, greedy: 0, sampled: 0, entropy: 0, lse: 0, ratio: 0 };
  kinds.set(kind, row);
  for (const id of ids) {
    const pairs = ways.map((options) => [createSampler(options), createSampler(options)] as const);
    engine.pass([{ sequence, tokens: Int32Array.of(id), rows: 1, counts: false, margin: 0 }]);
    const near = engine.report(sequence), drawn = pairs.map(([own]) => own.sample(engine.logits(sequence), stagedOf(sequence))), rows = engine.report(sequence).refined;
    engine.refine(sequence);
    const { topToken, entropy, logSumExp } = engine.report(sequence);
    row.positions++;
    row.tops += Number(near.topToken !== topToken);
    row.draws += Number(pairs.some(([, own], i) => own.sample(engine.logits(sequence)) !== drawn[i]));
    row.greedy += near.refined;
    row.sampled += rows;
    row.entropy = Math.max(row.entropy, Math.abs(near.entropy - entropy));
    row.lse = Math.max(row.lse, Math.abs(near.logSumExp - logSumExp));
    if (near.tailError > 1e-5) row.ratio = Math.max(row.ratio, Math.abs(near.logSumExp - logSumExp) / near.tailError);
    if (++done >= Number(count)) break;
  }
}
console.table([...kinds].map(([kind, { positions, tops, draws, greedy, sampled, entropy, lse, ratio }]) => ({
  kind, positions, 'other top token': tops, 'other draw': draws, 'rows, greedy': Math.round(greedy / positions), 'rows, sampled': Math.round(sampled / positions),
  'entropy, largest error': +entropy.toFixed(4), 'log-sum-exp': +lse.toFixed(4), 'in standard errors': +ratio.toFixed(1),
})));

const ms: number[][] = [[], []], [first] = texts;
for (let round = 0; round < 8; round++) {
  for (const [i, one, ptr, margin] of [[0, engine, sequence, 0], [1, whole, other, Infinity]] as const) {
    one.truncate(ptr, 0);
    for (const id of first!.ids.slice(0, 24)) {
      const started = performance.now();
      one.pass([{ sequence: ptr, tokens: Int32Array.of(id), rows: 1, counts: false, margin }]);
      if (round > 1) ms[i]!.push(performance.now() - started);
    }
  }
}
const [staged, plain] = ms.map((list) => list.sort((a, b) => a - b)[list.length >> 2]!) as [number, number];
console.log(`whole tokens, one thread: two stages ${staged.toFixed(2)} ms, whole head ${plain.toFixed(2)} ms, ${(plain / staged).toFixed(3)}x`);
engine.close();
whole.close();
