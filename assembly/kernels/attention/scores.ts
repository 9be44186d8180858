/**
 * Scores of a tile of 1 to 4 rows over a stretch of positions, 8 positions at a time: keys are read and widened once for all rows. Lanes
 * are positions, so no sum crosses them. Each row's sums are its own, in the order of the dimensions: the tile it is in changes no bit.
 *
 * q8, of 8 positions x 2 dimensions (16 bytes of cache, a quarter of a line): 2 loads that widen, and for each row a broadcast, 2
 * multiplications of pairs, 2 additions; 4 of loop. 18 of 22 instructions (4 rows) are vector ones with four pipes to go to, 8 of them with
 * two: 4.5 cycles at best, 5.9 measured, with V8's code and with a loop of assembly alike. Test: test/kernels/attention.test.ts.
 */
import { KvKind } from '../../abi/enums';
import { half4Exact, hmax, madd } from '../../base/simd';
import {
  CellsF16, CellsF32, FACTOR, ROW, Rows1, Rows2, Rows3, Rows4, SCORES, TOUCHED, kindOf, numberOf,
} from './scratch';

@inline export function cells4<K>(p: usize): v128 { return kindOf<K>() == KvKind.f32 ? v128.load(p) : half4Exact(p); }
@inline export function cellBytes(kind: i32): usize { return kind == KvKind.f32 ? 4 : kind == KvKind.f16 ? 2 : 1; }

/**
 * Puts a query [headDim] f32 into its row: of q8 as i16, scale amax / 32767; |q . k| <= headDim * 127 * 32767 < 2^31 up to headDim 512.
 * What scores are multiplied by includes `factor`.
 */
export function enterRow(kind: i32, q: usize, headDim: i32, factor: f32, row: usize): void {
  const end = q + (<usize>headDim << 2);
  if (kind != KvKind.q8) {
    memory.copy(row, q, <usize>headDim << 2);
    store<f32>(row, factor, FACTOR);
    return;
  }
  let m = f32x4.splat(0);
  for (let p = q; p < end; p += 16) m = f32x4.max(m, f32x4.abs(v128.load(p)));
  const amax = hmax(m), live = amax > 1e-30 && amax < Infinity;
  const inverse = f32x4.splat(live ? <f32>32767 / amax : 0);
  for (let p = q, dst = row; p < end; p += 32, dst += 16) {
    const a = i32x4.trunc_sat_f32x4_s(f32x4.nearest(f32x4.mul(v128.load(p), inverse)));
    const b = i32x4.trunc_sat_f32x4_s(f32x4.nearest(f32x4.mul(v128.load(p, 16), inverse)));
    v128.store(dst, i16x8.narrow_i32x4_s(a, b));
  }
  store<f32>(row, factor * (live ? amax / 32767 : amax * 0), FACTOR); // NaN where a value is not finite
}

@inline function leaveInts(a: v128, b: v128, scales0: v128, scales1: v128, row: usize, s: usize): void {
  const f = v128.load32_splat(row, FACTOR);
  v128.store(s, f32x4.mul(f32x4.convert_i32x4_s(a), f32x4.mul(f, scales0)));
  v128.store(s, f32x4.mul(f32x4.convert_i32x4_s(b), f32x4.mul(f, scales1)), 16);
}

@inline function leaveFloats(a: v128, b: v128, row: usize, s: usize): void {
  const f = v128.load32_splat(row, FACTOR);
  v128.store(s, f32x4.mul(a, f));
  v128.store(s, f32x4.mul(b, f), 16);
}

