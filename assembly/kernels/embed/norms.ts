/**
 * Two products with a matrix in any layout, row by row in f32: exact and slow, for what is computed once a model.
 * Norms of the columns of W [rows, cols] in any layout: out_i = sqrt(sum over rows of W[r, i]^2), [cols] f32; `row` is scratch of as many.
 * Sums in f32, relative error about rows * 6e-8. Test: test/kernels/norms.test.ts.
 */
import { dequantRow } from './embed';

export function columnNorms(layout: i32, w: usize, rows: i32, cols: i32, row: usize, out: usize): void {
  const bytes = <usize>cols << 2;
  memory.fill(out, 0, bytes);
  for (let r = 0; r < rows; r++) {
    dequantRow(layout, w, cols, r, row);
    for (let i: usize = 0; i < bytes; i += 4) {
      const v = load<f32>(row + i);
      store<f32>(out + i, load<f32>(out + i) + v * v);
    }
  }
  for (let i: usize = 0; i < bytes; i += 4) store<f32>(out + i, sqrt<f32>(load<f32>(out + i)));
}

/** out [rows] = W x, x [cols] f32. */
export function dequantMatvec(layout: i32, w: usize, rows: i32, cols: i32, row: usize, x: usize, out: usize): void {
  for (let r = 0; r < rows; r++, out += 4) {
    dequantRow(layout, w, cols, r, row);
    let sum: f64 = 0;
    for (let i: usize = 0, end = <usize>cols << 2; i < end; i += 4) sum += <f64>load<f32>(row + i) * <f64>load<f32>(x + i);
    store<f32>(out, <f32>sum);
  }
}
