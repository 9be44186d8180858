/** Lists of neurons as kernels take them (sorted u16), in shapes that break things: none, one, all, every other, runs, random. */
import type { Kernels } from './kernels.ts';
import type { Random } from '../../src/sampler/random.ts';
import type { Kind } from './matrices.ts';
import { uniform } from './matrices.ts';

/**
 * What holding d and m in units of a row changes of a value at most, in such units (assembly/kernels/neurons/units.ts): half a quant, and four
 * where there is an m. The f16 that `randomMatrix` makes are held exactly, but for an m that is not eight times d.
 */
export function unitsOff({ name, block }: Kind): number {
  if (block === 256) return ({ q4_k: 15, q5_k: 31, q6_k: 32 } as Record<string, number>)[name]! / 2 + (name === 'q6_k' ? 0 : 4);
  return name.includes('q5_1') ? 4 : 0;
}

const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

/** About `density` of n neurons, at random. */
export const randomList = (random: Random, n: number, density: number): number[] => range(n).filter(() => random.float64() < density);

export function selections(random: Random, n: number): { name: string; list: number[] }[] {
  const runs: number[] = [];
  for (let i = 0; i < n; i += 1 + Math.floor(random.float64() * 60)) {
    for (const end = Math.min(n, i + Math.floor(random.float64() * 50)); i < end; i++) runs.push(i);
  }
  return [
    { name: 'none', list: [] },
    { name: 'the first', list: [0] },
    { name: 'the last', list: [n - 1] },
    { name: 'all', list: range(n) },
    { name: 'all but one', list: range(n).filter((i) => i !== n >> 1) },
    { name: 'every other', list: range(n).filter((i) => i % 2 === 1) },
    { name: 'runs', list: runs },
    { name: 'half, random', list: randomList(random, n, 0.5) },
    { name: 'few, random', list: randomList(random, n, 0.1) },
  ];
}

/** The list in memory, `room` more u16 behind it. */
export function putList(k: Kernels, list: readonly number[], room = 0): number {
  const ptr = k.alloc(2 * (list.length + room));
  new Uint16Array(k.memory.buffer, ptr, list.length).set(list);
  return ptr;
}

export const getList = (k: Kernels, ptr: number, n: number): number[] => [...new Uint16Array(k.memory.buffer, ptr, n)];

/** Activations as a gated unit gives them: most small, a few large. */
export const activations = (random: Random, n: number): Float32Array => Float32Array.from({ length: n }, () => 4 * uniform(random) ** 5);

/** `values` where listed, zero elsewhere. */
export function masked(values: Float32Array, list: readonly number[]): Float32Array {
  const out = new Float32Array(values.length);
  for (const i of list) out[i] = values[i]!;
  return out;
}
