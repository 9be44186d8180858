/**
 * Rows of more than four bits (rows.ts), one at a time: y += s' (d (sum(q w) - centre sum(q)) + m sum(q)), integers exact.
 *   8 bits        as kernels/matvec multiplies bytes, in both builds
 *   5, 6 bits     unsigned bytes below 64. relaxed: bytes of x, 16-bit sums of as many columns as fit (|q w| <= 127 * 31, a pair 7874, four
 *                 of them 31496; 127 * 63: 16002, two of them 32004). base: as 8 bits
 * Halves of a block are a loop where they can be, and are kept apart by a branch that is never taken where not (rowsMatvec.ts says why).
 * Error: that of the activations' rounding and of units.ts; f32 rounding about (cols / 32) * 6e-8 of the sum of magnitudes.
 * Test: test/kernels/rows.test.ts.
 */
import { madd, mask00ff, ones16 } from '../../base/simd';
import { Format, isSuper, the } from '../../layouts/kinds';
import { forLayout } from '../../layouts/table';
import { addBytes } from '../matvec/dots';
import { permutedData, permutedStride } from './permute';
import { UNIT, fourBytes, quantBytes, rowBytesOf } from './rows';
import { bitsOf, centreOf, hasForms, scaleCols } from './source';
import { touchRows } from './touch';

// bytes 0x1f, 0x3f, 3, 0x20
const MASKS: usize = memory.data<u32>([
  0x1f1f1f1f, 0x1f1f1f1f, 0x1f1f1f1f, 0x1f1f1f1f, 0x3f3f3f3f, 0x3f3f3f3f, 0x3f3f3f3f, 0x3f3f3f3f,
  0x03030303, 0x03030303, 0x03030303, 0x03030303, 0x20202020, 0x20202020, 0x20202020, 0x20202020,
], 16);
@inline function lowMask<L>(): v128 { return v128.load(MASKS + (bitsOf<L>() == 6 ? 16 : 0)); }

/** Bytes of x, for seven bits. */
@inline function short<L>(): bool { return ASC_FEATURE_RELAXED_SIMD && bitsOf<L>() < 8; }
@inline function wideFormat<L>(): i32 { return short<L>() ? Format.x4 : Format.x8; }

/** 16 B, or the 8 B of what is left over. */
@inline function vector(left: bool, p: usize, i: usize): v128 { return left ? v128.load64_zero(p + (i << 3)) : v128.load(p + (i << 4)); }

/** a + the sums of 16 columns in four units; their x at `x`. `mask`: ones16() where x is bytes, else mask00ff(), and the sums times 256. */
@inline function addUnits<L>(a: v128, u: v128, v: v128, w: v128, z: v128, x: usize, mask: v128): v128 {
  if (!short<L>()) {
    a = addBytes(a, u, v128.load(x), v128.load(x, 16), mask);
    a = addBytes(a, v, v128.load(x, 32), v128.load(x, 48), mask);
    a = addBytes(a, w, v128.load(x, 64), v128.load(x, 80), mask);
    return addBytes(a, z, v128.load(x, 96), v128.load(x, 112), mask);
  }
  const first = i16x8.add(i16x8.relaxed_dot_i8x16_i7x16_s(v128.load(x), u), i16x8.relaxed_dot_i8x16_i7x16_s(v128.load(x, 16), v));
  const second = i16x8.add(i16x8.relaxed_dot_i8x16_i7x16_s(v128.load(x, 32), w), i16x8.relaxed_dot_i8x16_i7x16_s(v128.load(x, 48), z));
  if (bitsOf<L>() == 5) return i32x4.add(a, i32x4.dot_i16x8_s(i16x8.add(first, second), mask));
  return i32x4.add(a, i32x4.add(i32x4.dot_i16x8_s(first, mask), i32x4.dot_i16x8_s(second, mask)));
}

/** Of 6 or 8 bits, the four units of the half at p. */
@inline function addHalf<L>(a: v128, left: bool, p: usize, x: usize, low: v128, mask: v128): v128 {
  const u = vector(left, p, 0), v = vector(left, p, 1), w = vector(left, p, 2);
  if (bitsOf<L>() == 8) return addUnits<L>(a, u, v, w, vector(left, p, 3), x, mask);
  const above = v128.or(i16x8.shr_u(v128.andnot(u, low), 2), i16x8.shr_u(v128.andnot(v, low), 4));
  const z = v128.or(above, i16x8.shr_u(v128.andnot(w, low), 6));
  return addUnits<L>(a, v128.and(u, low), v128.and(v, low), v128.and(w, low), z, x, mask);
}

