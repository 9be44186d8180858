/**
 * q4_k, q5_k and q6_k of a GGUF file (superblocks of 256 columns, see ggml-quants.h) into the interleaved layouts of the same names.
 *   q4_k  d, dmin, 12 bytes of 6-bit (sc, mn), 128 bytes: 32 bytes hold block 2i (low nibbles) and 2i + 1 (high)
 *   q5_k  d, dmin, 12 bytes of 6-bit (sc, mn), 32 bytes whose bit b belongs to block b, then nibbles as q4_k
 *   q6_k  128 bytes of low nibbles, 64 of high bit pairs, 16 i8 scales (one each 16 columns), d; stored as q - 32
 * The 6-bit scales are unpacked to bytes, nothing is multiplied out: lossless. `rows` rows at `src`; the last group's missing rows become
 * zeros. Returns how many of d, dmin are not finite. Test: test/kernels/repack.test.ts.
 */
import { Dtype } from '../../abi/enums';
import { copyHalf, laneOffset, storeBytes, storeNibbles } from './store';

/** 6-bit scale of block b. */
@inline function scaleOf(packed: usize, b: usize): u32 {
  if (b < 4) return <u32>load<u8>(packed + b) & 63;
  return (<u32>load<u8>(packed + b + 4) & 15) | ((<u32>load<u8>(packed + b - 4) >> 6) << 4);
}

/** 6-bit minimum of block b. */
@inline function minOf(packed: usize, b: usize): u32 {
  if (b < 4) return <u32>load<u8>(packed + b + 4) & 63;
  return (<u32>load<u8>(packed + b + 4) >> 4) | ((<u32>load<u8>(packed + b) >> 6) << 4);
}

/** Nibbles of block b from 16 bytes: low for even blocks, high for odd ones. */
@inline function nibbles(v: v128, b: usize): v128 {
  return b & 1 ? i8x16.shr_u(v, 4) : v128.and(v, i8x16.splat(15));
}

/** Bit b of each byte, as 16. */
@inline function fifthBit(v: v128, b: usize): v128 {
  return i8x16.shl(v128.and(i8x16.shr_u(v, <i32>b), i8x16.splat(1)), 4);
}

@inline function superQ45(dtype: i32, p: usize, q: usize, lane: i32): i32 {
  const blockBytes: usize = dtype == Dtype.q4_k ? 144 : 272, tail: usize = dtype == Dtype.q4_k ? 128 : 256;
  const at = laneOffset(lane), packed = p + 4;
  const high = p + 16, quants = dtype == Dtype.q4_k ? p + 16 : p + 48;
  const end = q + 8 * blockBytes + (<usize>lane << 1);
  for (let b: usize = 0; b < 8; b++, q += blockBytes) {
    const source = quants + ((b >> 1) << 5);
    const first = nibbles(v128.load(source), b), second = nibbles(v128.load(source, 16), b);
    if (dtype == Dtype.q4_k) storeNibbles(q + at, first, second);
    else storeBytes(q + at, v128.or(first, fifthBit(v128.load(high), b)), v128.or(second, fifthBit(v128.load(high, 16), b)));
    store<u8>(q + tail + lane, <u8>scaleOf(packed, b));
    store<u8>(q + tail + 8 + lane, <u8>minOf(packed, b));
  }
  return copyHalf(end, p) + copyHalf(end + 16, p + 2);
}

/** Sixteen 6-bit values of block b, minus 32. */
@inline function sixBits(low: v128, high: v128, b: usize): v128 {
  const nibble = b & 2 ? i8x16.shr_u(low, 4) : v128.and(low, i8x16.splat(15));
  const pair = v128.and(i8x16.shr_u(high, <i32>((b & 3) << 1)), i8x16.splat(3));
  return i8x16.sub(v128.or(nibble, i8x16.shl(pair, 4)), i8x16.splat(32));
}

@inline function superQ6(p: usize, q: usize, lane: i32): i32 {
  const at = laneOffset(lane), end = q + 8 * 272 + (<usize>lane << 1);
  for (let b: usize = 0; b < 8; b++, q += 272) {
    const low = p + ((b >> 2) << 6) + ((b & 1) << 5), high = p + 128 + ((b >> 2) << 5);
    storeBytes(q + at, sixBits(v128.load(low), v128.load(high), b), sixBits(v128.load(low, 16), v128.load(high, 16), b));
    store<u8>(q + 256 + lane, load<u8>(p + 192 + (b << 1)));
    store<u8>(q + 264 + lane, load<u8>(p + 193 + (b << 1)));
  }
  return copyHalf(end, p + 208);
}

/** `dtype` is a literal. */
@inline function repackK(dtype: i32, src: usize, dst: usize, rows: i32, cols: i32): i32 {
  const nSupers = cols >> 8;
  const fileBytes: usize = dtype == Dtype.q4_k ? 144 : dtype == Dtype.q5_k ? 176 : 210;
  const superBytes: usize = dtype == Dtype.q4_k ? 1184 : dtype == Dtype.q5_k ? 2208 : 2192;
  const rowBytes = <usize>nSupers * fileBytes, groupBytes = <usize>nSupers * superBytes;
  let bad = 0;
  for (let row = 0; row < rows; row += 8, dst += groupBytes, src += 8 * rowBytes) {
    const nLanes = min(8, rows - row);
    if (nLanes < 8) memory.fill(dst, 0, groupBytes);
    for (let lane = 0; lane < nLanes; lane++) {
      let p = src + <usize>lane * rowBytes, q = dst;
      for (let iSuper = 0; iSuper < nSupers; iSuper++, p += fileBytes, q += superBytes) {
        bad += dtype == Dtype.q6_k ? superQ6(p, q, lane) : superQ45(dtype, p, q, lane);
      }
    }
  }
  return bad;
}

export function repackQ4K(src: usize, dst: usize, rows: i32, cols: i32): i32 { return repackK(Dtype.q4_k, src, dst, rows, cols); }
export function repackQ5K(src: usize, dst: usize, rows: i32, cols: i32): i32 { return repackK(Dtype.q5_k, src, dst, rows, cols); }
export function repackQ6K(src: usize, dst: usize, rows: i32, cols: i32): i32 { return repackK(Dtype.q6_k, src, dst, rows, cols); }
