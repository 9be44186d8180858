/**
 * A quantised matrix in its interleaved layout → the interleaved f32 layout, value by value as `dequantRow` reads them: what
 * `precision: 'exact'` runs on. `rows` rows (groups padded with zeros) of `cols` columns; `scratch` [cols] f32.
 * Test: test/kernels/repack.test.ts.
 */
import { dequantRow } from '../embed/embed';

export function expand(layout: i32, w: usize, rows: i32, cols: i32, scratch: usize, dst: usize): void {
  const groupBytes = <usize>cols << 5;
  for (let row = 0; row < ((rows + 7) & ~7); row++) {
    dequantRow(layout, w, cols, row, scratch);
    let q = dst + <usize>(row >> 3) * groupBytes + (<usize>(row & 7) << 2);
    for (let p = scratch, end = scratch + (<usize>cols << 2); p < end; p += 4, q += 32) store<f32>(q, load<f32>(p));
  }
}
