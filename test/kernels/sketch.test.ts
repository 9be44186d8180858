/** A matrix to four bits: its products err as much as it says, whatever layout it was drawn from, and wide columns hardly at all. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Random } from '../../src/sampler/random.ts';
import { Kernels } from '../helpers/kernels.ts';
import { kinds, randomMatrix, uniform, type Kind } from '../helpers/matrices.ts';

const build = 'relaxed', test = suite(`sketch (${build})`), k = new Kernels(build, 1024);
const float = kinds.find(({ name }) => name === 'f32')!;

interface Nearly { y: Float32Array; deviation: Float32Array }

/** The sketch of `rows` rows at `src`; its products with x, and their deviations, from the coarse plane and after the fine one. */
function sketched({ layout }: Kind, src: number, rows: number, x: Float32Array, times = 1): { sound: number; coarse: Nearly; fine: Nearly } {
  const cols = x.length, groups = Math.ceil(rows / 8), list = k.alloc(64), pairs = Math.ceil(groups / 2), each = k.call('pairBytes', cols), fineEach = k.call('fineBytes', cols);
  const at = k.alloc(pairs * each), fineAt = k.alloc(groups * fineEach);
  const scratch = k.alloc(36 * cols), values = k.alloc(4 * cols), records = k.alloc(12 * cols), y = k.alloc(64 * pairs), deviation = k.alloc(64 * pairs);
  k.call('listWide', layout, src, rows, cols, scratch, list);
  const sound = k.call('sketch', layout, src, 0, groups, cols, list, scratch, at, fineAt);
  k.f32(values, cols).set(x);
  k.call('sketchInput', values, cols, list, scratch, records);
  const result = (): Nearly => ({ y: k.f32(y, 8 * groups).slice(), deviation: k.f32(deviation, 8 * groups).slice() });
  const [one, four] = [1, 4].map((streams) => {
    k.call('coarseProduct', at, pairs, cols, records, y, deviation, streams);
    k.checkCanaries();
    return result();
  });
  assert.is(String([...four!.y, ...four!.deviation]), String([...one!.y, ...one!.deviation]), 'read from four places');
  k.f32(y, 8 * groups).set(one!.y.map((v) => times * v));
  for (let g = 0; g < groups; g++) k.call('fineProduct', at, fineAt, g, cols, records, y + 32 * g, deviation + 32 * g, times);
  k.checkCanaries();
  return { sound, coarse: one!, fine: result() };
}

/** A matrix of f32. */
function matrixOf(rows: number, cols: number, value: (row: number, col: number) => number): number {
  const ptr = k.alloc(k.call('layoutBytes', float.layout, rows, cols));
  const src = k.putBytes(new Uint8Array(Float32Array.from({ length: rows * cols }, (_, i) => value(Math.floor(i / cols), i % cols)).buffer));
  k.call('repack', float.dtype, float.layout, src, ptr, rows, cols);
  return ptr;
}

for (const kind of kinds) {
  test(`${kind.name}: errors are as large as their deviations`, () => {
    const random = new Random(5), rows = 509, cols = Math.max(kind.block, 160), ratios: Record<'coarse' | 'fine', number[]> = { coarse: [], fine: [] };
    for (let round = 0; round < 4; round++) {
      k.reset();
      const { ptr, values } = randomMatrix(k, kind, rows, cols, random), x = Float32Array.from({ length: cols }, () => 10 ** round * uniform(random));
      const { sound, ...planes } = sketched(kind, ptr, rows, x);
      assert.is(sound, 1);
      for (const [r, row] of values.entries()) {
        const right = row.reduce((sum, w, j) => sum + w * x[j]!, 0), size = Math.hypot(...row) * Math.hypot(...x);
        assert.ok(planes.coarse.deviation[r]! < 0.4 * size, `row ${r}: a deviation of ${planes.coarse.deviation[r]} where the product has ${size} at most`);
        assert.ok(planes.fine.deviation[r]! < 0.2 * size, `row ${r}: after the fine plane ${planes.fine.deviation[r]}, of ${size}`);
        for (const name of ['coarse', 'fine'] as const) ratios[name].push((planes[name].y[r]! - right) / planes[name].deviation[r]!);
      }
      const all = ({ deviation }: Nearly): number => Math.hypot(...deviation);
      assert.ok(all(planes.fine) < 0.6 * all(planes.coarse), `${all(planes.coarse)}, then ${all(planes.fine)}`);
      for (const { deviation } of [planes.coarse, planes.fine]) assert.equal([...deviation.slice(rows)], [0, 0, 0], 'rows that pad a group are exact');
    }
    for (const [name, list] of Object.entries(ratios)) {
      const rms = Math.sqrt(list.reduce((sum, v) => sum + v * v, 0) / list.length), mean = list.reduce((a, b) => a + b, 0) / list.length;
      assert.ok(rms > 0.85 && rms < 1.2, `${name}: root mean square of error over deviation ${rms}`);
      assert.ok(Math.abs(mean) < 0.2, `${name}: mean ${mean}`);
      assert.ok(Math.max(...list.map(Math.abs)) < 5.5, `${name}: largest ${Math.max(...list.map(Math.abs))}`);
    }
  });
}

