/**
 * What skipping is worth in whole tokens: every method at a few densities, and what users ask for, against dense, decoding the same text, taking turns. The feed-forward
 * part alone is the token's time less that of a token whose masks are empty. Quality beside it is the calibration's. Needs the embedded
 * model's calibration.
 */
import { readFileSync } from 'node:fs';
import type { MethodName, SparsityOptions } from 'clada';
import { load, readCalibration } from 'clada';
import { MemorySource } from '../src/bytes/memory.ts';
import { atCost } from '../src/adapt/levels.ts';
import { headerFor, openLog } from '../src/cli/results.ts';
import type { SpeedRecord, Spread } from '../src/eval/records.ts';
import { modelFile } from './model.ts';
import { median, range, table } from './report.ts';

const prompt = 64, count = 48, densities = [0.9, 0.8, 0.7, 0.6, 0.5];
/** What users ask for: bounds, held by one method or by the fastest here; and a rival where the tasks have it. */
const asked: readonly SparsityOptions[] = [{ method: 'clada', maxKl: 0.02 }, { method: 'auto', maxKl: 0.02 }, { method: 'auto', maxKl: 0.2 }, { method: 'auto', maxKl: 1 }, { method: 'auto', density: 0.6 }, { method: 'tt', density: 0.733 }];
const methods: readonly MethodName[] = ['griffin', 'mask', 'tt', 'cats', 'clada-paper', 'clada'];

interface Task { label: string; sparsity: SparsityOptions; cost: number; kl: number; top1: number; ms: number[] }

export async function benchSparse(rounds: number, out: string | undefined): Promise<void> {
  const model = await load(modelFile, { contextSize: 256 });
  const calibration = await readCalibration(new MemorySource(new Uint8Array(readFileSync(modelFile.replace(/\.gguf$/, '.clada.gguf')))));
  const text = model.tokenizer.encode(readFileSync(new URL('../README.md', import.meta.url), 'utf8')).subarray(0, prompt + count);
  const tasks: Task[] = [
    { label: 'dense', sparsity: { method: 'dense' }, cost: 1, kl: 0, top1: 1, ms: [] },
    { label: 'no feed-forward', sparsity: { method: 'clada-paper', threshold: 1e9 }, cost: 0, kl: NaN, top1: NaN, ms: [] },
  ];
  for (const method of methods) {
    const levels = calibration.levels.get(method) ?? [];
    for (const density of densities) {
      const level = atCost(levels, density);
      if (Math.abs(level.cost - density) > 0.03) continue; // beyond what the method reaches
      tasks.push({ label: `${method} ${density}`, sparsity: { method, density }, cost: level.cost, kl: level.kl, top1: level.top1, ms: [] });
    }
  }
  for (const sparsity of asked) {
    const { method, ...target } = sparsity, generation = model.generate(text.subarray(0, prompt), { sparsity, maxTokens: 2 });
    await generation.text();
    const { method: taken, expected } = generation.stats(), [[key, value]] = Object.entries(target) as [[string, number]];
    tasks.push({ label: `${method} ${key === 'density' ? '' : `${key}=`}${value}${method === 'auto' ? ` (${taken})` : ''}`, sparsity, cost: expected?.cost ?? 1, kl: expected?.kl ?? 0, top1: expected?.top1 ?? 1, ms: [] });
  }
  for (let round = -1; round < rounds; round++) { // the first warms up
    for (const { sparsity, ms } of round % 2 ? tasks : [...tasks].reverse()) {
      const times: number[] = [];
      let started = 0;
      await model.follow(text.subarray(0, prompt), text.subarray(prompt), (_logits, _report, fed) => {
        const now = performance.now();
        if (fed > 1) times.push(now - started); // the first makes the mask
        started = performance.now();
      }, { sparsity });
      if (round >= 0) ms.push(median(times));
    }
  }
  const dense = tasks[0]!.ms, rest = tasks[1]!.ms;
  console.log(`\nEmbedded model, ${model.info.tier} build, one thread, ${rounds} rounds taking turns: median (least … most)\n`);
  const spread = (values: readonly number[]): Spread => [median(values), Math.min(...values), Math.max(...values)];
  const log = openLog(out, { ...headerFor(model, []), command: `npm run bench -- --sparse --rounds ${rounds}` });
  const records = tasks.filter((_, i) => i !== 1).map(({ label, cost, kl, top1, ms }): SpeedRecord => ({
    type: 'speed', subject: label, cost, kl, top1, ms: spread(ms), token: spread(ms.map((value, i) => dense[i]! / value)), ffn: spread(ms.map((value, i) => (dense[i]! - rest[i]!) / (value - rest[i]!))),
  }));
  records.forEach((record) => { log.append(record); });
  const cell = ([mid, least, most]: Spread, digits: number): string => `${mid.toFixed(digits)} (${least.toFixed(digits)} … ${most.toFixed(digits)})`;
  console.log(table(['method', 'cost', 'KL', 'top-1', 'ms a token', 'token: dense / method', 'feed-forward: dense / method'], records.map(({ subject, cost, kl, top1, ms, token, ffn }) => [
    subject, cost.toFixed(2), kl.toFixed(4), top1.toFixed(3), cell(ms, 2), cell(token, 3), cell(ffn, 2),
  ])));
  console.log(`\nThe token without its feed-forward parts: ${range(rest, 2)} ms`);
  model.close();
}
