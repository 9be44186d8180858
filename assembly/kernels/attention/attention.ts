/**
 * Attention of one query position over the cache (arXiv 1706.03762), heads grouped over fewer key/value heads (arXiv 2305.13245):
 *   out_h = sum_t softmax_t(scale * q_h . k_t) v_t,   t = first .. nPositions - 1,   scores bent to stay within `cap` where it is not 0
 * q, out [heads, headDim] f32. The cache is laid out so that neither product sums across lanes (cache.ts).
 * q8: q goes to i16 (scale amax / 32767, |q . k| <= headDim * 127 * 32767 < 2^31 up to headDim 512); probabilities times the values' scales
 * go to i16 per stretch of 256 positions (256 * 127 * 32767 < 2^31). Both sums are exact integers; error that of the 8-bit cache.
 * Test: test/kernels/attention.test.ts.
 */
import { KvKind } from '../../abi/enums';
import { exp4 } from '../../base/exp';
import { half4Exact, hmax, hsum, madd } from '../../base/simd';
import { softCap } from '../activation/activation';
import { headBytes } from './kv';

const STRETCH: i32 = 256;

/** q [headDim] f32 → i16 at `dst`; returns the scale. */
@inline function queryToI16(q: usize, headDim: i32, dst: usize): f32 {
  let m = f32x4.splat(0);
  const end = q + (<usize>headDim << 2);
  for (let p = q; p < end; p += 16) m = f32x4.max(m, f32x4.abs(v128.load(p)));
  const amax = hmax(m);
  const live = amax > 1e-30;
  const inverse = f32x4.splat(live ? <f32>32767 / amax : 0);
  for (let p = q; p < end; p += 32, dst += 16) {
    const a = i32x4.trunc_sat_f32x4_s(f32x4.nearest(f32x4.mul(v128.load(p), inverse)));
    const b = i32x4.trunc_sat_f32x4_s(f32x4.nearest(f32x4.mul(v128.load(p, 16), inverse)));
    v128.store(dst, i16x8.narrow_i32x4_s(a, b));
  }
  return live ? amax / 32767 : 0;
}

@inline function scoresQ8(q16: usize, factor: f32, keys: usize, scales: usize, headDim: i32, nPositions: i32, scores: usize): void {
  const f = f32x4.splat(factor);
  const qEnd = q16 + (<usize>headDim << 1);
  for (const end = scores + (<usize>nPositions << 2); scores < end; scores += 32, scales += 32) {
    let a0 = i32x4.splat(0), a1 = a0, b0 = a0, b1 = a0;
    for (let q = q16; q < qEnd; q += 8, keys += 32) {
      const even = v128.load32_splat(q), odd = v128.load32_splat(q, 4);
      a0 = i32x4.add(a0, i32x4.dot_i16x8_s(v128.load8x8_s(keys), even));
      a1 = i32x4.add(a1, i32x4.dot_i16x8_s(v128.load8x8_s(keys, 8), even));
      b0 = i32x4.add(b0, i32x4.dot_i16x8_s(v128.load8x8_s(keys, 16), odd));
      b1 = i32x4.add(b1, i32x4.dot_i16x8_s(v128.load8x8_s(keys, 24), odd));
    }
    v128.store(scores, f32x4.mul(f32x4.convert_i32x4_s(i32x4.add(a0, b0)), f32x4.mul(f, v128.load(scales))));
    v128.store(scores, f32x4.mul(f32x4.convert_i32x4_s(i32x4.add(a1, b1)), f32x4.mul(f, v128.load(scales, 16))), 16);
  }
}

@inline function cells4(kind: i32, p: usize): v128 { return kind == KvKind.f32 ? v128.load(p) : half4Exact(p); }
@inline function cellBytes(kind: i32): usize { return kind == KvKind.f32 ? 4 : 2; }

@inline function scoresFloat(kind: i32, q0: usize, factor: f32, keys: usize, headDim: i32, nPositions: i32, scores: usize): void {
  const f = f32x4.splat(factor), b = cellBytes(kind);
  const qEnd = q0 + (<usize>headDim << 2);
  for (const end = scores + (<usize>nPositions << 2); scores < end; scores += 32) {
    let a0 = f32x4.splat(0), a1 = a0, c0 = a0, c1 = a0;
    for (let q = q0; q < qEnd; q += 8, keys += 16 * b) {
      const even = v128.load32_splat(q), odd = v128.load32_splat(q, 4);
      a0 = madd(cells4(kind, keys), even, a0);
      a1 = madd(cells4(kind, keys + 4 * b), even, a1);
      c0 = madd(cells4(kind, keys + 8 * b), odd, c0);
      c1 = madd(cells4(kind, keys + 12 * b), odd, c1);
    }
    v128.store(scores, f32x4.mul(f32x4.add(a0, c0), f));
    v128.store(scores, f32x4.mul(f32x4.add(a1, c1), f), 16);
  }
}

