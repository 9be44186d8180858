/**
 * From the file's rows to the layout of the arena (abi/enums.ts), while the file streams in: the caller passes a few thousand rows at a
 * time, in multiples of 8 but for a tensor's end. Test: test/kernels/repack.test.ts.
 */
import { Dtype, Layout, Status } from '../../abi/enums';
import { repackBF16, repackF16, repackF32, toVector } from './floats';
import { repackQ4K, repackQ5K, repackQ6K } from './kquants';
import { repackQ40, repackQ41 } from './q4';
import { repackQ50, repackQ51, repackQ80 } from './q8';

/** Bytes of a matrix in a layout; 0 for an unknown one. */
export function layoutBytes(layout: i32, rows: i32, cols: i32): usize {
  const groups = <usize>((rows + 7) >> 3), columns = <usize>cols;
  switch (layout) {
    case Layout.vector: return <usize>rows * columns << 2;
    case Layout.f32: return groups * columns << 5;
    case Layout.f16: case Layout.bf16: return groups * columns << 4;
    case Layout.q4_0: return groups * (columns >> 5) * 144;
    case Layout.q4_1: return groups * (columns >> 5) * 160;
    case Layout.q8_0: return groups * (columns >> 5) * 272;
    case Layout.q8_1: return groups * (columns >> 5) * 288;
    case Layout.q4_k: return groups * (columns >> 8) * 1184;
    case Layout.q5_k: return groups * (columns >> 8) * 2208;
    case Layout.q6_k: return groups * (columns >> 8) * 2192;
    default: return 0;
  }
}

/**
 * Converts `rows` rows of `cols` columns from a file dtype at `src` into a layout at `dst`.
 * Status.ok, badLayout for a pair that does not exist, nonFinite where a weight or scale is NaN or infinite.
 */
export function repack(dtype: i32, layout: i32, src: usize, dst: usize, rows: i32, cols: i32): i32 {
  let bad = 0;
  if (layout == Layout.vector) {
    if (dtype != Dtype.f32 && dtype != Dtype.f16 && dtype != Dtype.bf16) return Status.badLayout;
    bad = toVector(dtype, src, dst, rows * cols);
  } else if (dtype == Dtype.f32 && layout == Layout.f32) bad = repackF32(src, dst, rows, cols);
  else if (dtype == Dtype.f16 && layout == Layout.f16) bad = repackF16(src, dst, rows, cols);
  else if (dtype == Dtype.bf16 && layout == Layout.bf16) bad = repackBF16(src, dst, rows, cols);
  else if (dtype == Dtype.q4_0 && layout == Layout.q4_0) bad = repackQ40(src, dst, rows, cols);
  else if (dtype == Dtype.q4_1 && layout == Layout.q4_1) bad = repackQ41(src, dst, rows, cols);
  else if (dtype == Dtype.q5_0 && layout == Layout.q8_0) bad = repackQ50(src, dst, rows, cols);
  else if (dtype == Dtype.q5_1 && layout == Layout.q8_1) bad = repackQ51(src, dst, rows, cols);
  else if (dtype == Dtype.q8_0 && layout == Layout.q8_0) bad = repackQ80(src, dst, rows, cols);
  else if (dtype == Dtype.q4_k && layout == Layout.q4_k) bad = repackQ4K(src, dst, rows, cols);
  else if (dtype == Dtype.q5_k && layout == Layout.q5_k) bad = repackQ5K(src, dst, rows, cols);
  else if (dtype == Dtype.q6_k && layout == Layout.q6_k) bad = repackQ6K(src, dst, rows, cols);
  else return Status.badLayout;
  return bad ? Status.nonFinite : Status.ok;
}
