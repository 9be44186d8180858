/**
 * Kernels over buffers far larger than any cache, in shapes of real models. A kernel walks through copies of its matrix, so that every call
 * reads weights that were not touched for `coldBytes`. Rounds go over all tasks in turn: what the machine does meanwhile hits all of them.
 */
import { Bench } from 'tinybench';
import { Random } from '../src/sampler/random.ts';
import type { Build } from '../test/helpers/kernels.ts';
import { Kernels } from '../test/helpers/kernels.ts';
import { kinds, putActivations, randomMatrix } from '../test/helpers/matrices.ts';
import { median, spread, table } from './report.ts';

const coldBytes = 192 * 2 ** 20;
const rounds = 5, roundMs = 60, tokens = 64;

/** rows x cols: SmolLM2-135M (query, down, gate and up), Llama-3.2-1B (gate and up). */
const shapes = [[576, 576], [576, 1536], [1536, 576], [8192, 2048]] as const;
const dtypes = ['q4_1', 'q4_k', 'q5_0', 'q6_k', 'q8_0', 'f16'];

export interface Task { name: string; bytes: number; macs: number; run: () => void }

/** Copies of one random matrix behind each other, until they fill `coldBytes`. */
function copies(k: Kernels, ptr: number, bytes: number): number[] {
  const count = Math.ceil(coldBytes / bytes);
  const first = k.alloc(count * bytes);
  const memory = new Uint8Array(k.memory.buffer);
  return Array.from({ length: count }, (_, i) => {
    memory.copyWithin(first + i * bytes, ptr, ptr + bytes);
    return first + i * bytes;
  });
}

/** Next element at every call, for ever. */
function walk(list: readonly number[]): () => number {
  let i = 0;
  return () => list[i++ % list.length]!;
}

export function tasksOf(k: Kernels, dtype: string, rows: number, cols: number): Task[] {
  k.reset();
  const kind = kinds.find(({ name }) => name === dtype)!, random = new Random(1), groups = rows / 8;
  const { ptr } = randomMatrix(k, kind, rows, cols, random);
  const bytes = k.call('layoutBytes', kind.layout, rows, cols);
  const x = putActivations(k, kind, Array.from({ length: tokens }, () => Float32Array.from({ length: cols }, () => random.float64() - 0.5)));
  const y = k.alloc(tokens * rows * 4), scratch = k.alloc(k.call('matmulScratch', cols, tokens));
  const at = walk(copies(k, ptr, bytes)), cold = walk(copies(k, ptr, bytes));
  const { matvec, matmul, readMemory } = k.exports, { layout } = kind;
  return [
    { name: 'read', bytes, macs: 0, run: () => readMemory!(cold(), bytes & ~63) },
    { name: 'matvec', bytes, macs: rows * cols, run: () => matvec!(layout, at(), groups, cols, x.ptr, y) },
    { name: `matmul ${tokens}`, bytes, macs: tokens * rows * cols, run: () => matmul!(layout, at(), groups, cols, x.ptr, x.stride, tokens, y, rows * 4, scratch) },
    { name: 'matvec from four places', bytes, macs: rows * cols, run: () => matvec!(layout, at(), groups, cols, x.ptr, y, 4) },
  ];
}

/** Median ms of a call in each round. */
async function time(tasks: readonly Task[]): Promise<number[][]> {
  const samples: number[][] = tasks.map(() => []);
  for (let round = 0; round < rounds; round++) {
    const bench = new Bench({ time: roundMs, iterations: 5, warmupTime: round === 0 ? roundMs : 5, warmupIterations: 3, throws: true });
    tasks.forEach(({ name, run }) => bench.add(name, run));
    await bench.run();
    bench.tasks.forEach(({ result }, i) => {
      if (result.state !== 'completed') throw new Error(`bench ${tasks[i]!.name}: ${result.state}`);
      samples[i]!.push(result.latency.p50);
    });
  }
  return samples;
}

export async function benchKernels(build: Build): Promise<void> {
  const k = new Kernels(build, 9000), lines: string[][] = [];
  for (const dtype of dtypes) {
    for (const [rows, cols] of shapes) {
      if (cols % kinds.find(({ name }) => name === dtype)!.block !== 0) continue; // no such matrix exists
      const tasks = tasksOf(k, dtype, rows, cols);
      const [read, matvec, matmul, two] = await time(tasks);
      const { bytes, macs } = tasks[1]!;
      lines.push([
        dtype, `${rows} x ${cols}`, (bytes / 1e6).toFixed(2),
        (bytes / median(read!) / 1e6).toFixed(1),
        (bytes / median(matvec!) / 1e6).toFixed(1), spread(matvec!), (median(matvec!) / median(two!)).toFixed(2),
        (macs / median(matvec!) / 1e6).toFixed(1),
        (tasks[2]!.macs / median(matmul!) / 1e6).toFixed(1), spread(matmul!),
      ]);
    }
  }
  console.log(`\nKernels, ${build} build, ${coldBytes >> 20} MiB of weights between two reads of a byte; median of ${rounds} rounds, ± half the range\n`);
  console.log(table(['dtype', 'rows x cols', 'MB', 'read GB/s', 'matvec GB/s', '±', 'from four places, times', 'matvec GMAC/s', `matmul ${tokens} GMAC/s`, '±'], lines));
}
