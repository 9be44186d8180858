/** Lists of neurons as kernels take them (sorted u16), in shapes that break things: none, one, all, every other, runs, random. */
import type { Kernels } from './kernels.ts';
import type { Random } from '../../src/sampler/random.ts';
import { uniform } from './matrices.ts';

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
