/**
 * Products of Packed quants (layouts/packed.ts) with x: a block's integer sums for 4 rows, exact and the same numbers in both builds.
 *
 * relaxed: dot products of signed bytes (x, |x| <= 127) with 7-bit ones, in pairs of columns: at most 2 * 127 * 31 for quants of 5 bits, so
 *   that four fit into an i16, and two of 6 bits. They are widened by a product with ones; or with the scales, where halves have some.
 * base: a 16-bit lane v holds two quants, 256 odd + even: as for Bytes (dots.ts), but nothing is signed.
 * What quants are stored above their values (`middle`) is taken out with x's sums.
 */
import { madd, mask00ff, ones16, times32 } from '../../base/simd';
import { blockBytes, isSuper, the } from '../../layouts/kinds';
import { recordData, recordStride } from '../quantize/quantize';
import { addBytes } from './dots';

/** The i8 at p, 4 of them twice each, as i16. */
@inline function pairs(p: usize): v128 {
  const v = v128.load8x8_s(p);
  return i16x8.shuffle(v, v, 0, 0, 1, 1, 2, 2, 3, 3);
}

@inline function dot<L>(p: usize, x: usize, i: usize): v128 {
  return i16x8.relaxed_dot_i8x16_i7x16_s(v128.load32_splat(x + (4 * i)), the<L>().vector(p, i));
}

/** relaxed: vectors 4h .. 4h + 3, as i32 times `m`. */
@inline function half<L>(p: usize, x: usize, h: usize, m: v128): v128 {
  const first = i16x8.add(dot<L>(p, x, 4 * h), dot<L>(p, x, 4 * h + 1)), second = i16x8.add(dot<L>(p, x, 4 * h + 2), dot<L>(p, x, 4 * h + 3));
  if (the<L>().bits < 6) return i32x4.dot_i16x8_s(i16x8.add(first, second), m);
  return i32x4.add(i32x4.dot_i16x8_s(first, m), i32x4.dot_i16x8_s(second, m));
}

/** base: the same vectors, added to `a`, 256 times too large. */
@inline function wideHalf<L>(a: v128, p: usize, x: usize, h: usize, mask: v128): v128 {
  a = addBytes(a, the<L>().vector(p, 4 * h), v128.load32_splat(x + (32 * h)), v128.load32_splat(x + (32 * h + 4)), mask);
  a = addBytes(a, the<L>().vector(p, 4 * h + 1), v128.load32_splat(x + (32 * h + 8)), v128.load32_splat(x + (32 * h + 12)), mask);
  a = addBytes(a, the<L>().vector(p, 4 * h + 2), v128.load32_splat(x + (32 * h + 16)), v128.load32_splat(x + (32 * h + 20)), mask);
  return addBytes(a, the<L>().vector(p, 4 * h + 3), v128.load32_splat(x + (32 * h + 24)), v128.load32_splat(x + (32 * h + 28)), mask);
}

/** base: where a half's sums begin. */
@inline function start<L>(tail: usize, h: usize): v128 {
  if (the<L>().middle == 0) return i32x4.splat(0);
  return i32x4.dot_i16x8_s(v128.load32_splat(tail + (24 + 4 * h)), i16x8.splat(<i16>(8 * the<L>().middle)));
}

/** Four i8 at `p` as i32. */
@inline function bytes32(p: usize): v128 { return i32x4.extend_low_i16x8_s(v128.load8x8_s(p)); }

/** Sums of a block for the rows of `set`; x's record at `x`. Where halves have scales, each is multiplied with its own. */
@inline function blockSums<L>(block: usize, set: usize, x: usize, tail: usize, mask: v128): v128 {
  const p = block + 16 * set, scales = block + (the<L>().quantBytes + 4 * set);
  if (ASC_FEATURE_RELAXED_SIMD) {
    const m = the<L>().halves ? pairs(scales) : mask, n = the<L>().halves ? pairs(scales + 8) : m;
    const sums = i32x4.add(half<L>(p, x, 0, m), half<L>(p, x, 1, n));
    if (the<L>().halves) {
      const above = i32x4.add(i32x4.dot_i16x8_s(m, v128.load32_splat(tail, 24)), i32x4.dot_i16x8_s(n, v128.load32_splat(tail, 28))); // of 32
      return i32x4.add(sums, the<L>().middle == 32 ? above : i32x4.shr_s(above, 3));
    }
    return the<L>().middle ? i32x4.add(sums, i32x4.shl(v128.load32_splat(tail, 16), 1)) : sums;
  }
  if (!the<L>().halves) return wideHalf<L>(i32x4.add(wideHalf<L>(start<L>(tail, 0), p, x, 0, mask), start<L>(tail, 1)), p, x, 1, mask);
  const first = i32x4.shr_s(wideHalf<L>(start<L>(tail, 0), p, x, 0, mask), 8), second = i32x4.shr_s(wideHalf<L>(start<L>(tail, 1), p, x, 1, mask), 8);
  return i32x4.add(i32x4.mul(first, bytes32(scales)), i32x4.mul(second, bytes32(scales + 8)));
}

/** kernels/matvec for Packed layouts. The two sets of rows take turns in one loop, which V8 keeps in registers as it does not a body for both. */
export function packed<L>(w: usize, groups: i32, cols: i32, x0: usize, y: usize): void {
  const mask = ASC_FEATURE_RELAXED_SIMD ? ones16() : mask00ff(), nBlocks = cols >> 5;
  for (const end = y + (<usize>groups << 5); y < end; y += 32) {
    let f = f32x4.splat(0), other = f, g = f, otherG = f, h = f, otherH = f;
    let x = x0;
    for (let iBlock = 0; iBlock < nBlocks; iBlock++, x += recordStride<L>()) {
      const tail = x + recordData<L>();
      for (let set: usize = 0; set < 2; set++) {
        const sums = blockSums<L>(w, set, x, tail, mask);
        if (isSuper<L>()) {
          const now = the<L>().add(w, set, 1, sums, tail, g);
          g = otherG; otherG = now;
          if (the<L>().mins) {
            const least = the<L>().addMin(w, set, tail, h);
            h = otherH; otherH = least;
          }
        } else {
          const now = the<L>().add(w, set, 1, sums, tail, f);
          f = other; other = now;
        }
      }
      w += blockBytes<L>();
      if (isSuper<L>()) {
        if ((iBlock & 7) == 7) {
          f = the<L>().close(w, 0, g, h, f);
          other = the<L>().close(w, 1, otherG, otherH, other);
          g = f32x4.splat(0); otherG = g; h = g; otherH = g;
          w += the<L>().factorBytes;
        }
      }
    }
    v128.store(y, isSuper<L>() ? f : times32(f));
    v128.store(y, isSuper<L>() ? other : times32(other), 16);
  }
}
