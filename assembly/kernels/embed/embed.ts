/**
 * One row of a matrix in any layout as f32 [cols]: the embedding lookup, and the second opinion on repacking. The same f32 values as
 * ggml's dequantize: d * q, d * q + m, d * (q - 8), (d * sc) * q - (dmin * mn), each operation rounded once.
 * Test: test/kernels/repack.test.ts.
 */
import { Dtype, Layout } from '../../abi/enums';
import { valueOf } from '../repack/floats';
import { laneOffset } from '../repack/store';

@inline function half(p: usize): f32 { return valueOf(Dtype.f16, p); }

/** Nibble of column k; `q` points at the row's lane in the block. */
@inline function nibble(q: usize, k: usize): f32 {
  const byte = <u32>load<u8>(q + ((k >> 3) << 5) + (k & 3));
  return <f32>(k & 4 ? byte >> 4 : byte & 15);
}

/** Signed byte of column k. */
@inline function byte8(q: usize, k: usize): f32 {
  const byte = <i32>load<i8>(q + ((k >> 2) << 5) + (k & 3));
  return <f32>(k & 1 ? byte : <i32>(<i8>(byte ^ 0x80)));
}

@inline function rowOfBlocks(layout: i32, group: usize, lane: i32, cols: i32, dst: usize): void {
  const wide = layout == Layout.q8_0 || layout == Layout.q8_1, hasMin = layout == Layout.q4_1 || layout == Layout.q8_1;
  const quants: usize = wide ? 256 : 128, blockBytes: usize = quants + (hasMin ? 32 : 16);
  const at = laneOffset(lane), scale = quants + (<usize>lane << 1);
  for (const end = dst + (<usize>cols << 2); dst < end; dst += 128, group += blockBytes) {
    const d = half(group + scale), m: f32 = hasMin ? half(group + scale + 16) : 0;
    for (let k: usize = 0; k < 32; k++) {
      let q = wide ? byte8(group + at, k) : nibble(group + at, k);
      if (layout == Layout.q4_0) q -= 8;
      store<f32>(dst + (k << 2), hasMin ? d * q + m : d * q);
    }
  }
}

@inline function rowOfSupers(layout: i32, group: usize, lane: i32, cols: i32, dst: usize): void {
  const wide = layout != Layout.q4_k;
  const quants: usize = wide ? 256 : 128, blockBytes = quants + 16;
  const superBytes: usize = 8 * blockBytes + (layout == Layout.q6_k ? 16 : 32), at = laneOffset(lane);
  for (const end = dst + (<usize>cols << 2); dst < end; group += superBytes) {
    const d = half(group + 8 * blockBytes + (<usize>lane << 1));
    const dmin: f32 = layout == Layout.q6_k ? 0 : half(group + 8 * blockBytes + 16 + (<usize>lane << 1));
    for (let b = group; b < group + 8 * blockBytes; b += blockBytes, dst += 128) {
      for (let k: usize = 0; k < 32; k++) {
        let value: f32;
        if (layout == Layout.q6_k) {
          value = d * <f32>load<i8>(b + 256 + (k < 16 ? 0 : 8) + lane) * byte8(b + at, k);
        } else {
          const q = wide ? byte8(b + at, k) : nibble(b + at, k);
          value = d * <f32>load<u8>(b + quants + lane) * q - dmin * <f32>load<u8>(b + quants + 8 + lane);
        }
        store<f32>(dst + (k << 2), value);
      }
    }
  }
}

@inline function rowOfFloats(dtype: i32, group: usize, lane: i32, cols: i32, dst: usize): void {
  const size: usize = dtype == Dtype.f32 ? 4 : 2;
  group += <usize>lane * size;
  for (const end = dst + (<usize>cols << 2); dst < end; dst += 4, group += 8 * size) store<f32>(dst, valueOf(dtype, group));
}

/** Row `row` of the matrix at `w` with `cols` columns → f32 at `dst`. */
export function dequantRow(layout: i32, w: usize, cols: i32, row: i32, dst: usize): void {
  const lane = row & 7, groups = <usize>(row >> 3), columns = <usize>cols;
  switch (layout) {
    case Layout.vector: memory.copy(dst, w + ((<usize>row * columns) << 2), columns << 2); break;
    case Layout.f32: rowOfFloats(Dtype.f32, w + ((groups * columns) << 5), lane, cols, dst); break;
    case Layout.f16: rowOfFloats(Dtype.f16, w + ((groups * columns) << 4), lane, cols, dst); break;
    case Layout.bf16: rowOfFloats(Dtype.bf16, w + ((groups * columns) << 4), lane, cols, dst); break;
    case Layout.q4_0: rowOfBlocks(Layout.q4_0, w + groups * (columns >> 5) * 144, lane, cols, dst); break;
    case Layout.q4_1: rowOfBlocks(Layout.q4_1, w + groups * (columns >> 5) * 160, lane, cols, dst); break;
    case Layout.q8_0: rowOfBlocks(Layout.q8_0, w + groups * (columns >> 5) * 272, lane, cols, dst); break;
    case Layout.q8_1: rowOfBlocks(Layout.q8_1, w + groups * (columns >> 5) * 288, lane, cols, dst); break;
    case Layout.q4_k: rowOfSupers(Layout.q4_k, w + groups * (columns >> 8) * 1184, lane, cols, dst); break;
    case Layout.q5_k: rowOfSupers(Layout.q5_k, w + groups * (columns >> 8) * 2208, lane, cols, dst); break;
    case Layout.q6_k: rowOfSupers(Layout.q6_k, w + groups * (columns >> 8) * 2192, lane, cols, dst); break;
    default: unreachable();
  }
}
