/**
 * Values of a stretch of positions weighed and summed, for a tile of 1 to 4 rows: values are read and widened once for all of them.
 * Lanes are dimensions. A row's sums are its own and go by the positions; what the tile is changes no bit, a weight of 0 neither.
 *
 * q8, of 2 positions x 8 dimensions (16 bytes of cache): 2 loads that widen, and for each row a broadcast, 2 multiplications of pairs,
 * 2 additions, as scores.ts has them. Of one or two rows 16 dimensions are summed at once, of more 8: the other half of a line comes from
 * L1 then. Test: test/kernels/attention.test.ts.
 */
import { KvKind } from '../../abi/enums';
import { madd } from '../../base/simd';
import { cells4 } from './scores';
import {
  CellsF16, CellsF32, FADE, GAIN, ROW, Rows1, Rows2, Rows3, Rows4, SCORES, TOUCHED, kindOf, numberOf,
} from './scratch';

/** o [8] = fade o + gain (a, b). */
@inline function joinInts(a: v128, b: v128, row: usize, o: usize): void {
  const fade = v128.load32_splat(row, FADE), gain = v128.load32_splat(row, GAIN);
  v128.store(o, madd(f32x4.convert_i32x4_s(a), gain, f32x4.mul(fade, v128.load(o))));
  v128.store(o, madd(f32x4.convert_i32x4_s(b), gain, f32x4.mul(fade, v128.load(o, 16))), 16);
}

@inline function joinFloats(a: v128, b: v128, row: usize, o: usize): void {
  const fade = v128.load32_splat(row, FADE);
  v128.store(o, madd(fade, v128.load(o), a));
  v128.store(o, madd(fade, v128.load(o, 16), b), 16);
}

function ints<R>(
  tile: usize, values: usize, stride: usize, headDim: i32, count: i32, o0: usize, o1: usize, o2: usize, o3: usize, ahead: usize,
): void {
  const wEnd = tile + SCORES + (<usize>count << 1);
  let touched = i32x4.splat(0);
  for (let d: usize = 0, end = <usize>headDim << 2; d < end; d += numberOf<R>() < 3 ? 64 : 32) {
    let v = values + (d >> 6) * stride + (numberOf<R>() < 3 ? 0 : (d & 32) >> 1);
    let a0 = i32x4.splat(0), b0 = a0, a1 = a0, b1 = a0, a2 = a0, b2 = a0, a3 = a0, b3 = a0;
    for (let w = tile + SCORES; w < wEnd;) {
      touched = v128.or(touched, v128.load(ahead));
      if (numberOf<R>() < 3) touched = v128.or(touched, v128.load(ahead, 64));
      ahead += numberOf<R>() < 3 ? 128 : 64;
      for (const eight = w + 16; w < eight; w += 4, v += 32) {
        const x = v128.load8x8_s(v), y = v128.load8x8_s(v, 8), w0 = v128.load32_splat(w);
        a0 = i32x4.add(a0, i32x4.dot_i16x8_s(x, w0));
        b0 = i32x4.add(b0, i32x4.dot_i16x8_s(y, w0));
        if (numberOf<R>() < 3) { // a2 .. b3: the other 8 dimensions of rows 0 and 1
          const z = v128.load8x8_s(v, 16), u = v128.load8x8_s(v, 24);
          a2 = i32x4.add(a2, i32x4.dot_i16x8_s(z, w0));
          b2 = i32x4.add(b2, i32x4.dot_i16x8_s(u, w0));
          if (numberOf<R>() > 1) {
            const w1 = v128.load32_splat(w, ROW);
            a1 = i32x4.add(a1, i32x4.dot_i16x8_s(x, w1));
            b1 = i32x4.add(b1, i32x4.dot_i16x8_s(y, w1));
            a3 = i32x4.add(a3, i32x4.dot_i16x8_s(z, w1));
            b3 = i32x4.add(b3, i32x4.dot_i16x8_s(u, w1));
          }
        } else {
          const w1 = v128.load32_splat(w, ROW), w2 = v128.load32_splat(w, 2 * ROW);
          a1 = i32x4.add(a1, i32x4.dot_i16x8_s(x, w1));
          b1 = i32x4.add(b1, i32x4.dot_i16x8_s(y, w1));
          a2 = i32x4.add(a2, i32x4.dot_i16x8_s(x, w2));
          b2 = i32x4.add(b2, i32x4.dot_i16x8_s(y, w2));
          if (numberOf<R>() > 3) {
            const w3 = v128.load32_splat(w, 3 * ROW);
            a3 = i32x4.add(a3, i32x4.dot_i16x8_s(x, w3));
            b3 = i32x4.add(b3, i32x4.dot_i16x8_s(y, w3));
          }
        }
      }
    }
    joinInts(a0, b0, tile, o0 + d);
    if (numberOf<R>() > 1) joinInts(a1, b1, tile + ROW, o1 + d);
    if (numberOf<R>() < 3) {
      joinInts(a2, b2, tile, o0 + d + 32);
      if (numberOf<R>() > 1) joinInts(a3, b3, tile + ROW, o1 + d + 32);
    } else {
      joinInts(a2, b2, tile + 2 * ROW, o2 + d);
      if (numberOf<R>() > 3) joinInts(a3, b3, tile + 3 * ROW, o3 + d);
    }
  }
  v128.store(tile, touched, TOUCHED); // or the loads would be left out
}

