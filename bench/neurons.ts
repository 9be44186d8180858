/**
 * What skipping neurons is worth: one matrix of a feed-forward layer in one dtype against the dense kernel, and the whole layer. Hot: the
 * same matrix again and again. Cold: copies behind each other, so that a call reads what was not touched for 64 MiB, and rows
 * are read 32 ahead. Tasks take turns; the fastest of many short rounds counts, because what else the machine does only ever adds.
 */
import { Random } from '../src/sampler/random.ts';
import type { Build } from '../test/helpers/kernels.ts';
import type { Kind } from '../test/helpers/matrices.ts';
import { Kernels } from '../test/helpers/kernels.ts';
import { formatOf, kinds, putActivations, randomMatrix, uniform } from '../test/helpers/matrices.ts';
import { masked, putList, randomList } from '../test/helpers/neurons.ts';
import { table } from './report.ts';

const coldBytes = 64 * 2 ** 20, sampleMs = 2;
/** Calls before a sample: they find the cache and the branch predictor full of the task before. */
const warmCalls = 10;
/** Shares of up's rows and down's columns that a cascade needs at two of its budgets. */
const cascades = [[0.59, 0.34], [0.42, 0.22]] as const;
const rowShares = [1, 0.8, 0.59, 0.5, 0.42, 0.26], columnShares = [1, 0.53, 0.34, 0.28, 0.22, 0.13], masks = [0.8, 0.6, 0.5, 0.4, 0.3];

/** One layer: its dtype and sizes. */
export interface Layer { kind: Kind; hidden: number; ffn: number }

/** Of a dtype by its name, and "HIDDENxFFN". */
export function layerOf(dtype: string, size: string): Layer {
  const kind = kinds.find(({ name, format }) => name.split(' ')[0] === dtype && format !== 0), [hidden, ffn] = size.split('x').map(Number);
  if (!kind) throw new Error(`--dtype ${dtype}: expected one of ${kinds.filter(({ format }) => format !== 0).map(({ name }) => name.split(' ')[0]).join(', ')}`);
  if (!hidden || !ffn || hidden % kind.block || ffn % kind.block) throw new Error(`--layer ${size}: expected HIDDENxFFN, multiples of ${kind.block}`);
  return { kind, hidden, ffn };
}

/** `run` gets the number of the copy to work on; `base` names the dense task that it is compared with. */
interface Task { name: string; base: string; run: (copy: number) => void }

/** Copies of the bytes at `source`: one (hot), or as many as fill `coldBytes`. */
class Place {
  readonly bytes: number;
  readonly first: number;
  readonly count: number;
  constructor(readonly k: Kernels, readonly source: number, bytes: number, cold: boolean) {
    this.bytes = bytes + 192; // copies do not begin at the same set of the cache
    this.count = cold ? Math.ceil(coldBytes / this.bytes) : 1;
    this.first = k.alloc(this.count * this.bytes);
    const memory = k.u8(0, k.memory.buffer.byteLength);
    for (let i = 0; i < this.count; i++) memory.copyWithin(this.at(i), source, source + bytes);
  }
  at(copy: number): number { return this.first + (copy % this.count) * this.bytes; }
}

/** About `share` of n neurons, whole fours of those under one scale, as a mask takes them (assembly/kernels/neurons/fours.ts). */
function inFours(random: Random, n: number, share: number, underScale: number): number[] {
  const list: number[] = [];
  for (let first = 0; first < n; first += underScale) {
    const order = Array.from({ length: underScale }, (_, i) => ({ i, score: random.float64() })).sort((a, b) => a.score - b.score);
    const kept = Math.min(underScale, 4 * Math.floor((share * underScale) / 4 + random.float64()));
    list.push(...order.slice(0, kept).map(({ i }) => first + i).sort((a, b) => a - b));
  }
  return list;
}