function ints<R>(tile: usize, keys: usize, scales: usize, headDim: i32, count: i32, ahead: usize, stride: usize, aheadScales: usize): void {
  let touched = i32x4.splat(0);
  const qEnd = tile + (<usize>headDim << 1);
  for (let s = tile + SCORES, end = s + (<usize>count << 2); s < end; s += 32, scales += 32) {
    for (let i = 0, p = ahead; i < headDim; i += 16, p += stride) {
      touched = v128.or(touched, v128.or(v128.load(p), v128.load(p, 64)));
    }
    touched = v128.or(touched, v128.load(aheadScales));
    ahead += 128;
    aheadScales += 32;
    let a0 = i32x4.splat(0), b0 = a0, a1 = a0, b1 = a0, a2 = a0, b2 = a0, a3 = a0, b3 = a0;
    for (let q = tile; q < qEnd; q += 4, keys += 16) {
      const k = v128.load8x8_s(keys), l = v128.load8x8_s(keys, 8), q0 = v128.load32_splat(q);
      a0 = i32x4.add(a0, i32x4.dot_i16x8_s(k, q0));
      b0 = i32x4.add(b0, i32x4.dot_i16x8_s(l, q0));
      if (numberOf<R>() > 1) {
        const q1 = v128.load32_splat(q, ROW);
        a1 = i32x4.add(a1, i32x4.dot_i16x8_s(k, q1));
        b1 = i32x4.add(b1, i32x4.dot_i16x8_s(l, q1));
      }
      if (numberOf<R>() > 2) {
        const q2 = v128.load32_splat(q, 2 * ROW);
        a2 = i32x4.add(a2, i32x4.dot_i16x8_s(k, q2));
        b2 = i32x4.add(b2, i32x4.dot_i16x8_s(l, q2));
      }
      if (numberOf<R>() > 3) {
        const q3 = v128.load32_splat(q, 3 * ROW);
        a3 = i32x4.add(a3, i32x4.dot_i16x8_s(k, q3));
        b3 = i32x4.add(b3, i32x4.dot_i16x8_s(l, q3));
      }
    }
    const c = v128.load(scales), d = v128.load(scales, 16);
    leaveInts(a0, b0, c, d, tile, s);
    if (numberOf<R>() > 1) leaveInts(a1, b1, c, d, tile + ROW, s + ROW);
    if (numberOf<R>() > 2) leaveInts(a2, b2, c, d, tile + 2 * ROW, s + 2 * ROW);
    if (numberOf<R>() > 3) leaveInts(a3, b3, c, d, tile + 3 * ROW, s + 3 * ROW);
  }
  v128.store(tile, touched, TOUCHED); // or the loads would be left out
}

function floats<K, R>(tile: usize, keys: usize, headDim: i32, count: i32): void {
  const qEnd = tile + (<usize>headDim << 2), b: usize = kindOf<K>() == KvKind.f32 ? 4 : 2;
  for (let s = tile + SCORES, end = s + (<usize>count << 2); s < end; s += 32) {
    let a0 = f32x4.splat(0), b0 = a0, a1 = a0, b1 = a0, a2 = a0, b2 = a0, a3 = a0, b3 = a0;
    for (let q = tile; q < qEnd; q += 4, keys += 8 * b) {
      const k = cells4<K>(keys), l = cells4<K>(keys + 4 * b), q0 = v128.load32_splat(q);
      a0 = madd(k, q0, a0);
      b0 = madd(l, q0, b0);
      if (numberOf<R>() > 1) {
        const q1 = v128.load32_splat(q, ROW);
        a1 = madd(k, q1, a1);
        b1 = madd(l, q1, b1);
      }
      if (numberOf<R>() > 2) {
        const q2 = v128.load32_splat(q, 2 * ROW);
        a2 = madd(k, q2, a2);
        b2 = madd(l, q2, b2);
      }
      if (numberOf<R>() > 3) {
        const q3 = v128.load32_splat(q, 3 * ROW);
        a3 = madd(k, q3, a3);
        b3 = madd(l, q3, b3);
      }
    }
    leaveFloats(a0, b0, tile, s);
    if (numberOf<R>() > 1) leaveFloats(a1, b1, tile + ROW, s + ROW);
    if (numberOf<R>() > 2) leaveFloats(a2, b2, tile + 2 * ROW, s + 2 * ROW);
    if (numberOf<R>() > 3) leaveFloats(a3, b3, tile + 3 * ROW, s + 3 * ROW);
  }
}

@inline function floatsOf<K>(rows: i32, tile: usize, keys: usize, headDim: i32, count: i32): void {
  if (kindOf<K>() == KvKind.f16 && rows == 3) floats<K, Rows3>(tile, keys, headDim, count);
  else if (rows == 2) floats<K, Rows2>(tile, keys, headDim, count);
  else floats<K, Rows1>(tile, keys, headDim, count);
}

/**
 * Scores of `count` positions, a multiple of 8, times the rows' factors. `keys` and `scales`: those of the first. `ahead`: the values that
 * are mixed next, `stride` from 16 dimensions to the next, and their scales; of q8, where memory is slower than the sums, a load from each
 * of their lines has them on their way.
 */
export function scores(
  kind: i32, rows: i32, tile: usize, keys: usize, scales: usize, headDim: i32, count: i32, ahead: usize, stride: usize,
  aheadScales: usize,
): void {
  if (kind == KvKind.f32) floatsOf<CellsF32>(rows, tile, keys, headDim, count);
  else if (kind == KvKind.f16) floatsOf<CellsF16>(rows, tile, keys, headDim, count);
  else if (rows == 4) ints<Rows4>(tile, keys, scales, headDim, count, ahead, stride, aheadScales);
  else if (rows == 3) ints<Rows3>(tile, keys, scales, headDim, count, ahead, stride, aheadScales);
  else if (rows == 2) ints<Rows2>(tile, keys, scales, headDim, count, ahead, stride, aheadScales);
  else ints<Rows1>(tile, keys, scales, headDim, count, ahead, stride, aheadScales);
}