/** Whether 16 dimensions are summed at once. */
@inline function wide<K, R>(): bool { return numberOf<R>() < (kindOf<K>() == KvKind.f16 ? 2 : 3); }

function floats<K, R>(
  tile: usize, values: usize, stride: usize, headDim: i32, count: i32, o0: usize, o1: usize, o2: usize, o3: usize,
): void {
  const wEnd = tile + SCORES + (<usize>count << 2), c: usize = kindOf<K>() == KvKind.f32 ? 4 : 2;
  for (let d: usize = 0, end = <usize>headDim << 2; d < end; d += wide<K, R>() ? 64 : 32) {
    let v = values + (d >> 6) * stride + (wide<K, R>() ? 0 : ((d & 32) >> 2) * c);
    let a0 = f32x4.splat(0), b0 = a0, a1 = a0, b1 = a0, a2 = a0, b2 = a0, a3 = a0, b3 = a0;
    for (let w = tile + SCORES; w < wEnd; w += 4, v += 16 * c) {
      const x = cells4<K>(v), y = cells4<K>(v + 4 * c), w0 = v128.load32_splat(w);
      a0 = madd(x, w0, a0);
      b0 = madd(y, w0, b0);
      if (wide<K, R>()) {
        const z = cells4<K>(v + 8 * c), u = cells4<K>(v + 12 * c);
        a2 = madd(z, w0, a2);
        b2 = madd(u, w0, b2);
        if (numberOf<R>() > 1) {
          const w1 = v128.load32_splat(w, ROW);
          a1 = madd(x, w1, a1);
          b1 = madd(y, w1, b1);
          a3 = madd(z, w1, a3);
          b3 = madd(u, w1, b3);
        }
      } else {
        const w1 = v128.load32_splat(w, ROW);
        a1 = madd(x, w1, a1);
        b1 = madd(y, w1, b1);
        if (numberOf<R>() > 2) {
          const w2 = v128.load32_splat(w, 2 * ROW);
          a2 = madd(x, w2, a2);
          b2 = madd(y, w2, b2);
        }
        if (numberOf<R>() > 3) {
          const w3 = v128.load32_splat(w, 3 * ROW);
          a3 = madd(x, w3, a3);
          b3 = madd(y, w3, b3);
        }
      }
    }
    joinFloats(a0, b0, tile, o0 + d);
    if (numberOf<R>() > 1) joinFloats(a1, b1, tile + ROW, o1 + d);
    if (wide<K, R>()) {
      joinFloats(a2, b2, tile, o0 + d + 32);
      if (numberOf<R>() > 1) joinFloats(a3, b3, tile + ROW, o1 + d + 32);
    } else {
      if (numberOf<R>() > 2) joinFloats(a2, b2, tile + 2 * ROW, o2 + d);
      if (numberOf<R>() > 3) joinFloats(a3, b3, tile + 3 * ROW, o3 + d);
    }
  }
}

@inline function floatsOf<K>(
  rows: i32, tile: usize, values: usize, stride: usize, headDim: i32, count: i32, o0: usize, o1: usize, o2: usize, o3: usize,
): void {
  if (kindOf<K>() == KvKind.f16 && rows == 3) floats<K, Rows3>(tile, values, stride, headDim, count, o0, o1, o2, o3);
  else if (rows == 2) floats<K, Rows2>(tile, values, stride, headDim, count, o0, o1, o2, o3);
  else floats<K, Rows1>(tile, values, stride, headDim, count, o0, o1, o2, o3);
}

/**
 * Each row's output o [headDim] fades and takes in `count` positions, of q8 a multiple of 8. `values`: those of the first position,
 * `stride` bytes from 16 dimensions to the next 16. `ahead`: of q8 the keys that are read next, as many; a load from each of their lines
 * has them on their way while values are mixed.
 */
export function mix(
  kind: i32, rows: i32, tile: usize, values: usize, stride: usize, headDim: i32, count: i32, o0: usize, o1: usize, o2: usize, o3: usize,
  ahead: usize,
): void {
  if (kind == KvKind.f32) floatsOf<CellsF32>(rows, tile, values, stride, headDim, count, o0, o1, o2, o3);
  else if (kind == KvKind.f16) floatsOf<CellsF16>(rows, tile, values, stride, headDim, count, o0, o1, o2, o3);
  else if (rows == 4) ints<Rows4>(tile, values, stride, headDim, count, o0, o1, o2, o3, ahead);
  else if (rows == 3) ints<Rows3>(tile, values, stride, headDim, count, o0, o1, o2, o3, ahead);
  else if (rows == 2) ints<Rows2>(tile, values, stride, headDim, count, o0, o1, o2, o3, ahead);
  else ints<Rows1>(tile, values, stride, headDim, count, o0, o1, o2, o3, ahead);
}
