/**
 * kernels/matmul for a few tokens: kernels/matvec for two tokens at once. A vector of weights is loaded and unpacked once for
 * both, in registers; nothing of it is written and read again, which for a few tokens costs more than it saves. A group of 8 rows meets
 * all pairs before the next; an odd token is kernels/matvec's own, and so is each of two where a layout has no such products.
 *
 * Micro-operations a block of 8 rows and a pair (q4_1, relaxed): 24 to unpack, 32 products, 32 additions, 12 for scales and 20 at the end,
 * on the four vector pipes: 120, 30 cycles; with 8 loads of weights, 16 of x, branches, addresses 213: 36 cycles at 6 a cycle.
 * Measured: 1.6 to 1.9 times the time of one token from the cache, where what is made ready takes 2.4 to 3.1. Four tokens at once would
 * share more, but have no registers left: V8 spills, and they are slower than two pairs.
 * Steps stand between branches that are never taken, as in kernels/matvec.
 * Test: test/kernels/matmul.test.ts.
 */
import { madd, mask000f, mask00f0, mask00ff, mask0f00, nibbleMask, ones16, times32 } from '../../base/simd';
import { groupBytes, isBytes, isFloat, isHalf, isNibbles, isPacked, isSuper, quantsIn, the, unitBytes } from '../../layouts/kinds';
import { matvec } from '../matvec/matvec';
import { firstTwice, lastTwice, narrowStart, part } from '../matvec/superSums';
import { recordData, recordStride } from '../quantize/quantize';
import { BLOCK_SUMS, STARTS, superData, superStride } from '../quantize/superblocks';
import { isNarrow } from './ready';

/** Whether pairs are multiplied at once: blocks of nibbles and bytes; superblocks of 4 and 6 bits where bytes have products. */
@inline function hasPairs<L>(): bool {
  if (isSuper<L>()) return isNarrow<L>() && (isNibbles<L>() || isPacked<L>() && the<L>().bits == 6);
  return isNibbles<L>() || isBytes<L>();
}

/** The most tokens that are quicker in pairs, or one by one, than by tiles. */
@inline export function fewTokens<L>(): usize {
  if (hasPairs<L>()) return isPacked<L>() ? 3 : 7;
  return isFloat<L>() && !isHalf<L>() ? 1 : 2;
}

/** Nibbles that are multiplied where they are, by x that makes up for it. */
@inline function inPlace<L>(): bool { return isNibbles<L>() && !isNarrow<L>(); }

/** a + products of 4 rows: of bytes, sums of pairs in i16; of pairs of i16. */
@inline function plus<L>(a: v128, x: v128, v: v128): v128 {
  return isNarrow<L>() ? i16x8.add(a, i16x8.relaxed_dot_i8x16_i7x16_s(x, v)) : i32x4.add(a, i32x4.dot_i16x8_s(v, x));
}

/** Columns 4i .. 4i + 3 (i a literal) of half a block of x at q: all of them, or (wide) the first word; and the second. */
@inline function first<L>(q: usize, i: usize): v128 {
  if (isNarrow<L>()) {
    return i > 1 ? i > 2 ? v128.load32_splat(q, 12) : v128.load32_splat(q, 8) : i ? v128.load32_splat(q, 4) : v128.load32_splat(q);
  }
  return i > 1 ? i > 2 ? v128.load32_splat(q, 24) : v128.load32_splat(q, 16) : i ? v128.load32_splat(q, 8) : v128.load32_splat(q);
}
@inline function second<L>(q: usize, i: usize): v128 {
  return i > 1 ? i > 2 ? v128.load32_splat(q, 28) : v128.load32_splat(q, 20) : i ? v128.load32_splat(q, 12) : v128.load32_splat(q, 4);
}

/** Where sums begin; `tail` are a token's constants, `starts` (superblocks) a half's among them. */
@inline function begin<L>(tail: usize, starts: usize): v128 {
  if (isPacked<L>()) return narrowStart<L>(tail + starts);
  if (isBytes<L>()) return i32x4.add(v128.load32_splat(tail, 16), v128.load32_splat(tail, 20));
  if (isSuper<L>() || !the<L>().middle) return i32x4.splat(0);
  return isNarrow<L>() ? v128.load32_splat(tail, 20) : v128.load32_splat(tail, 16);
}