/** Of 5 bits, all eight. */
@inline function addFives<L>(a: v128, left: bool, p: usize, x: usize, low: v128, mask: v128): v128 {
  const u = vector(left, p, 0), v = vector(left, p, 1), w = vector(left, p, 2), z = vector(left, p, 3);
  const half: usize = short<L>() ? 64 : 128;
  do {
    a = addUnits<L>(a, v128.and(u, low), v128.and(v, low), v128.and(w, low), v128.and(z, low), x, mask);
    if (p == 0) break; // never
    const last = vector(left, p, 4), two = v128.load(MASKS, 32), bit = v128.load(MASKS, 48);
    const fifth = v128.or(i16x8.shr_u(v128.andnot(u, low), 3), v128.and(i16x8.shr_u(v, 6), two));
    const sixth = v128.or(i16x8.shr_u(v128.andnot(w, low), 3), v128.and(i16x8.shr_u(z, 6), two));
    const bits = v128.or(v128.and(v, bit), i16x8.shr_u(v128.and(z, bit), 1));
    const seventh = v128.or(i16x8.shr_u(v128.andnot(last, low), 3), i16x8.shr_u(bits, 4));
    a = addUnits<L>(a, v128.and(last, low), fifth, sixth, seventh, x + half, mask);
  } while (false);
  return a;
}

/** Where sums begin: less the centre's part, of 16 columns or all. */
@inline function start<L>(sums: v128): v128 {
  return centreOf<L>() ? i32x4.shl(i32x4.neg(sums), bitsOf<L>() - 1) : i32x4.splat(0);
}

/** f + the terms of four blocks (`left`: two) at p, their x at `x`. */
@inline function addBlocks<L>(left: bool, p: usize, x: usize, f: v128, low: v128, mask: v128): v128 {
  const tail = x + permutedData(wideFormat<L>()), scales = p + (left ? quantBytes<L>() >> 1 : quantBytes<L>()), s = v128.load(tail);
  const half = (left ? quantBytes<L>() >> 1 : quantBytes<L>()) >> 1, xHalf = permutedData(wideFormat<L>()) >> 1;
  if (scaleCols<L>() < 32) { // superblocks: nothing is left over
    for (let d = scales, sums = tail + 64, end = d + 16; d < end; d += 8, sums += 16, p += half, x += xHalf) {
      const sum = addHalf<L>(bitsOf<L>() == 8 ? v128.load(sums, 32) : start<L>(v128.load(sums)), left, p, x, low, mask);
      f = madd(f32x4.convert_i32x4_s(sum), f32x4.mul(s, f32x4.convert_i32x4_s(v128.load16x4_s(d))), f);
    }
    return f;
  }
  let a = bitsOf<L>() == 8 ? v128.load(tail, 32) : start<L>(i32x4.add(v128.load(tail, 64), v128.load(tail, 80)));
  if (bitsOf<L>() == 5) a = addFives<L>(a, left, p, x, low, mask);
  else for (const end = p + 2 * half; p < end; p += half, x += xHalf) a = addHalf<L>(a, left, p, x, low, mask);
  if (!the<L>().mins) {
    const d = left ? i32x4.extend_low_i16x8_s(v128.load32_zero(scales)) : v128.load16x4_s(scales);
    return madd(f32x4.convert_i32x4_s(a), f32x4.mul(s, f32x4.convert_i32x4_s(d)), f);
  }
  const v = left ? v128.load64_zero(scales) : v128.load(scales);
  f = madd(v128.load(tail, 16), f32x4.convert_i32x4_s(i32x4.shr_s(v, 16)), f);
  return madd(f32x4.convert_i32x4_s(a), f32x4.mul(s, f32x4.convert_i32x4_s(i32x4.shr_s(i32x4.shl(v, 16), 16))), f);
}

export function wideRows<L>(w: usize, cols: i32, list: usize, n: i32, x0: usize, ahead: i32, y: usize): void {
  const low = lowMask<L>(), mask = short<L>() ? ones16() : mask00ff(), bytes = rowBytesOf<L>(cols), nBlocks = cols >> 5, left = nBlocks & 3;
  const xEnd = x0 + <usize>((nBlocks >> 2) + i32(left == 3)) * permutedStride(wideFormat<L>());
  let next = list, touched: u32 = 0;
  for (const end = list + (<usize>n << 1); list < end; list += 2) {
    if (list >= next && ahead > 0) {
      next = min(list + (<usize>ahead << 1), end);
      touched |= touchRows(w, bytes, list, next);
    }
    const row = <usize>load<u16>(list);
    let p = w + row * bytes, f = f32x4.splat(0);
    for (let x = x0; x < xEnd; x += permutedStride(wideFormat<L>()), p += fourBytes<L>()) f = addBlocks<L>(false, p, x, f, low, mask);
    if (!isSuper<L>()) {
      if (left == 1 || left == 2) f = addBlocks<L>(true, p, xEnd, f, low, mask);
    }
    f = f32x4.add(f, i64x2.shuffle(f, f, 1, 0));
    const sum = f32x4.extract_lane(f, 0) + f32x4.extract_lane(f, 1);
    store<f32>(y + (row << 2), sum * load<f32>(w + row * bytes + (bytes - UNIT)));
  }
  if (n < 0) store<u32>(y, touched); // never: keeps the reads
}

@unmanaged class RowsFormat {
  @inline on<L>(_a: usize, _b: usize, _c: usize, _d: usize, _e: usize, _f: usize, _g: usize, _h: usize): usize {
    if (!hasForms<L>()) return Format.f32;
    return bitsOf<L>() == 4 ? Format.x4 : wideFormat<L>();
  }
}

/** The Format of the records that x is permuted from. */
export function rowsFormat(layout: i32): i32 { return <i32>forLayout<RowsFormat>(layout); }