/** Scores → e^(score - max), the padding up to a multiple of 8 set to 0; returns their sum. */
@inline export function softmax(scores: usize, nPositions: i32): f32 {
  const padEnd = scores + (<usize>((nPositions + 7) & ~7) << 2);
  for (let p = scores + (<usize>nPositions << 2); p < padEnd; p += 4) store<f32>(p, -Infinity);
  let m = f32x4.splat(-Infinity);
  for (let p = scores; p < padEnd; p += 16) m = f32x4.max(m, v128.load(p));
  const offset = f32x4.splat(hmax(m)), floor = f32x4.splat(-87);
  let sum = f32x4.splat(0);
  for (let p = scores; p < padEnd; p += 16) {
    const x = f32x4.sub(v128.load(p), offset);
    const e = v128.andnot(exp4(x), f32x4.lt(x, floor));
    v128.store(p, e);
    sum = f32x4.add(sum, e);
  }
  return hsum(sum);
}

@inline function mixFloat(
  kind: i32, weights: usize, norm: f32, values: usize, headDim: i32, capacity: i32, nPositions: i32, out: usize,
): void {
  const b = cellBytes(kind), n = f32x4.splat(norm);
  const even = weights + (<usize>(nPositions & ~1) << 2);
  for (const end = out + (<usize>headDim << 2); out < end; out += 64) {
    let a0 = f32x4.splat(0), a1 = a0, a2 = a0, a3 = a0, c0 = a0, c1 = a0, c2 = a0, c3 = a0;
    let v = values, w = weights;
    for (; w < even; w += 8, v += 32 * b) {
      const s = v128.load32_splat(w), t = v128.load32_splat(w, 4);
      a0 = madd(cells4(kind, v), s, a0); a1 = madd(cells4(kind, v + 4 * b), s, a1);
      a2 = madd(cells4(kind, v + 8 * b), s, a2); a3 = madd(cells4(kind, v + 12 * b), s, a3);
      c0 = madd(cells4(kind, v + 16 * b), t, c0); c1 = madd(cells4(kind, v + 20 * b), t, c1);
      c2 = madd(cells4(kind, v + 24 * b), t, c2); c3 = madd(cells4(kind, v + 28 * b), t, c3);
    }
    if (nPositions & 1) {
      const s = v128.load32_splat(w);
      a0 = madd(cells4(kind, v), s, a0); a1 = madd(cells4(kind, v + 4 * b), s, a1);
      a2 = madd(cells4(kind, v + 8 * b), s, a2); a3 = madd(cells4(kind, v + 12 * b), s, a3);
    }
    v128.store(out, f32x4.mul(f32x4.add(a0, c0), n)); v128.store(out, f32x4.mul(f32x4.add(a1, c1), n), 16);
    v128.store(out, f32x4.mul(f32x4.add(a2, c2), n), 32); v128.store(out, f32x4.mul(f32x4.add(a3, c3), n), 48);
    values += (<usize>capacity << 4) * b;
  }
}

/** Weights of one stretch times the values' scales → i16 pairs at `dst`; returns the scale of the integers. `count` a multiple of 8. */
@inline function weightsToI16(weights: usize, scales: usize, count: i32, dst: usize): f32 {
  let m = f32x4.splat(0);
  const bytes = <usize>count << 2;
  for (let i: usize = 0; i < bytes; i += 16) m = f32x4.pmax(m, f32x4.mul(v128.load(weights + i), v128.load(scales + i)));
  const amax = hmax(m);
  const live = amax > 1e-30;
  const inverse = f32x4.splat(live ? <f32>32767 / amax : 0);
  for (let i: usize = 0; i < bytes; i += 32, dst += 16) {
    const a = f32x4.mul(f32x4.mul(v128.load(weights + i), v128.load(scales + i)), inverse);
    const b = f32x4.mul(f32x4.mul(v128.load(weights + i, 16), v128.load(scales + i, 16)), inverse);
    v128.store(dst, i16x8.narrow_i32x4_s(i32x4.trunc_sat_f32x4_s(f32x4.nearest(a)), i32x4.trunc_sat_f32x4_s(f32x4.nearest(b))));
  }
  return live ? amax / 32767 : 0;
}

