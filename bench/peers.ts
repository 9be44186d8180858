/**
 * clada beside other engines: native llama.cpp, wllama, and itself in other runtimes, the same files, one and two threads. Every round starts each engine anew in
 * turn, so that ratios are of one round. Results go to bench/results/peers.jsonl, of which docs/benchmarks.md is made.
 *
 *   npm install --prefix bench/peers --ignore-scripts && npm run bench:peers -- [NAME …] [--quick] [--rounds N] [--minutes N] [--out FILE.jsonl]
 *
 * NAME: the beginning of a leg's (native/…, runtimes, pages, depth, parallel). Some 20 minutes; --quick: a round of each, some 5, to build/peers-quick.jsonl.
 */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { installTools } from '../test/runtimes/support/install.ts';
import { absent, reals } from '../test/real/real.ts';
import type { Subject } from './legs.ts';
import { legsOf, run } from './legs.ts';
import { readRecords, replaceLeg } from './records.ts';
import { shapeModel } from './shapes.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { quick: { type: 'boolean', default: false }, rounds: { type: 'string' }, minutes: { type: 'string' }, out: { type: 'string' } },
});
const whole = (name: string, text: string): number => {
  const n = Number(text);
  if (!Number.isInteger(n) || n < 1) throw new Error(`--${name} ${text}: expected a whole number from 1`);
  return n;
};
const rounds = whole('rounds', values.rounds ?? (values.quick ? '1' : '5')), minutes = whole('minutes', values.minutes ?? (values.quick ? '6' : '25'));
const out = values.out ?? fileURLToPath(new URL(values.quick ? '../build/peers-quick.jsonl' : 'results/peers.jsonl', import.meta.url));

const types: Readonly<Record<string, string>> = { 'smollm2-135m': 'Q4_1' }, weights: Readonly<Record<string, number>> = { 'qwen2.5-coder-0.5b': 2, 'qwen2.5-coder-1.5b': 4 };
const subjects: Subject[] = [
  ...reals.map((real) => ({
    name: real.name, file: `${real.name}, ${types[real.name] ?? 'Q4_K_M'}`, weight: weights[real.name] ?? 1, real: true,
    model: (): string => { if (!existsSync(real.path)) throw new Error(absent(real)); return real.path; },
  })),
  ...(['q4_0', 'q8_0', 'f16'] as const).map((dtype) => ({ name: `shape-${dtype}`, file: `smollm2-135m's shape, ${dtype.toUpperCase()}`, weight: 1, real: false, model: () => shapeModel(dtype) })),
];

await installTools().catch((error: unknown) => { console.log(`runtimes cannot be installed: ${String(error).slice(0, 200)}`); });
const legs = legsOf(subjects, rounds, values.quick).filter(({ name }) => positionals.length === 0 || positionals.some((start) => name.startsWith(start)));
if (legs.length === 0) throw new Error(`no leg is called ${positionals.join(' or ')}: ${legsOf(subjects, 1, false).map(({ name }) => name).join(', ')}`);
const command = ['npm run bench:peers', ...(process.argv.length > 2 ? ['--', ...process.argv.slice(2)] : [])].join(' '), end = performance.now() + 60_000 * minutes;
for (const [i, leg] of legs.entries()) {
  const started = performance.now(), ahead = legs.slice(i).reduce((sum, { weight }) => sum + weight, 0);
  console.log(`${leg.name}: ${leg.file}`);
  replaceLeg(out, await run(leg, { command, until: started + Math.max(0, ((end - started) * leg.weight) / ahead) }));
  console.log(`  ${((performance.now() - started) / 1000).toFixed(0)} s`);
}
const skipped = readRecords(out).filter((record) => record.type === 'skip');
console.log(`${out}: ${skipped.length} skipped`);
process.exit(0); // whatever a browser left open