function setUp(k: Kernels, { kind, hidden, ffn }: Layer, cold: boolean): Task[] {
  k.reset();
  const { layout } = kind, rowsFormat = k.call('rowsFormat', layout), slotFormat = k.call('compactFormat', layout), dense = formatOf(k, kind);
  const listKind = k.call('columnsKind', layout), tiles = k.call('columnTiles', hidden), random = new Random(1), ahead = cold ? 32 : 0, e = k.exports as Record<string, (...args: number[]) => number>, tasks: Task[] = [];
  const bytes = k.call('layoutBytes', layout, ffn, hidden), groups = ffn / 8, downGroups = hidden / 8;
  const gate = randomMatrix(k, kind, ffn, hidden, random).ptr, up = randomMatrix(k, kind, ffn, hidden, random).ptr, down = randomMatrix(k, kind, hidden, ffn, random).ptr;
  const rowsSize = ffn * k.call('rowBytes', layout, hidden), columnsSize = k.call('columnBytes', layout, hidden, ffn);
  const packedRows = k.alloc(rowsSize), packedColumns = k.alloc(columnsSize);
  k.call('packRows', layout, up, ffn, hidden, packedRows);
  k.call('packColumns', layout, down, hidden, ffn, packedColumns);
  const gates = new Place(k, gate, bytes, cold), ups = new Place(k, up, bytes, cold), downs = new Place(k, down, bytes, cold);
  const rows = new Place(k, packedRows, rowsSize, cold), columns = new Place(k, packedColumns, columnsSize, cold);

  const inputs = Array.from({ length: 16 }, () => Float32Array.from({ length: hidden }, () => random.float64() - 0.5)), normed = inputs.map((input) => k.putF32(input)), x = putActivations(k, kind, [inputs[0]!]).ptr;
  // listed neurons are the large ones: none rounds to zero, which a kernel would skip
  const h = k.putF32(Float32Array.from({ length: ffn }, () => { const u = uniform(random); return u ** 3 + 0.05 * Math.sign(u); })), slots = k.alloc(ffn * 4), hx = k.alloc((ffn / 32) * 96), permuted = k.alloc(k.call('permutedBytes', rowsFormat, hidden)), rx = k.alloc((hidden / 32) * 96);
  const y = k.alloc(ffn * 4), g = k.alloc(ffn * 4), list = k.alloc(k.call('columnsScratch', ffn)), sums = k.alloc(k.call('productScratch')), out = k.alloc(2 * (ffn + 8)), ones = k.putF32(new Float32Array(ffn).fill(1));
  k.call('quantize', h, ffn, dense, hx, hx, hx);
  k.call('quantize', normed[0]!, hidden, rowsFormat, rx, rx, rx);
  k.call('permute', rowsFormat, rx, hidden, permuted);
  const lists = (share: number): { ptr: number; n: number; h: number }[] => Array.from({ length: 16 }, () => {
    const list = randomList(random, ffn, share);
    return { ptr: putList(k, list, 8), n: list.length, h: k.putF32(masked(k.f32(h, ffn), list)) };
  });

  tasks.push({ name: 'dense up', base: 'dense up', run: (i) => e['matvec']!(layout, ups.at(i), groups, hidden, x, y) });
  for (const share of rowShares) {
    const all = lists(share);
    tasks.push({ name: `rows ${share}`, base: 'dense up', run: (i) => { const { ptr, n } = all[i & 15]!; e['rowsMatvec']!(layout, rows.at(i), hidden, ptr, n, permuted, ahead, y); } });
  }
  const columnsProduct = (i: number, from: number): void => {
    e['listColumns']!(listKind, from, ffn, list);
    e['columnsProduct']!(layout, columns.at(i), hidden, ffn, list, sums, y, 0, tiles);
  };
  tasks.push({ name: 'dense down', base: 'dense down', run: (i) => e['matvec']!(layout, downs.at(i), downGroups, ffn, hx, y) });
  for (const share of columnShares) {
    const all = lists(share);
    tasks.push({ name: `columns ${share}`, base: 'dense down', run: (i) => columnsProduct(i, all[i & 15]!.h) });
  }

  const gateAndUp = (i: number): void => {
    e['quantize']!(normed[i & 15]!, hidden, dense, x, x, x);
    e['matvec']!(layout, gates.at(i), groups, hidden, x, g);
    e['matvec']!(layout, ups.at(i), groups, hidden, x, y);
  };
  tasks.push({
    name: 'dense layer', base: 'dense layer', run: (i) => {
      gateAndUp(i);
      e['activateGated']!(0, g, y, ffn);
      e['quantize']!(g, ffn, dense, hx, hx, hx);
      e['matvec']!(layout, downs.at(i), downGroups, ffn, hx, y);
    },
  });
  for (const [upShare, downShare] of cascades) {
    // thresholds that keep these shares of what the inputs make of gate and up
    const values = normed.flatMap((_, i) => {
      gateAndUp(i);
      e['activate']!(0, g, ffn);
      return Array.from(k.f32(g, ffn), (v, j) => ({ gate: Math.abs(v), product: Math.abs(v * k.f32(y, ffn)[j]!) }));
    });
    const quantile = (sorted: number[], share: number): number => sorted.sort((a, b) => b - a)[Math.round(share * normed.length * ffn)]!;
    const t1 = quantile(values.map((v) => v.gate), upShare), t2 = quantile(values.filter((v) => v.gate > t1).map((v) => v.product), downShare);
    tasks.push({
      name: `gate, rows ${upShare}, columns ${downShare}`, base: 'dense layer', run: (i) => {
        e['quantize']!(normed[i & 15]!, hidden, dense, x, x, x);
        e['matvec']!(layout, gates.at(i), groups, hidden, x, g);
        e['activate']!(0, g, ffn);
        const n = e['keepAbove']!(g, ones, t1, ffn, out);
        if (rowsFormat !== dense) e['quantize']!(normed[i & 15]!, hidden, rowsFormat, rx, rx, rx);
        e['permute']!(rowsFormat, rowsFormat === dense ? x : rx, hidden, permuted);
        e['rowsMatvec']!(layout, rows.at(i), hidden, out, n, permuted, ahead, y);
        e['multiplyAbove']!(g, y, ones, t2, ffn);
        columnsProduct(i, g);
      },
    });
  }
  for (const share of masks) {
    const list = inFours(random, ffn, share, kind.name.startsWith('q6_k') ? 16 : 32), ptr = putList(k, list, 8), n = list.length, nGroups = (n + 7) >> 3, rowSize = k.call('layoutBytes', layout, n, hidden);
    const first = k.alloc(rowSize), second = k.alloc(k.call('compactBytes', layout, hidden, ffn, ptr, n)), chunks = k.alloc(ffn / 16), positions = k.alloc(2 * n);
    k.call('compactRows', layout, up, hidden, ptr, n, first);
    const columnSize = k.call('compactColumns', layout, down, hidden, ffn, ptr, n, second, chunks);
    k.call('scatterPositions', layout, ptr, n, positions);
    const a = new Place(k, first, rowSize, cold), b = new Place(k, second, columnSize, cold), c = new Place(k, first, rowSize, cold), sx = k.alloc((ffn / 32) * 96);
    k.call('scatter', h, positions, n, ffn, slots);
    k.call('quantize', slots, ffn, slotFormat, sx, sx, sx);
    tasks.push({ name: `compact rows ${share}`, base: 'dense up', run: (i) => e['matvec']!(layout, a.at(i), nGroups, hidden, x, y) });
    tasks.push({ name: `compact columns ${share}`, base: 'dense down', run: (i) => e['compactMatvec']!(layout, b.at(i), downGroups, ffn / 32, chunks, sx, y) });
    tasks.push({
      name: `compact layer ${share}`, base: 'dense layer', run: (i) => {
        e['quantize']!(normed[i & 15]!, hidden, dense, x, x, x);
        e['matvec']!(layout, a.at(i), nGroups, hidden, x, g);
        e['matvec']!(layout, c.at(i), nGroups, hidden, x, y);
        e['activateGated']!(0, g, y, nGroups * 8);
        e['scatter']!(g, positions, n, ffn, slots);
        e['quantize']!(slots, ffn, slotFormat, sx, sx, sx);
        e['compactMatvec']!(layout, b.at(i), downGroups, ffn / 32, chunks, sx, y);
      },
    });
  }
  const trial = k.alloc(Math.max(bytes, rowsSize, columnsSize)), memory = k.u8(0, k.memory.buffer.byteLength), chunks = k.alloc(ffn / 16), { ptr, n } = lists(0.5)[0]!;
  const once: [string, string, () => void][] = [
    ['permute x', 'dense up', () => { e['permute']!(rowsFormat, rx, hidden, permuted); }],
    ['select above', 'dense up', () => { e['selectAbove']!(h, 0, 0.1, ffn, out); }],
    ['copy, activate', 'dense up', () => { memory.copyWithin(g, h, h + 4 * ffn); e['activate']!(0, g, ffn); }],
    ['keep above', 'dense up', () => { e['keepAbove']!(y, ones, 0.1, ffn, out); }],
    ['multiply, keep above', 'dense up', () => { e['multiplyAbove']!(g, y, ones, 0.1, ffn); }],
    ['quantize x', 'dense up', () => { e['quantize']!(normed[0]!, hidden, dense, x, x, x); }],
    ['quantize h', 'dense up', () => { e['quantize']!(h, ffn, dense, hx, hx, hx); }],
    ['select top half', 'dense up', () => { e['selectTop']!(h, ffn, ffn / 2, out); }],
    ['pack rows', 'dense up', () => { e['packRows']!(layout, up, ffn, hidden, trial); }],
    ['pack columns', 'dense up', () => { e['packColumns']!(layout, down, hidden, ffn, trial); }],
    ['compact rows 0.5, the copy', 'dense up', () => { e['compactRows']!(layout, up, hidden, ptr, n, trial); }],
    ['compact columns 0.5, the copy', 'dense up', () => { e['compactColumns']!(layout, down, hidden, ffn, ptr, n, trial, chunks); }],
  ];
  return [...tasks, ...once.map(([name, base, run]) => ({ name, base, run }))];
}

