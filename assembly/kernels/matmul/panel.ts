/**
 * x made ready for tile.ts: panels of 4 tokens, whose columns lie side by side, so that a tile reads all of them with one pointer. A block
 * of 32 columns of a panel is
 *   narrow  8 times [token 0: columns 4i .. 4i + 3 as i8] .. [token 3]                                        128 B
 *   wide    8 times [token 0: columns 4i and 4i + 2 as i16] .. [token 3], the same of 4i + 1 and 4i + 3       256 B
 * and its constants, 4 tokens each: f32 scales (kernels/quantize), f32 scales times sums of q, and (narrow) what sums of pairs of columns
 * start at, two i16, which takes out what quants are stored above their values; and i32 what that takes out of
 * a block too much (`isLifted`). Where the last panel has fewer than 4 tokens its last one is there again; what comes of that is not used.
 * A superblock of a panel is
 *   narrow  what sums start at (if at anything) and the columns, as above, of each half or block that has a scale
 *   wide    the columns as above
 * and f32 scales, and (if wanted) the sums of pairs of halves or blocks as two i16.
 */
import { Format, isSuper, the } from '../../layouts/kinds';
import { recordData, recordStride } from '../quantize/quantize';
import { BLOCK_SUMS, HALF_SUMS, STARTS, superData, superStride } from '../quantize/superblocks';
import { hasStarts, isLifted, isNarrow, spanCols, sumPairs } from './ready';

/** Bytes of a block's columns. */
@inline export function panelQuants(narrow: bool): usize { return narrow ? 128 : 256; }

/** Bytes of a block or superblock. */
@inline export function panelBytes<L>(): usize {
  if (!isSuper<L>()) return panelQuants(isNarrow<L>()) + 64;
  return 8 * panelQuants(isNarrow<L>()) + (isNarrow<L>() && hasStarts<L>() ? 4096 / spanCols<L>() : 0) + 16 + 16 * sumPairs<L>();
}

@inline function xBytes<L>(): usize { return isSuper<L>() ? superStride() : recordStride<L>(); }

/** The sums of columns 4i and 4i + 1, and of 4i + 2 and 4i + 3, over 32 columns, times -middle, in each word. */
@inline function startOf(low: v128, high: v128, middle: i32): v128 {
  const ones = i8x16.splat(1);
  const four = i16x8.add(i16x8.relaxed_dot_i8x16_i7x16_s(low, ones), i16x8.relaxed_dot_i8x16_i7x16_s(high, ones));
  const two = i16x8.add(four, i64x2.shuffle(four, four, 1, 0));
  return i16x8.mul(i16x8.add(two, i32x4.shuffle(two, two, 1, 0, 3, 2)), i16x8.splat(<i16>-middle));
}

/** Two words of four columns each, from an x8 record: [x1 x3] and [256 x0 - x1, 256 x2 - x3] become [x0 x2] and [x1 x3]. */
@inline function fromX8(v: v128): v128 {
  const odd = i32x4.shuffle(v, v, 0, 0, 2, 2), even = i16x8.shr_s(i16x8.add(v, odd), 8);
  return i32x4.shuffle(even, odd, 1, 4, 3, 6);
}

/** The same from a superblock's of base: [x0 x2] and [x1 - 256 x0, x3 - 256 x2]. */
@inline function fromPairs(v: v128): v128 {
  return i32x4.shuffle(v, i16x8.add(v, i16x8.shl(i32x4.shuffle(v, v, 0, 0, 2, 2), 8)), 0, 5, 2, 7);
}

/** The same from an x4 record of base: [x0 x2] * 256, [x4 x6] * 16, [x1 x3], [x5 x7] * 256. */
@inline function fromX4(v: v128): v128 {
  const eighth = i16x8.shr_s(v, 8), fourth = i16x8.shr_s(v, 4);
  return i32x4.shuffle(i32x4.shuffle(eighth, v, 0, 6, 3, 3), fourth, 0, 1, 5, 2);
}

/** The words of v, of one token, into a panel. */
@inline function spread(q: usize, v: v128): void {
  v128.store32_lane(q, v, 0); v128.store32_lane(q, v, 1, 16); v128.store32_lane(q, v, 2, 32); v128.store32_lane(q, v, 3, 48);
}

