/**
 * q8_0, q5_0 and q5_1 of a GGUF file into the interleaved 8-bit layouts q8_0 and q8_1; lossless:
 *   q8_0  d, 32 i8                                   → q8_0
 *   q5_0  d, 32 high bits, 16 bytes of nibbles       → q8_0, q - 16
 *   q5_1  d, m, 32 high bits, 16 bytes of nibbles    → q8_1
 * `rows` rows at `src`; the last group's missing rows become zeros. Returns how many scales are not finite.
 * Test: test/kernels/repack.test.ts.
 */
import { Dtype } from '../../abi/enums';
import { copyHalf, laneOffset, storeBytes } from './store';

/** 16 where the bit of a column is set: `bits` two bytes, the first for columns 0..7. */
@inline function highBits(bits: i32): v128 {
  const spread = i8x16.shuffle(i16x8.splat(<i16>bits), i16x8.splat(0), 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1);
  const masks = i8x16(1, 2, 4, 8, 16, 32, 64, -128, 1, 2, 4, 8, 16, 32, 64, -128);
  return v128.and(i8x16.eq(v128.and(spread, masks), masks), i8x16.splat(16));
}

/** `dtype` is a literal. */
@inline function repackQ8(dtype: i32, src: usize, dst: usize, rows: i32, cols: i32): i32 {
  const nBlocks = cols >> 5;
  const fileBytes: usize = dtype == Dtype.q8_0 ? 34 : dtype == Dtype.q5_0 ? 22 : 24;
  const blockBytes: usize = dtype == Dtype.q5_1 ? 288 : 272;
  const rowBytes = <usize>nBlocks * fileBytes, groupBytes = <usize>nBlocks * blockBytes;
  const low = i8x16.splat(15);
  let bad = 0;
  for (let row = 0; row < rows; row += 8, dst += groupBytes, src += 8 * rowBytes) {
    const nLanes = min(8, rows - row);
    if (nLanes < 8) memory.fill(dst, 0, groupBytes);
    for (let lane = 0; lane < nLanes; lane++) {
      let p = src + <usize>lane * rowBytes, q = dst;
      const at = laneOffset(lane), scale = <usize>lane << 1;
      for (let iBlock = 0; iBlock < nBlocks; iBlock++, p += fileBytes, q += blockBytes) {
        bad += copyHalf(q + 256 + scale, p);
        if (dtype == Dtype.q8_0) {
          storeBytes(q + at, v128.load(p + 2), v128.load(p + 18));
        } else {
          const bits = p + (dtype == Dtype.q5_1 ? 4 : 2);
          const v = v128.load(bits + 4);
          let first = v128.or(v128.and(v, low), highBits(load<u16>(bits)));
          let second = v128.or(i8x16.shr_u(v, 4), highBits(load<u16>(bits + 2)));
          if (dtype == Dtype.q5_0) {
            first = i8x16.sub(first, i8x16.splat(16));
            second = i8x16.sub(second, i8x16.splat(16));
          } else {
            bad += copyHalf(q + 272 + scale, p + 2);
          }
          storeBytes(q + at, first, second);
        }
      }
    }
  }
  return bad;
}

export function repackQ80(src: usize, dst: usize, rows: i32, cols: i32): i32 { return repackQ8(Dtype.q8_0, src, dst, rows, cols); }
export function repackQ50(src: usize, dst: usize, rows: i32, cols: i32): i32 { return repackQ8(Dtype.q5_0, src, dst, rows, cols); }
export function repackQ51(src: usize, dst: usize, rows: i32, cols: i32): i32 { return repackQ8(Dtype.q5_1, src, dst, rows, cols); }
