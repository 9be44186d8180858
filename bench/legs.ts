/** Legs: a file, the engines that take turns with it, and what they are asked. `run` plays one. */
import { execFileSync } from 'node:child_process';
import { cpus } from 'node:os';
import type { Engine, Task } from './engines.ts';
import { engines } from './engines.ts';
import type { Asked, LegRecord, PeerRecord, RunRecord, SkipRecord, Topic } from './records.ts';

export interface Entrant { readonly engine: Engine; readonly threads: number }

export interface Leg {
  readonly name: string;
  readonly topic: Topic;
  /** As tables name it. */
  readonly file: string;
  /** Its path, made or found when the leg begins; a text in an Error where there is none. */
  readonly model: () => string | Promise<string>;
  readonly entrants: readonly Entrant[];
  readonly asked: Asked;
  readonly rounds: number;
  /** Share of the whole's time. */
  readonly weight: number;
}

const one = (...list: readonly Engine[]): Entrant[] => list.map((engine) => ({ engine, threads: 1 }));
const two = (...list: readonly Engine[]): Entrant[] => list.map((engine) => ({ engine, threads: 2 }));
const { native, relaxed, base, node20, node26, deno, bun, chromium, wllama } = engines;

/** A model that is here: what it is called in tables, its path, and how long a round takes it. */
export interface Subject { readonly name: string; readonly file: string; readonly model: () => string | Promise<string>; readonly weight: number; readonly real: boolean }

export function legsOf(subjects: readonly Subject[], rounds: number, quick: boolean): Leg[] {
  const alone = subjects.map(({ name, file, model, weight, real }): Leg => ({
    name: `native/${name}`, topic: 'native', file, model, rounds, weight: (real ? 1.5 : 1) * weight, asked: { prompt: 512, predict: 64, contextSize: 640 },
    entrants: [...one(native, relaxed, base), ...(real ? two(native, relaxed) : [])],
  }));
  const [embedded] = subjects, half = subjects.find(({ name }) => name.endsWith('0.5b'));
  if (embedded === undefined) return alone;
  const { file, model } = embedded, depths = quick ? [0, 512, 2048] : [0, 512, 2048, 8128]; // the last ends with the model's context
  return [
    ...alone,
    { name: 'runtimes/smollm2-135m', topic: 'runtimes', file, model, rounds, weight: 2, asked: { prompt: 512, predict: 64, contextSize: 640 }, entrants: [...one(node20, node26, deno, bun, chromium), ...two(node20, node26, deno, bun, chromium)] },
    ...[embedded, ...(half ? [half] : [])].map(({ name, file: its, model: where, weight }): Leg => ({ // wllama takes its time: fewer tokens
      name: `pages/${name}`, topic: 'pages', file: its, model: where, rounds: Math.min(3, rounds), weight: 1 + weight / 2, asked: { prompt: 128, predict: 32, contextSize: 512 },
      entrants: [...one(wllama, chromium), ...two(wllama, chromium)],
    })),
    { name: 'depth/smollm2-135m', topic: 'depth', file, model, rounds: Math.min(3, rounds), weight: 4, asked: { depths, predict: 64, contextSize: depths.at(-1)! + 64 }, entrants: one(native, relaxed) },
    { name: 'parallel/smollm2-135m', topic: 'parallel', file, model, rounds, weight: 1.5, asked: { parallel: [1, 2, 4, 8, 16], predict: 48, contextSize: 128 }, entrants: one(native, relaxed) },
  ];
}

const commitHere = (): string => { try { return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim(); } catch { return 'unknown'; } };

function headerOf({ name, topic, file, asked }: Leg, command: string): LegRecord {
  const machine = `${cpus()[0]?.model.trim() ?? 'unknown processor'}, ${cpus().length} cores`;
  return { type: 'leg', leg: name, topic, file, asked, command, machine, runtime: `Node ${process.versions.node}`, commit: commitHere(), date: new Date().toISOString().slice(0, 10) };
}

/**
 * Rounds in which every entrant is started once, the order turning from round to round; after `until` (ms of performance.now) none begins but the first.
 * Who fails is left out from then on, its reason recorded.
 */
export async function run(leg: Leg, { command, until = Infinity, say = console.log }: { command: string; until?: number; say?: (line: string) => void }): Promise<PeerRecord[]> {
  const runs: RunRecord[] = [], skips: SkipRecord[] = [];
  const skip = ({ engine, threads }: Entrant, reason: string): void => {
    skips.push({ type: 'skip', leg: leg.name, entrant: engine.name, threads, reason: reason.slice(0, 300) });
    say(`  ${engine.name}, ${threads} thread${threads > 1 ? 's' : ''}: skipped: ${reason}`);
  };
  let left = [...leg.entrants];
  const path = await Promise.resolve().then(leg.model).catch((error: unknown) => { for (const entrant of left) skip(entrant, (error as Error).message); return undefined; });
  if (path === undefined) return [headerOf(leg, command), ...skips];
  left = left.filter((entrant) => { const reason = entrant.engine.missing(); if (reason !== undefined) skip(entrant, reason); return reason === undefined; });
  for (let round = 0; round < leg.rounds && left.length > 0 && (round === 0 || performance.now() < until); round++) {
    for (const entrant of left.map((_, i) => left[(i + round) % left.length]!)) {
      const { engine, threads } = entrant, task: Task = { ...leg.asked, model: path, threads, seed: round + 1 };
      try {
        const outcome = await engine.run(task, 300);
        runs.push({ ...outcome, type: 'run', leg: leg.name, entrant: engine.name, threads, round });
        const rates = [outcome.prompt, outcome.decode, ...Object.values(outcome.depths ?? outcome.parallel ?? {})].filter((rate) => rate !== undefined);
        say(`  ${round + 1}/${leg.rounds} ${engine.name}, ${threads} thread${threads > 1 ? 's' : ''}: ${rates.map((rate) => rate.toFixed(1)).join(', ')} tok/s`);
      } catch (error) {
        skip(entrant, (error as Error).message);
        left = left.filter((other) => other !== entrant);
      }
    }
  }
  return [headerOf(leg, command), ...runs, ...skips];
}