/** A block of one token at `x` into its place. */
@inline function packBlock<L>(x: usize, dst: usize): void {
  const tail = x + recordData<L>(), constants = dst + panelQuants(isNarrow<L>());
  if (isNarrow<L>()) {
    for (let p = x, q = dst; p < tail; p += 4, q += 16) store<u32>(q, load<u32>(p));
    const start = startOf(v128.load(x), v128.load(x, 16), isLifted<L>() ? 16 : the<L>().middle);
    v128.store32_lane(constants, start, 0, 32);
    if (isLifted<L>()) v128.store32_lane(constants, i32x4.neg(i32x4.extadd_pairwise_i16x8_s(start)), 0, 48);
  } else {
    for (let p = x, q = dst; p < tail; p += 16, q += 64) {
      const v = the<L>().format == Format.x8 ? fromX8(v128.load(p)) : fromX4(v128.load(p));
      spread(q, v);
    }
  }
  // x8 and base's x4: for sums that are 256 times too large; mxfp4's scales have no powers of two to be made up for
  const times: f32 = isNarrow<L>() ? 1 : 256;
  store<f32>(constants, times * load<f32>(the<L>().scaleBytes == 8 ? tail : tail + 4));
  store<u32>(constants, load<u32>(tail, 12), 16);
}

/** relaxed, from a superblock's bytes [x0 x1 x2 x3] as i16: [x0 x2], and [x1 x3]. */
@inline function evens(v: v128): v128 { return i16x8.shr_s(i16x8.shl(v, 8), 8); }
@inline function odds(v: v128): v128 { return i16x8.shr_s(v, 8); }

/** What a half's or block's sums start at: i16 -middle times the sums of pairs; `at` = the record's, which are 32 times. */
@inline function superStart<L>(at: usize): u32 {
  if (the<L>().middle == 32) return load<u32>(at);
  const first = <i32>load<i16>(at), second = <i32>load<i16>(at, 2);
  if (the<L>().middle == 4) return (first >> 3 & 0xffff) | second >> 3 << 16;
  return ((first >> 1) + (<i32>load<i16>(at, 4) >> 1) & 0xffff) | (second >> 1) + (<i32>load<i16>(at, 6) >> 1) << 16; // lifted: by 16
}

function packSuper<L>(x: usize, dst: usize): void {
  const tail = x + superData();
  let q = dst;
  if (isNarrow<L>()) {
    for (let at = tail + STARTS; x < tail; at += spanCols<L>() >> 2) {
      if (hasStarts<L>()) { store<u32>(q, superStart<L>(at)); q += 16; }
      for (const end = x + spanCols<L>(); x < end; x += 4, q += 16) store<u32>(q, load<u32>(x));
    }
  } else {
    for (; x < tail; x += 16, q += 64) {
      const v = v128.load(x);
      if (ASC_FEATURE_RELAXED_SIMD) {
        const even = evens(v), odd = odds(v);
        spread(q, i32x4.shuffle(even, odd, 0, 4, 1, 5));
        q += 64;
        spread(q, i32x4.shuffle(even, odd, 2, 6, 3, 7));
      } else {
        spread(q, fromPairs(v));
      }
    }
  }
  store<u32>(q, load<u32>(tail));
  const sums = tail + (the<L>().halves ? HALF_SUMS : BLOCK_SUMS);
  for (let i: usize = 0; i < sumPairs<L>(); i++) store<u32>(q + (i << 4), load<u32>(sums + (i << 2)), 16);
}

/** Units (blocks or superblocks) from..to of nTokens tokens, panel after panel. */
export function packX<L>(x: usize, xStride: usize, nTokens: usize, from: usize, to: usize, dst: usize): void {
  const stride = (to - from) * panelBytes<L>();
  for (let t: usize = 0, all = nTokens + 3 & ~3; t < all; t++) {
    let p = x + from * xBytes<L>();
    for (let q = dst + (t >> 2) * stride + ((t & 3) << 2), end = q + stride; q < end; q += panelBytes<L>()) {
      if (isSuper<L>()) packSuper<L>(p, q);
      else packBlock<L>(p, q);
      p += xBytes<L>();
    }
    if (t + 1 < nTokens) x += xStride;
  }
}
