/** An engine before it has a model: its build, memory and workers. */
import type { SequenceOptions } from '../model/memory.ts';
import { Arena } from './arena.ts';
import type { Tier } from './binaries.ts';
import type { Instance } from './instantiate.ts';
import { instantiate, sharedMemory } from './instantiate.ts';
import type { ThreadChoice } from './threads.ts';
import { Team } from './threads.ts';
import type { LoadProgress } from './weights.ts';

/** A choice of threads, or what says nothing of it: one. */
type Asked = { readonly [K in keyof ThreadChoice]?: ThreadChoice[K] | undefined };

export interface EngineOptions extends SequenceOptions, Asked {
  /** Most that the memory may grow to. Default: what 32 bits address. */
  readonly maxBytes?: number | undefined;
  /** Which build; 'auto' takes the fastest that is sound here. */
  readonly tier: Tier | 'auto';
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: LoadProgress) => void) | undefined;
}

export interface Started {
  readonly instance: Instance;
  readonly arena: Arena;
  /** Of the builds for several threads. */
  readonly team: Team | undefined;
  /** Why there are so many threads; once the workers stand by, or do not. */
  readonly threadsReason: Promise<string>;
}

/** Workers hold the memory: those of an engine that nobody closed, and nobody holds any more, end with it. */
export const forgotten = new FinalizationRegistry<Team>((team) => { team.end(); });

/** Workers start while weights are read; where they do not, the caller's thread does everything, and the reason says why. */
export async function startEngine(
  { tier, maxBytes, threads = 1, auto = false, threadsReason = 'asked for' }: EngineOptions,
): Promise<Started> {
  const memory = threads > 1 ? sharedMemory() : threadsReason, shared = typeof memory === 'string' ? undefined : memory;
  const instance = await instantiate(tier, shared ? 'threads' : 'engine', shared);
  const arena = new Arena(instance.memory, instance.exports.heapBase(), maxBytes);
  if (typeof memory === 'string') return { instance, arena, team: undefined, threadsReason: Promise.resolve(memory) };
  const team = new Team(arena, auto), started = team.start(instance.module, threads - 1);
  const reason = started.then(() => threadsReason, (error: unknown) => `a worker did not start: ${String(error)}`);
  return { instance, arena, team, threadsReason: reason };
}
