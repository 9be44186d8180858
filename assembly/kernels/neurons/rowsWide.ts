/**
 * Rows of more than four bits (rows.ts), one at a time: y += s' (d (sum(q w) - centre sum(q)) + m sum(q)), integers exact.
 *   8 bits        as kernels/matvec multiplies bytes, in both builds
 *   5, 6 bits     bytes put together from nibbles and the bits above them, unsigned, below 64. relaxed: bytes of x, 16-bit sums of as many
 *                 columns as fit (|q w| <= 127 * 31, a pair 7874, four of them 31496; 127 * 63: 16002, two of them 32004). base: as 8 bits
 * Error: that of the activations' rounding and of units.ts; f32 rounding about (cols / 32) * 6e-8 of the sum of magnitudes.
 * Test: test/kernels/rows.test.ts.
 */
import { madd, mask00ff, nibbleMask, ones16 } from '../../base/simd';
import { Format, the } from '../../layouts/kinds';
import { addBytes } from '../matvec/dots';
import { permutedData, permutedStride } from './permute';
import { UNIT, fourBytes, quantBytes, rowBytesOf } from './rows';
import { bitsOf, centreOf, scaleCols } from './source';
import { touchRows } from './touch';

// the bits above a nibble, as bytes, of 5 bits and of 6
const ABOVE: usize = memory.data<u32>([
  0x10101010, 0x10101010, 0x10101010, 0x10101010, 0x30303030, 0x30303030, 0x30303030, 0x30303030,
], 16);
@inline function aboveMask<L>(): v128 { return v128.load(ABOVE + (bitsOf<L>() == 6 ? 16 : 0)); }

/** Bytes of x, for seven bits. */
@inline function short<L>(): bool { return ASC_FEATURE_RELAXED_SIMD && bitsOf<L>() < 8; }
@inline export function wideFormat<L>(): i32 { return short<L>() ? Format.x4 : Format.x8; }

/** 16 B, or the 8 B of what is left over. */
@inline function vector(left: bool, p: usize, i: usize): v128 { return left ? v128.load64_zero(p + (i << 3)) : v128.load(p + (i << 4)); }

/** The bits of unit i (literal) above the nibble, in place; `v` holds them (rows.ts). */
@inline function above<L>(v: v128, i: i32, bits: v128): v128 {
  const at = bitsOf<L>() == 5 ? i : (i & 3) << 1;
  const moved = at < 4 ? i16x8.shl(v, 4 - at) : at > 4 ? i16x8.shr_u(v, at - 4) : v;
  return v128.and(moved, bits);
}

/** Columns 4i .. 4i + 3 of four blocks as bytes. */
@inline function unit<L>(left: bool, p: usize, i: i32, low: v128, bits: v128): v128 {
  if (bitsOf<L>() == 8) return vector(left, p, i);
  const v = vector(left, p, i >> 1), high = vector(left, p, bitsOf<L>() == 6 && i > 3 ? 5 : 4);
  return v128.or(v128.and(i & 1 ? i16x8.shr_u(v, 4) : v, low), above<L>(high, i, bits));
}

/** One unit against x in 16 bits; `x` is where its unit 0 lies. */
@inline function shortDot<L>(left: bool, p: usize, x: usize, i: i32, low: v128, bits: v128): v128 {
  return i16x8.relaxed_dot_i8x16_i7x16_s(v128.load(x + (<usize>i << 4)), unit<L>(left, p, i, low, bits));
}

/** a + the same, in 32 bits, times 256. */
@inline function addLong<L>(a: v128, left: bool, p: usize, x: usize, i: i32, low: v128, bits: v128, mask: v128): v128 {
  return addBytes(a, unit<L>(left, p, i, low, bits), v128.load(x + (<usize>i << 5)), v128.load(x + (<usize>i << 5), 16), mask);
}

/** a + the sums of 16 columns of four blocks: units i (literal, 0 or 4) to i + 3. `mask`: ones16() where x is bytes, else mask00ff(). */
@inline function addHalf<L>(a: v128, left: bool, p: usize, x: usize, i: i32, low: v128, bits: v128, mask: v128): v128 {
  if (!short<L>()) {
    a = addLong<L>(addLong<L>(a, left, p, x, i, low, bits, mask), left, p, x, i + 1, low, bits, mask);
    return addLong<L>(addLong<L>(a, left, p, x, i + 2, low, bits, mask), left, p, x, i + 3, low, bits, mask);
  }
  const first = i16x8.add(shortDot<L>(left, p, x, i, low, bits), shortDot<L>(left, p, x, i + 1, low, bits));
  const second = i16x8.add(shortDot<L>(left, p, x, i + 2, low, bits), shortDot<L>(left, p, x, i + 3, low, bits));
  if (bitsOf<L>() == 5) return i32x4.add(a, i32x4.dot_i16x8_s(i16x8.add(first, second), mask));
  return i32x4.add(a, i32x4.add(i32x4.dot_i16x8_s(first, mask), i32x4.dot_i16x8_s(second, mask)));
}