/** Microseconds of a call of every task in every round. */
function time(tasks: readonly Task[], rounds: number): number[][] {
  const samples: number[][] = tasks.map(() => []);
  let copy = 0;
  const sample = (run: (copy: number) => void, ms: number): number => {
    for (let i = 0; i < warmCalls; i++) run(copy++);
    let calls = 0, started = performance.now(), took = 0;
    for (; took < ms || calls < 4; took = performance.now() - started) { run(copy++); calls++; }
    return (1000 * took) / calls;
  };
  tasks.forEach(({ run }) => sample(run, 30)); // until the optimising compiler is done
  for (let round = 0; round < rounds; round++) tasks.forEach(({ run }, i) => samples[i]!.push(sample(run, sampleMs)));
  return samples;
}

/** The three matrices alone: what gate, rows and columns take of gate, up and down. */
function matricesOnly(least: (name: string) => number): string[] {
  const gate = least('dense up'), dense = 2 * gate + least('dense down');
  return cascades.map(([up, down]) => `gate, rows ${up}, columns ${down}: ${((gate + least(`rows ${up}`) + least(`columns ${down}`)) / dense).toFixed(2)}`);
}

export function benchNeurons(build: Build, rounds: number, layer: Layer): void {
  const lines = new Map<string, string[]>(), sums: string[] = [];
  for (const cold of [false, true]) {
    const k = new Kernels(build, cold ? 60_000 : 8_000), tasks = setUp(k, layer, cold), samples = time(tasks, rounds);
    tasks.forEach(({ name, base }, i) => {
      const dense = samples[tasks.findIndex((task) => task.name === base)]!;
      const cells = lines.get(name) ?? [name];
      cells.push(Math.min(...samples[i]!).toFixed(1), (Math.min(...samples[i]!) / Math.min(...dense)).toFixed(2));
      lines.set(name, cells);
    });
    sums.push(`${cold ? 'cold' : 'hot'}: ${matricesOnly((name) => Math.min(...samples[tasks.findIndex((task) => task.name === name)]!)).join('; ')}`);
  }
  console.log(`\nSkipped neurons, ${build} build, ${layer.ffn} x ${layer.hidden} ${layer.kind.name}, against the dense kernel (layer: against the dense layer); fastest of ${rounds} rounds\n`);
  console.log(table(['task', 'hot µs', 'ratio', 'cold µs', 'ratio'], [...lines.values()]));
  console.log(`\nThe three matrices alone, against dense: ${sums.join('. ')}`);
}
