/** Both directions of a matrix against float64, every layout, odd sizes, canaries. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Random } from '../../src/sampler/random.ts';
import { Kernels, builds } from '../helpers/kernels.ts';
import { kinds, randomMatrix, uniform } from '../helpers/matrices.ts';

/** Rows of `values` [nTokens, width], each `stride` values apart; what lies between is not a number and must not matter. */
function putRows(k: Kernels, rows: Float32Array[], stride: number): number {
  const ptr = k.alloc(rows.length * stride * 4);
  k.f32(ptr, rows.length * stride).fill(NaN);
  rows.forEach((row, t) => k.f32(ptr + 4 * t * stride, row.length).set(row));
  return ptr;
}

const pad32 = (width: number): number => Math.ceil(width / 32) * 32;
const oddLines = (bytes: number): number => 64 * (Math.ceil(bytes / 64) | 1);

for (const build of builds) {
  const test = suite(`product and transposed product (${build})`);
  const k = new Kernels(build, 64);

  for (const kind of kinds) {
    test(kind.name, () => {
      const random = new Random(11);
      const widths = kind.block === 1 ? [1, 3, 16, 17, 33, 65] : kind.block === 32 ? [32, 64, 96] : [256, 512];
      for (const cols of widths) for (const rows of [1, 8, 17, 31, 33, 65]) for (const nTokens of [1, 2, 3, 4, 5, 9]) {
        if (build === 'debug' && (rows + nTokens) % 2) continue;
        k.reset();
        const { ptr, values } = randomMatrix(k, kind, rows, cols, random);
        const draw = (width: number): Float32Array[] => Array.from({ length: nTokens }, () => Float32Array.from({ length: width }, () => uniform(random)));
        const scratch = k.alloc(32 * oddLines(4 * cols));
        const x = draw(cols), dy = draw(rows), before = draw(cols);
        const bias = nTokens % 2 ? draw(8 * Math.ceil(rows / 8))[0] : undefined;
        const xPtr = putRows(k, x, pad32(cols)), y = k.alloc(nTokens * pad32(rows) * 4);
        k.call('product', kind.layout, ptr, bias ? k.putF32(bias) : 0, rows, cols, xPtr, 4 * pad32(cols), nTokens, y, 4 * pad32(rows), scratch);
        const dyPtr = putRows(k, dy, pad32(rows)), dx = putRows(k, before, pad32(cols));
        k.call('transposed', kind.layout, ptr, rows, cols, dyPtr, 4 * pad32(rows), nTokens, dx, 4 * pad32(cols), scratch);

        for (let t = 0; t < nTokens; t++) {
          for (let r = 0; r < rows; r++) {
            let want = bias ? bias[r]! : 0, magnitude = Math.abs(want);
            for (let c = 0; c < cols; c++) { const term = values[r]![c]! * x[t]![c]!; want += term; magnitude += Math.abs(term); }
            const got = k.f32(y + 4 * t * pad32(rows), rows)[r]!;
            assert.ok(Math.abs(got - want) <= 6e-8 * (cols + 2) * magnitude, `${rows}x${cols}, ${nTokens} tokens, y[${t}, ${r}]: ${got} instead of ${want}`);
          }
          for (let c = 0; c < cols; c++) {
            let want = before[t]![c]!, magnitude = Math.abs(want);
            for (let r = 0; r < rows; r++) { const term = values[r]![c]! * dy[t]![r]!; want += term; magnitude += Math.abs(term); }
            const got = k.f32(dx + 4 * t * pad32(cols), cols)[c]!;
            assert.ok(Math.abs(got - want) <= 6e-8 * (rows + 2) * magnitude, `${rows}x${cols}, ${nTokens} tokens, dx[${t}, ${c}]: ${got} instead of ${want}`);
          }
        }
        k.checkCanaries();
      }
    });
  }

  test.run();
}