/** f + a block's term; d and m the scales and minima of its rows. */
@inline function term<L>(f: v128, a: v128, d: v128, m: v128, tail: usize): v128 {
  const sums = isNarrow<L>() ? i32x4.dot_i16x8_s(a, ones16()) : a, g = the<L>().mins ? madd(v128.load32_splat(tail, 12), m, f) : f;
  return madd(f32x4.convert_i32x4_s(sums), f32x4.mul(v128.load32_splat(tail, 4), d), g);
}

/** m + a token's sums over blocks 2i and 2i + 1 times their minima. */
@inline function plusMin(m: v128, sums: usize, minima: v128): v128 {
  return i32x4.add(m, i32x4.dot_i16x8_s(minima, v128.load32_splat(sums, BLOCK_SUMS)));
}

/** 8 rows at w times two tokens, x of the second `xStride` behind the first. */
function pair<L>(w: usize, cols: usize, x: usize, xStride: usize, y: usize, yStride: usize): void {
  const low = isNibbles<L>() ? inPlace<L>() ? mask000f() : nibbleMask() : isPacked<L>() ? the<L>().mask : mask00ff();
  const bytes = mask00ff();
  const l1 = inPlace<L>() ? mask00f0() : low, l2 = inPlace<L>() ? mask0f00() : low, third = isPacked<L>() ? the<L>().third : low;
  const data = isSuper<L>() ? superData() : recordData<L>(), stride = isSuper<L>() ? superStride() : recordStride<L>();
  const half: usize = isNarrow<L>() ? 16 : 32;
  let f0 = f32x4.splat(0), f1 = f0, g0 = f0, g1 = f0;
  for (const end = x + (isSuper<L>() ? cols >> 8 : cols >> 5) * stride; x < end; x += stride - data, w += unitBytes<L>()) {
    const tail = x + data, table = isPacked<L>() ? the<L>().table(w) : low;
    let p = isSuper<L>() ? w + quantsIn<L>() : w, starts = STARTS;
    let a0 = i32x4.splat(0), a1 = a0, b0 = a0, b1 = a0, s0 = a0, s1 = a0, t0 = a0, t1 = a0;
    for (let h: usize = 0; ; h++, starts += 4) { // once, where blocks stand alone
      a0 = begin<L>(tail, starts); b0 = begin<L>(tail + xStride, starts);
      a1 = a0; b1 = b0;
      for (const stop = p + the<L>().quantBytes; ; ) {
        const z = x + xStride;
        do {
          if (isPacked<L>()) {
            let v0 = part<L>(0, p, 0), v1 = part<L>(0, p, 1), v2 = part<L>(0, p, 2), v3 = part<L>(0, p, 3);
            let v4 = part<L>(0, p, 4), v5 = part<L>(0, p, 5), v = the<L>().vector(0, 0, v0, v1, v2, v3, v4, v5, low, table, third);
            a0 = plus<L>(a0, first<L>(x, 0), v); b0 = plus<L>(b0, first<L>(z, 0), v);
            v = the<L>().vector(0, 1, v0, v1, v2, v3, v4, v5, low, table, third);
            a0 = plus<L>(a0, first<L>(x, 1), v); b0 = plus<L>(b0, first<L>(z, 1), v);
            if (w == 0) break;
            v = the<L>().vector(0, 2, v0, v1, v2, v3, v4, v5, low, table, third);
            a0 = plus<L>(a0, first<L>(x, 2), v); b0 = plus<L>(b0, first<L>(z, 2), v);
            v = the<L>().vector(0, 3, v0, v1, v2, v3, v4, v5, low, table, third);
            a0 = plus<L>(a0, first<L>(x, 3), v); b0 = plus<L>(b0, first<L>(z, 3), v);
            if (x == 0) break;
            v0 = part<L>(1, p, 0); v1 = part<L>(1, p, 1); v2 = part<L>(1, p, 2); v3 = part<L>(1, p, 3);
            v4 = part<L>(1, p, 4); v5 = part<L>(1, p, 5); v = the<L>().vector(1, 0, v0, v1, v2, v3, v4, v5, low, table, third);
            a1 = plus<L>(a1, first<L>(x, 0), v); b1 = plus<L>(b1, first<L>(z, 0), v);
            v = the<L>().vector(1, 1, v0, v1, v2, v3, v4, v5, low, table, third);
            a1 = plus<L>(a1, first<L>(x, 1), v); b1 = plus<L>(b1, first<L>(z, 1), v);
            if (p == 0) break;
            v = the<L>().vector(1, 2, v0, v1, v2, v3, v4, v5, low, table, third);
            a1 = plus<L>(a1, first<L>(x, 2), v); b1 = plus<L>(b1, first<L>(z, 2), v);
            v = the<L>().vector(1, 3, v0, v1, v2, v3, v4, v5, low, table, third);
            a1 = plus<L>(a1, first<L>(x, 3), v); b1 = plus<L>(b1, first<L>(z, 3), v);
          } else {
            let v = v128.load(p), u = v128.load(p, 16), i = v128.and(v, low), j = v128.and(u, low), q = first<L>(x, 0), r = first<L>(z, 0);
            if (isBytes<L>()) { i = v; j = u; }
            a0 = plus<L>(a0, q, i); b0 = plus<L>(b0, r, i); a1 = plus<L>(a1, q, j); b1 = plus<L>(b1, r, j);
            if (w == 0) break;
            if (!isNarrow<L>()) {
              i = inPlace<L>() ? v128.and(v, l1) : v128.and(i, bytes); j = inPlace<L>() ? v128.and(u, l1) : v128.and(j, bytes);
              q = second<L>(x, 0); r = second<L>(z, 0);
              a0 = plus<L>(a0, q, i); b0 = plus<L>(b0, r, i); a1 = plus<L>(a1, q, j); b1 = plus<L>(b1, r, j);
              if (x == 0) break;
            }
            q = first<L>(x, 1); r = first<L>(z, 1);
            if (isBytes<L>()) { v = v128.load(p, 32); u = v128.load(p, 48); i = v; j = u; }
            else if (inPlace<L>()) { i = v128.and(v, l2); j = v128.and(u, l2); }
            else { i = v128.and(i16x8.shr_u(v, 4), low); j = v128.and(i16x8.shr_u(u, 4), low); }
            a0 = plus<L>(a0, q, i); b0 = plus<L>(b0, r, i); a1 = plus<L>(a1, q, j); b1 = plus<L>(b1, r, j);
            if (y == 0) break;
            if (!isNarrow<L>()) {
              i = inPlace<L>() ? i16x8.shr_u(v, 12) : v128.and(i, bytes); j = inPlace<L>() ? i16x8.shr_u(u, 12) : v128.and(j, bytes);
              q = second<L>(x, 1); r = second<L>(z, 1);
              a0 = plus<L>(a0, q, i); b0 = plus<L>(b0, r, i); a1 = plus<L>(a1, q, j); b1 = plus<L>(b1, r, j);
              if (p == 0) break;
            }
            q = first<L>(x, 2); r = first<L>(z, 2);
            if (isBytes<L>()) { v = v128.load(p, 64); u = v128.load(p, 80); i = v; j = u; }
            else { v = v128.load(p, 32); u = v128.load(p, 48); i = v128.and(v, low); j = v128.and(u, low); }
            a0 = plus<L>(a0, q, i); b0 = plus<L>(b0, r, i); a1 = plus<L>(a1, q, j); b1 = plus<L>(b1, r, j);
            if (tail == 0) break;
            if (!isNarrow<L>()) {
              i = inPlace<L>() ? v128.and(v, l1) : v128.and(i, bytes); j = inPlace<L>() ? v128.and(u, l1) : v128.and(j, bytes);
              q = second<L>(x, 2); r = second<L>(z, 2);
              a0 = plus<L>(a0, q, i); b0 = plus<L>(b0, r, i); a1 = plus<L>(a1, q, j); b1 = plus<L>(b1, r, j);
              if (end == 0) break;
            }
            q = first<L>(x, 3); r = first<L>(z, 3);
            if (isBytes<L>()) { v = v128.load(p, 96); u = v128.load(p, 112); i = v; j = u; }
            else if (inPlace<L>()) { i = v128.and(v, l2); j = v128.and(u, l2); }
            else { i = v128.and(i16x8.shr_u(v, 4), low); j = v128.and(i16x8.shr_u(u, 4), low); }
            a0 = plus<L>(a0, q, i); b0 = plus<L>(b0, r, i); a1 = plus<L>(a1, q, j); b1 = plus<L>(b1, r, j);
            if (!isNarrow<L>()) {
              if (stop == 0) break;
              i = inPlace<L>() ? i16x8.shr_u(v, 12) : v128.and(i, bytes); j = inPlace<L>() ? i16x8.shr_u(u, 12) : v128.and(j, bytes);
              q = second<L>(x, 3); r = second<L>(z, 3);
              a0 = plus<L>(a0, q, i); b0 = plus<L>(b0, r, i); a1 = plus<L>(a1, q, j); b1 = plus<L>(b1, r, j);
            }
          }
        } while (false);
        p += the<L>().quantBytes >> 1; x += half;
        if (the<L>().halves || p >= stop) break;
      }
      if (isSuper<L>()) {
        const k = the<L>().scales(w + (h << 3)), k0 = firstTwice(k), k1 = lastTwice(k);
        s0 = i32x4.add(s0, i32x4.dot_i16x8_s(a0, k0)); t0 = i32x4.add(t0, i32x4.dot_i16x8_s(b0, k0));
        s1 = i32x4.add(s1, i32x4.dot_i16x8_s(a1, k1)); t1 = i32x4.add(t1, i32x4.dot_i16x8_s(b1, k1));
      }
      if (!isSuper<L>() || h == (the<L>().halves ? 15 : 7)) break;
    }
    const tail2 = tail + xStride;
    if (isSuper<L>()) {
      let m0 = i32x4.splat(0), m1 = m0, n0 = m0, n1 = m0;
      if (the<L>().mins) {
        for (let i: usize = 0; i < 4; i++) {
          const near = the<L>().minima(w, i, 0), far = the<L>().minima(w, i, 1), sums = tail + (i << 2), sums2 = sums + xStride;
          m0 = plusMin(m0, sums, near); m1 = plusMin(m1, sums, far);
          n0 = plusMin(n0, sums2, near); n1 = plusMin(n1, sums2, far);
        }
      }
      const factors = w + the<L>().scaleBytes, c = v128.load32_splat(tail), d = v128.load32_splat(tail2);
      f0 = the<L>().close(factors, 0, s0, m0, c, f0); g0 = the<L>().close(factors, 0, t0, n0, d, g0);
      f1 = the<L>().close(factors, 1, s1, m1, c, f1); g1 = the<L>().close(factors, 1, t1, n1, d, g1);
    } else {
      const d0 = the<L>().scale4(w, 0), d1 = the<L>().scale4(w, 1);
      const m0 = the<L>().mins ? the<L>().shift4(w, 0) : d0, m1 = the<L>().mins ? the<L>().shift4(w, 1) : d1;
      f0 = term<L>(f0, a0, d0, m0, tail); f1 = term<L>(f1, a1, d1, m1, tail);
      g0 = term<L>(g0, b0, d0, m0, tail2); g1 = term<L>(g1, b1, d1, m1, tail2);
    }
  }
  if (!isSuper<L>()) { f0 = times32(f0); f1 = times32(f1); g0 = times32(g0); g1 = times32(g1); }
  v128.store(y, f0); v128.store(y, f1, 16);
  v128.store(y + yStride, g0); v128.store(y + yStride, g1, 16);
}

/** Each token by itself, group by group: its 8 rows are in the cache for the next. */
function singly(
  layout: i32, w: usize, groupStride: usize, groups: usize, cols: i32, x: usize, xStride: usize, nTokens: usize, y: usize, yStride: usize,
): void {
  for (const end = y + (groups << 5); y < end; y += 32, w += groupStride) {
    let p = x, at = y;
    for (let t: usize = 0; t < nTokens; t++, p += xStride, at += yStride) matvec(layout, w, 1, cols, p, at, 1);
  }
}

export function pairs<L>(w: usize, groups: usize, cols: usize, x: usize, xStride: usize, nTokens: usize, y: usize, yStride: usize): void {
  if (!hasPairs<L>()) { singly(the<L>().layout, w, groupBytes<L>(<i32>cols), groups, <i32>cols, x, xStride, nTokens, y, yStride); return; }
  for (const end = y + (groups << 5); y < end; y += 32, w += groupBytes<L>(<i32>cols)) {
    let p = x, at = y, left = nTokens;
    for (; left > 1; left -= 2, p += 2 * xStride, at += 2 * yStride) pair<L>(w, cols, p, xStride, at, yStride);
    if (left) matvec(the<L>().layout, w, 1, <i32>cols, p, at, 1);
  }
}