@inline function mixQ8(
  weights: usize, norm: f32, values: usize, scales: usize, headDim: i32, capacity: i32, nPositions: i32, scratch: usize, out: usize,
): void {
  for (let p = out, end = out + (<usize>headDim << 2); p < end; p += 16) v128.store(p, f32x4.splat(0));
  for (let first = 0; first < nPositions; first += STRETCH) {
    const count = (min(STRETCH, nPositions - first) + 7) & ~7;
    const at = <usize>first << 2;
    const factor = f32x4.splat(weightsToI16(weights + at, scales + at, count, scratch) * norm);
    const wEnd = scratch + (<usize>count << 1);
    let tile = values + (<usize>first << 4);
    for (let o = out, end = out + (<usize>headDim << 2); o < end; o += 64, tile += <usize>capacity << 4) {
      let a0 = i32x4.splat(0), a1 = a0, a2 = a0, a3 = a0;
      let v = tile;
      for (let w = scratch; w < wEnd; w += 4, v += 32) {
        const pair = v128.load32_splat(w);
        a0 = i32x4.add(a0, i32x4.dot_i16x8_s(v128.load8x8_s(v), pair));
        a1 = i32x4.add(a1, i32x4.dot_i16x8_s(v128.load8x8_s(v, 8), pair));
        a2 = i32x4.add(a2, i32x4.dot_i16x8_s(v128.load8x8_s(v, 16), pair));
        a3 = i32x4.add(a3, i32x4.dot_i16x8_s(v128.load8x8_s(v, 24), pair));
      }
      v128.store(o, madd(f32x4.convert_i32x4_s(a0), factor, v128.load(o)));
      v128.store(o, madd(f32x4.convert_i32x4_s(a1), factor, v128.load(o, 16)), 16);
      v128.store(o, madd(f32x4.convert_i32x4_s(a2), factor, v128.load(o, 32)), 32);
      v128.store(o, madd(f32x4.convert_i32x4_s(a3), factor, v128.load(o, 48)), 48);
    }
  }
}

/** Cells are read from the group of 8 positions that `first` is in; those before it get no weight. */
@inline function attendOf(
  kind: i32, q: usize, keys: usize, values: usize, heads: i32, kvHeads: i32, headDim: i32, capacity: i32, first: i32, nPositions: i32,
  scale: f32, cap: f32, scores: usize, out: usize,
): void {
  const perKv = heads / kvHeads, bytes = headBytes(kind, headDim, capacity), cell: usize = kind == KvKind.q8 ? 1 : cellBytes(kind);
  const scratch = scores + (<usize>capacity << 2), begin = <usize>(first & ~7), n = nPositions - <i32>begin;
  const before = scores + (<usize>(first & 7) << 2);
  const cells = <usize>headDim * <usize>capacity, scalesAt = cells + (begin << 2);
  for (let h = 0; h < heads; h++) {
    const at = <usize>(h / perKv) * bytes, k = keys + at + begin * <usize>headDim * cell, v = values + at + (begin << 4) * cell;
    if (kind == KvKind.q8) scoresQ8(scratch, queryToI16(q, headDim, scratch) * scale, k, keys + at + scalesAt, headDim, n, scores);
    else scoresFloat(kind, q, scale, k, headDim, n, scores);
    if (cap) softCap(scores, cap, n);
    for (let p = scores; p < before; p += 4) store<f32>(p, -Infinity);
    const norm = <f32>1 / softmax(scores, n);
    if (kind == KvKind.q8) mixQ8(scores, norm, v, values + at + scalesAt, headDim, capacity, n, scratch, out);
    else mixFloat(kind, scores, norm, v, headDim, capacity, n, out);
    q += <usize>headDim << 2;
    out += <usize>headDim << 2;
  }
}

/**
 * `first`: the first position that is seen. `scores`: scratch of 8 * capacity bytes, at least 1,024 + 4 * capacity. Entries of the cache
 * behind nPositions may hold anything but NaN scales.
 */
export function attend(
  kind: i32, q: usize, keys: usize, values: usize, heads: i32, kvHeads: i32, headDim: i32, capacity: i32, first: i32, nPositions: i32,
  scale: f32, cap: f32, scores: usize, out: usize,
): void {
  if (kind == KvKind.f32) {
    attendOf(KvKind.f32, q, keys, values, heads, kvHeads, headDim, capacity, first, nPositions, scale, cap, scores, out);
  } else if (kind == KvKind.f16) {
    attendOf(KvKind.f16, q, keys, values, heads, kvHeads, headDim, capacity, first, nPositions, scale, cap, scores, out);
  } else attendOf(KvKind.q8, q, keys, values, heads, kvHeads, headDim, capacity, first, nPositions, scale, cap, scores, out);
}