/** Where the sums of 16 columns begin: less the centre's part. */
@inline function start<L>(tail: usize, offset: usize): v128 {
  return centreOf<L>() ? i32x4.shl(i32x4.neg(v128.load(tail + offset)), bitsOf<L>() - 1) : i32x4.splat(0);
}

/** f + the terms of four blocks (`left`: two) at p, their x at `x`. */
@inline function addBlocks<L>(left: bool, p: usize, x: usize, f: v128, low: v128, bits: v128, mask: v128): v128 {
  const tail = x + permutedData(wideFormat<L>()), scales = p + (left ? quantBytes<L>() >> 1 : quantBytes<L>()), s = v128.load(tail);
  if (the<L>().mins) {
    const v = left ? v128.load64_zero(scales) : v128.load(scales), a = bitsOf<L>() == 8 ? v128.load(tail, 32) : i32x4.splat(0);
    const sum = addHalf<L>(addHalf<L>(a, left, p, x, 0, low, bits, mask), left, p, x, 4, low, bits, mask);
    f = madd(v128.load(tail, 16), f32x4.convert_i32x4_s(i32x4.shr_s(v, 16)), f);
    return madd(f32x4.convert_i32x4_s(sum), f32x4.mul(s, f32x4.convert_i32x4_s(i32x4.shr_s(i32x4.shl(v, 16), 16))), f);
  }
  const d = f32x4.mul(s, f32x4.convert_i32x4_s(left ? i32x4.extend_low_i16x8_s(v128.load32_zero(scales)) : v128.load16x4_s(scales)));
  if (scaleCols<L>() < 32) { // superblocks: nothing is left over
    const e = f32x4.mul(s, f32x4.convert_i32x4_s(v128.load16x4_s(scales, 8)));
    f = madd(f32x4.convert_i32x4_s(addHalf<L>(start<L>(tail, 64), left, p, x, 0, low, bits, mask)), d, f);
    return madd(f32x4.convert_i32x4_s(addHalf<L>(start<L>(tail, 80), left, p, x, 4, low, bits, mask)), e, f);
  }
  const a = bitsOf<L>() == 8 ? v128.load(tail, 32) : i32x4.add(start<L>(tail, 64), start<L>(tail, 80));
  return madd(f32x4.convert_i32x4_s(addHalf<L>(addHalf<L>(a, left, p, x, 0, low, bits, mask), left, p, x, 4, low, bits, mask)), d, f);
}

export function wideRows<L>(w: usize, cols: i32, list: usize, n: i32, x0: usize, ahead: i32, y: usize): void {
  const low = nibbleMask(), bits = aboveMask<L>(), mask = short<L>() ? ones16() : mask00ff();
  const bytes = rowBytesOf<L>(cols), nBlocks = cols >> 5, left = nBlocks & 3;
  const xEnd = x0 + <usize>((nBlocks >> 2) + i32(left == 3)) * permutedStride(wideFormat<L>());
  let next = list, touched: u32 = 0;
  for (const end = list + (<usize>n << 1); list < end; list += 2) {
    if (list >= next && ahead > 0) {
      next = min(list + (<usize>ahead << 1), end);
      touched |= touchRows(w, bytes, list, next);
    }
    const row = <usize>load<u16>(list);
    let p = w + row * bytes, f = f32x4.splat(0);
    for (let x = x0; x < xEnd; x += permutedStride(wideFormat<L>()), p += fourBytes<L>()) f = addBlocks<L>(false, p, x, f, low, bits, mask);
    if (left == 1 || left == 2) f = addBlocks<L>(true, p, xEnd, f, low, bits, mask);
    f = f32x4.add(f, i64x2.shuffle(f, f, 1, 0));
    const sum = f32x4.extract_lane(f, 0) + f32x4.extract_lane(f, 1);
    store<f32>(y + (row << 2), sum * load<f32>(w + row * bytes + (bytes - UNIT)));
  }
  if (n < 0) store<u32>(y, touched); // never: keeps the reads
}