test('the fine plane goes by the scale of all products', () => {
  const random = new Random(6), rows = 16, cols = 96, matrix = matrixOf(rows, cols, () => uniform(random)), x = Float32Array.from({ length: cols }, () => uniform(random));
  const once = sketched(float, matrix, rows, x).fine, twice = sketched(float, matrix, rows, x, -2).fine;
  for (let r = 0; r < rows; r++) {
    assert.ok(Math.abs(twice.y[r]! + 2 * once.y[r]!) < 1e-5, `${twice.y[r]}, ${once.y[r]}`);
    assert.ok(Math.abs(twice.deviation[r]! - 2 * once.deviation[r]!) < 1e-6);
  }
});

test('large products are not said to be larger than they are', () => {
  const random = new Random(9), rows = 2048, cols = 160, gauss = (): number => Array.from({ length: 6 }, () => uniform(random)).reduce((a, b) => a + b);
  const values = Array.from({ length: rows * cols }, gauss), x = Float32Array.from({ length: cols }, gauss);
  const { y } = sketched(float, matrixOf(rows, cols, (r, j) => values[r * cols + j]!), rows, x).coarse;
  let across = 0, along = 0;
  for (let r = 0; r < rows; r++) {
    const right = x.reduce((sum, v, j) => sum + v * values[r * cols + j]!, 0);
    across += (right - y[r]!) * y[r]!;
    along += y[r]! ** 2;
  }
  assert.ok(Math.abs(across / along) < 0.015, `of a product errors take ${across / along}`);
});

test('columns with large weights and large elements of x hardly err', () => {
  const random = new Random(7), rows = 256, cols = 576, isWide = (j: number): boolean => j % 18 === 5; // 32 of them
  const matrix = matrixOf(rows, cols, (_, j) => uniform(random) * (isWide(j) ? 20 : 1)), x = Float32Array.from({ length: cols }, (_, j) => uniform(random) * (isWide(j) ? 100 : 1));
  const { coarse, fine } = sketched(float, matrix, rows, x), row = k.alloc(4 * cols);
  for (let r = 0; r < rows; r++) {
    k.call('dequantRow', float.layout, matrix, cols, r, row);
    const values = [...k.f32(row, cols)], right = values.reduce((sum, w, j) => sum + w * x[j]!, 0), narrow = Math.hypot(...x.filter((_, j) => !isWide(j)));
    for (const [{ y, deviation }, share] of [[coarse, 0.4], [fine, 0.2]] as const) {
      assert.ok(deviation[r]! < share * narrow, `a deviation of ${deviation[r]}, where the other elements of x have a norm of ${narrow}`);
      assert.ok(Math.abs(y[r]! - right) < 0.005 * Math.hypot(...values) * Math.hypot(...x), `${y[r]} for ${right}`);
    }
  }
});

test('every column has its place', () => {
  const rows = 16, cols = 96;
  for (let col = 0; col < cols; col++) {
    k.reset();
    const x = new Float32Array(cols);
    x[col] = 1;
    // of the first 32 columns the least is still larger than what the others have in common
    const { y } = sketched(float, matrixOf(rows, cols, (r, j) => (1 + r) * (j === col ? 2 : j < 32 ? 1 : 0.01)), rows, x).fine;
    for (let r = 0; r < rows; r++) assert.ok(Math.abs(y[r]! - 2 * (1 + r)) < 0.02 * (1 + r), `column ${col}, row ${r}: ${y[r]}`);
  }
});

test('rows of zeros are exact, and rows without a norm are said to be unsound', () => {
  const ones = new Float32Array(64).fill(1);
  k.reset();
  const { sound, coarse, fine } = sketched(float, matrixOf(8, 64, () => 0), 8, ones);
  assert.is(sound, 1);
  for (const { y, deviation } of [coarse, fine]) assert.equal([...y, ...deviation], Array.from({ length: 16 }, () => 0));
  for (const value of [NaN, Infinity, -Infinity, 3e38]) for (const col of [0, 63]) {
    k.reset();
    // through expand: repack refuses what is not finite
    const matrix = matrixOf(8, 64, (r, j) => (j + r) % 7);
    k.f32(matrix, 512)[8 * col + 3] = value;
    const flawed = sketched(float, matrix, 8, ones);
    assert.ok(flawed.sound === 0 || value === 3e38, String(value));
  }
});

test.run();
