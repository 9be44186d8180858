/**
 * What skipping is worth in whole tokens: every method at a few densities, and what users ask for, decoding the same text, each between two dense runs whose mean it
 * is held against (a machine that others share drifts within seconds; the row `dense` is one more dense run, so that its spread is that of the method). The feed-forward
 * part alone is the token's time less that of a token whose masks are empty. Quality beside it is the calibration's. Needs the embedded model's calibration.
 */
import { readFileSync } from 'node:fs';
import type { MethodName, SparsityOptions } from 'clada';
import { load, readCalibration } from 'clada';
import { MemorySource } from '../src/bytes/memory.ts';
import { atCost } from '../src/adapt/levels.ts';
import { headerFor, openLog } from '../src/cli/results.ts';
import type { SpeedRecord } from '../src/eval/records.ts';
import { modelFile } from './model.ts';
import { showSpread } from '../scripts/page.ts';
import { median, range, spreadOf, table } from './report.ts';
import { takeTurns } from './turns.ts';

const prompt = 64, count = 48, densities = [0.9, 0.8, 0.7, 0.6, 0.5];
/** What users ask for: bounds, held by one method or by the fastest here; and a rival where the tasks have it. */
const asked: readonly SparsityOptions[] = [{ method: 'clada', maxKl: 0.02 }, { method: 'auto', maxKl: 0.02 }, { method: 'auto', maxKl: 0.2 }, { method: 'auto', maxKl: 1 }, { method: 'auto', density: 0.6 }, { method: 'tt', density: 0.733 }];
const methods: readonly MethodName[] = ['griffin', 'mask', 'tt', 'cats', 'clada-paper', 'clada'];

/** `against`: of every round the mean of the dense runs before and after. */
interface Task { label: string; sparsity: SparsityOptions; cost: number; kl: number; top1: number; ms: number[]; against: number[] }

const dense: SparsityOptions = { method: 'dense' };

export async function benchSparse(rounds: number, out: string | undefined): Promise<void> {
  const model = await load(modelFile, { threads: 1, contextSize: 256 });
  const calibration = await readCalibration(new MemorySource(new Uint8Array(readFileSync(modelFile.replace(/\.gguf$/, '.clada.gguf')))));
  const text = model.tokenizer.encode(readFileSync(new URL('../README.md', import.meta.url), 'utf8')).subarray(0, prompt + count);
  const tasks: Task[] = [
    { label: 'dense', sparsity: dense, cost: 1, kl: 0, top1: 1, ms: [], against: [] },
    { label: 'no feed-forward', sparsity: { method: 'clada-paper', threshold: 1e9 }, cost: 0, kl: NaN, top1: NaN, ms: [], against: [] },
  ];
  for (const method of methods) {
    const levels = calibration.levels.get(method) ?? [];
    for (const density of densities) {
      const level = atCost(levels, density);
      if (Math.abs(level.cost - density) > 0.03) continue; // beyond what the method reaches
      tasks.push({ label: `${method} ${density}`, sparsity: { method, density }, cost: level.cost, kl: level.kl, top1: level.top1, ms: [], against: [] });
    }
  }
  for (const sparsity of asked) {
    const { method, ...target } = sparsity, generation = model.generate(text.subarray(0, prompt), { sparsity, maxTokens: 2 });
    await generation.text();
    const { method: taken, expected } = generation.stats(), [[key, value]] = Object.entries(target) as [[string, number]];
    tasks.push({ label: `${method} ${key === 'density' ? '' : `${key}=`}${value}${method === 'auto' ? ` (${taken})` : ''}`, sparsity, cost: expected?.cost ?? 1, kl: expected?.kl ?? 0, top1: expected?.top1 ?? 1, ms: [], against: [] });
  }
  const measure = async (sparsity: SparsityOptions): Promise<number> => {
    const times: number[] = [];
    let started = 0;
    await model.follow(text.subarray(0, prompt), text.subarray(prompt), (_logits, _report, fed) => {
      const now = performance.now();
      if (fed > 1) times.push(now - started); // the first makes the mask
      started = performance.now();
    }, { sparsity });
    return median(times);
  };
  for (const { sparsity } of tasks) await measure(sparsity); // warm
  await takeTurns(tasks, rounds, () => measure(dense), ({ sparsity }) => measure(sparsity), (task, ms, against) => {
    task.ms.push(ms);
    task.against.push(against);
  });
  const rest = tasks[1]!, restShare = median(rest.ms.map((ms, i) => ms / rest.against[i]!));
  console.log(`\nEmbedded model, ${model.info.tier} build, one thread, ${rounds} rounds, each method between two dense runs: median (least … most)\n`);
  const log = openLog(out, { ...headerFor(model, []), command: `npm run bench -- --sparse --rounds ${rounds}` });
  const records = tasks.filter((_, i) => i !== 1).map(({ label, cost, kl, top1, ms, against }): SpeedRecord => {
    const times = ms.map((value, i) => value / against[i]!);
    return { type: 'speed', subject: label, cost, kl, top1, ms: spreadOf(ms), token: spreadOf(times.map((time) => 1 / time)), ffn: spreadOf(times.map((time) => (1 - restShare) / (time - restShare))) };
  });
  records.forEach((record) => { log.append(record); });
  console.log(table(['method', 'cost', 'KL', 'top-1', 'ms a token', 'token: dense / method', 'feed-forward: dense / method'], records.map(({ subject, cost, kl, top1, ms, token, ffn }) => [
    subject, cost.toFixed(2), kl.toFixed(4), top1.toFixed(3), showSpread(ms, 2), showSpread(token, 3), showSpread(ffn, 2),
  ])));
  console.log(`\nThe token without its feed-forward parts: ${range(rest.ms, 2)} ms`);
  model.close();
}
