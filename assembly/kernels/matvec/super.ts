/**
 * kernels/matvec for superblocks (layouts/kinds.ts). With one scale for 256 values of x (kernels/quantize/superblocks.ts), all that a
 * superblock adds up is integers, scales and minima too: per row the sum over its blocks of sc * sum(x (q - middle)), and of mn * sum(x).
 * They are exact in i32 and the same numbers in both builds, in whichever order; then `close` is all that is f32, once a superblock.
 *
 * relaxed: dot products of bytes in pairs of columns, sums of several in i16 (below); one i32x4.dot_i16x8_s with the scales, each twice,
 *   widens and scales them.
 *     4 bits, 5 bits and fewer  |q x| of 8 (4) pairs fits: 8 * 2 * 127 * 15, 4 * 2 * 127 * 31
 *     6 bits                    8 * 2 * 127 * 63 does not, but x (q - 32) does: sums start at -32 sum(x) and wrap until they are whole
 *     7 bits                    one pair; middle * sum(x) comes off at the end, as minima do
 *     8 bits                    signed bytes; x is parted into what is positive of it and negative, seven bits each
 * base: i16 products (dots.ts), 256 times too large; shifted back, and times the scales.
 * Test: test/kernels/matvec.test.ts.
 */
import { mask00ff, nibbleMask } from '../../base/simd';
import { isNibbles, quantsIn, the, unitBytes } from '../../layouts/kinds';
import { partOf } from '../../layouts/packed';
import { BLOCK_SUMS, EVEN_SUMS, HALF_SUMS, STARTS, superData, superStride } from '../quantize/superblocks';
import { addBytes, dotNibbles } from './dots';

/** The first (last) four i16 of v, twice each. */
@inline export function firstTwice(v: v128): v128 { return i16x8.shuffle(v, v, 0, 0, 1, 1, 2, 2, 3, 3); }
@inline export function lastTwice(v: v128): v128 { return i16x8.shuffle(v, v, 4, 4, 5, 5, 6, 6, 7, 7); }

/** base: sums and a block's sums times its scales, the first (last) four of k. */
@inline export function addFirst(sums: v128, a: v128, k: v128): v128 {
  return i32x4.add(sums, i32x4.mul(i32x4.shr_s(a, 8), i32x4.extend_low_i16x8_s(k)));
}
@inline export function addLast(sums: v128, a: v128, k: v128): v128 {
  return i32x4.add(sums, i32x4.mul(i32x4.shr_s(a, 8), i32x4.extend_high_i16x8_s(k)));
}

/** A superblock's sum of minima times sums of x, of 4 rows. */
@inline export function minSums<L>(scales: usize, tail: usize, set: usize): v128 {
  if (!hasMinima<L>()) return i32x4.splat(0);
  if (!the<L>().halves) return fourMinima<L>(scales, tail + BLOCK_SUMS, 0, set);
  return i32x4.add(fourMinima<L>(scales, tail + HALF_SUMS, 0, set), fourMinima<L>(scales, tail + HALF_SUMS + 16, 4, set));
}

@inline function minimum<L>(scales: usize, sums: usize, i: usize, set: usize): v128 {
  return i32x4.dot_i16x8_s(the<L>().minima(scales, i, set), v128.load32_splat(sums));
}

@inline function fourMinima<L>(scales: usize, sums: usize, i: usize, set: usize): v128 {
  const near = i32x4.add(minimum<L>(scales, sums, i, set), minimum<L>(scales, sums + 4, i + 1, set));
  return i32x4.add(near, i32x4.add(minimum<L>(scales, sums + 8, i + 2, set), minimum<L>(scales, sums + 12, i + 3, set)));
}

/** relaxed, 7 bits: the middle is a minimum. */
@inline function hasMinima<L>(): bool { return the<L>().mins || (ASC_FEATURE_RELAXED_SIMD && the<L>().bits == 7); }

/** relaxed: where the sums of half a block begin, `at` = its starts. */
@inline export function narrowStart<L>(at: usize): v128 {
  if (the<L>().middle == 32) return v128.load32_splat(at);
  if (the<L>().middle == 4) return i16x8.shr_s(v128.load32_splat(at), 3);
  return i32x4.splat(0);
}

/** base: the same. */
@inline export function wideStart<L>(at: usize): v128 {
  if (the<L>().middle == 32) return v128.load32_splat(at);
  if (the<L>().middle == 4) return i32x4.shr_s(v128.load32_splat(at), 3);
  if (the<L>().middle == 64) return i32x4.shl(v128.load32_splat(at), 1);
  return i32x4.splat(0);
}

@inline function dot(x: v128, v: v128): v128 { return i16x8.relaxed_dot_i8x16_i7x16_s(x, v); }

/** sums + a half's terms in four vectors, a..d x's columns, k its scales twice; quants of up to 7 bits. */
@inline function addNarrow<L>(sums: v128, start: v128, a: v128, b: v128, c: v128, d: v128, k: v128): v128 {
  if (the<L>().bits < 7) return i32x4.add(sums, i32x4.dot_i16x8_s(i16x8.add(i16x8.add(i16x8.add(start, a), b), i16x8.add(c, d)), k));
  const first = i32x4.add(i32x4.dot_i16x8_s(a, k), i32x4.dot_i16x8_s(b, k));
  return i32x4.add(sums, i32x4.add(first, i32x4.add(i32x4.dot_i16x8_s(c, k), i32x4.dot_i16x8_s(d, k))));
}

/** sums + the term of a vector of signed bytes; x is near - far. */
@inline function addSigned(sums: v128, v: v128, near: v128, far: v128, k: v128): v128 {
  return i32x4.add(sums, i32x4.dot_i16x8_s(i16x8.sub(dot(v, near), dot(v, far)), k));
}

/** f + a superblock's term for 4 rows. */
@inline function close<L>(w: usize, set: usize, sums: v128, tail: usize, f: v128): v128 {
  const mins = minSums<L>(w, tail, set);
  const whole = hasMinima<L>() && !the<L>().mins ? i32x4.sub(sums, i32x4.shl(mins, 6)) : sums;
  return the<L>().close(w + the<L>().scaleBytes, set, whole, mins, v128.load32_splat(tail), f);
}

function nibbles<L>(w: usize, groups: i32, cols: i32, x0: usize, y: usize): void {
  const low = nibbleMask(), xEnd = x0 + <usize>(cols >> 8) * superStride();
  for (const end = y + (<usize>groups << 5); y < end; y += 32) {
    let f0 = f32x4.splat(0), f1 = f0;
    for (let x = x0; x < xEnd; x += superStride(), w += unitBytes<L>()) {
      let s0 = i32x4.splat(0), s1 = s0, p = w + quantsIn<L>(), q = x;
      for (let s = w, last = s + 64; s < last; s += 8) {
        let a0 = i32x4.splat(0), a1 = a0;
        if (ASC_FEATURE_RELAXED_SIMD) {
          do {
            let xa = v128.load32_splat(q), xb = v128.load32_splat(q, 4);
            a0 = dotNibbles(v128.load(p), xa, xb, low);
            a1 = dotNibbles(v128.load(p, 16), xa, xb, low);
            xa = v128.load32_splat(q, 8); xb = v128.load32_splat(q, 12);
            a0 = i16x8.add(a0, dotNibbles(v128.load(p, 32), xa, xb, low));
            a1 = i16x8.add(a1, dotNibbles(v128.load(p, 48), xa, xb, low));
            q += 16;
            if (p == 0) break;
            xa = v128.load32_splat(q); xb = v128.load32_splat(q, 4);
            a0 = i16x8.add(a0, dotNibbles(v128.load(p, 64), xa, xb, low));
            a1 = i16x8.add(a1, dotNibbles(v128.load(p, 80), xa, xb, low));
            xa = v128.load32_splat(q, 8); xb = v128.load32_splat(q, 12);
            a0 = i16x8.add(a0, dotNibbles(v128.load(p, 96), xa, xb, low));
            a1 = i16x8.add(a1, dotNibbles(v128.load(p, 112), xa, xb, low));
          } while (false);
          p += 128; q += 16;
          const k = the<L>().scales(s);
          s0 = i32x4.add(s0, i32x4.dot_i16x8_s(a0, firstTwice(k)));
          s1 = i32x4.add(s1, i32x4.dot_i16x8_s(a1, lastTwice(k)));
        } else {
          const mask = mask00ff();
          for (const stop = p + 128; p < stop; p += 32, q += 16) {
            const v = v128.load(p), u = v128.load(p, 16), xa = v128.load32_splat(q), xb = v128.load32_splat(q, 4);
            const xc = v128.load32_splat(q, 8), xd = v128.load32_splat(q, 12);
            a0 = addBytes(addBytes(a0, v128.and(v, low), xa, xb, mask), v128.and(i16x8.shr_u(v, 4), low), xc, xd, mask);
            a1 = addBytes(addBytes(a1, v128.and(u, low), xa, xb, mask), v128.and(i16x8.shr_u(u, 4), low), xc, xd, mask);
          }
          const k = the<L>().scales(s);
          s0 = addFirst(s0, a0, k);
          s1 = addLast(s1, a1, k);
        }
      }
      f0 = close<L>(w, 0, s0, x + superData(), f0);
      f1 = close<L>(w, 1, s1, x + superData(), f1);
    }
    v128.store(y, f0);
    v128.store(y, f1, 16);
  }
}

/** Vector i of the half at p, where those of `set` need it. */
@inline function part<L>(set: usize, p: usize, i: usize): v128 { return the<L>().needs(set, i) ? partOf<L>(p, i) : i32x4.splat(0); }

/** relaxed, up to 6 bits: start + the sums of half a block, of 4 rows in pairs of columns; a..d x's columns. */
@inline function halfOf<L>(set: usize, p: usize, start: v128, xa: v128, xb: v128, xc: v128, xd: v128, a: v128, b: v128, c: v128): v128 {
  const v0 = part<L>(set, p, 0), v1 = part<L>(set, p, 1), v2 = part<L>(set, p, 2);
  const v3 = part<L>(set, p, 3), v4 = part<L>(set, p, 4), v5 = part<L>(set, p, 5);
  const first = dot(xa, the<L>().vector(set, 0, v0, v1, v2, v3, v4, v5, a, b, c));
  const second = dot(xb, the<L>().vector(set, 1, v0, v1, v2, v3, v4, v5, a, b, c));
  const third = dot(xc, the<L>().vector(set, 2, v0, v1, v2, v3, v4, v5, a, b, c));
  const near = i16x8.add(the<L>().middle ? i16x8.add(first, start) : first, second);
  return i16x8.add(near, i16x8.add(third, dot(xd, the<L>().vector(set, 3, v0, v1, v2, v3, v4, v5, a, b, c))));
}

function packed<L>(w: usize, groups: i32, cols: i32, x0: usize, y: usize): void {
  const a = the<L>().mask, c = the<L>().third, mask = mask00ff(), halfBytes = the<L>().quantBytes >> 1;
  const xEnd = x0 + <usize>(cols >> 8) * superStride();
  for (const end = y + (<usize>groups << 5); y < end; y += 32) {
    let f0 = f32x4.splat(0), f1 = f0;
    for (let x = x0; x < xEnd; x += superStride(), w += unitBytes<L>()) {
      const b = the<L>().table(w), tail = x + superData();
      let s0 = i32x4.splat(0), s1 = s0, p = w + quantsIn<L>(), q = x, starts = tail + STARTS;
      let a0 = s0, a1 = s0; // base: of the block under way
      for (let half: usize = 0, s = w; half < 16; half++, p += halfBytes, starts += 4) {
        if (ASC_FEATURE_RELAXED_SIMD && the<L>().bits < 7) {
          const xa = v128.load32_splat(q), xb = v128.load32_splat(q, 4), xc = v128.load32_splat(q, 8), xd = v128.load32_splat(q, 12);
          const start = narrowStart<L>(starts);
          do {
            a0 = halfOf<L>(0, p, start, xa, xb, xc, xd, a, b, c);
            a1 = a0;
            if (p == 0) break; // never
            a1 = halfOf<L>(1, p, start, xa, xb, xc, xd, a, b, c);
          } while (false);
          const k = the<L>().scales(s);
          if (the<L>().halves || half & 1) s += 8;
          s0 = i32x4.add(s0, i32x4.dot_i16x8_s(a0, firstTwice(k)));
          s1 = i32x4.add(s1, i32x4.dot_i16x8_s(a1, lastTwice(k)));
          q += 16;
          continue;
        }
        const k = the<L>().scales(s);
        if (the<L>().halves || half & 1) s += 8;
        const v0 = partOf<L>(p, 0), v1 = partOf<L>(p, 1), v2 = partOf<L>(p, 2);
        const v3 = partOf<L>(p, 3), v4 = partOf<L>(p, 4), v5 = partOf<L>(p, 5);
        const q00 = the<L>().vector(0, 0, v0, v1, v2, v3, v4, v5, a, b, c);
        const q01 = the<L>().vector(0, 1, v0, v1, v2, v3, v4, v5, a, b, c);
        const q02 = the<L>().vector(0, 2, v0, v1, v2, v3, v4, v5, a, b, c);
        const q03 = the<L>().vector(0, 3, v0, v1, v2, v3, v4, v5, a, b, c);
        const q10 = the<L>().vector(1, 0, v0, v1, v2, v3, v4, v5, a, b, c);
        const q11 = the<L>().vector(1, 1, v0, v1, v2, v3, v4, v5, a, b, c);
        const q12 = the<L>().vector(1, 2, v0, v1, v2, v3, v4, v5, a, b, c);
        const q13 = the<L>().vector(1, 3, v0, v1, v2, v3, v4, v5, a, b, c);
        if (ASC_FEATURE_RELAXED_SIMD) {
          const k0 = firstTwice(k), k1 = lastTwice(k), start = narrowStart<L>(starts);
          const xa = v128.load32_splat(q), xb = v128.load32_splat(q, 4), xc = v128.load32_splat(q, 8), xd = v128.load32_splat(q, 12);
          if (the<L>().bits == 8) { // the other builds want even columns offset
            const zero = i32x4.splat(0), na = i8x16.max_s(xa, zero), nb = i8x16.max_s(xb, zero);
            const nc = i8x16.max_s(xc, zero), nd = i8x16.max_s(xd, zero);
            const fa = i8x16.sub(na, xa), fb = i8x16.sub(nb, xb), fc = i8x16.sub(nc, xc), fd = i8x16.sub(nd, xd);
            s0 = addSigned(addSigned(addSigned(addSigned(s0, q00, na, fa, k0), q01, nb, fb, k0), q02, nc, fc, k0), q03, nd, fd, k0);
            s1 = addSigned(addSigned(addSigned(addSigned(s1, q10, na, fa, k1), q11, nb, fb, k1), q12, nc, fc, k1), q13, nd, fd, k1);
          } else {
            s0 = addNarrow<L>(s0, start, dot(xa, q00), dot(xb, q01), dot(xc, q02), dot(xd, q03), k0);
            s1 = addNarrow<L>(s1, start, dot(xa, q10), dot(xb, q11), dot(xc, q12), dot(xd, q13), k1);
          }
          q += 16;
        } else {
          if (the<L>().halves || !(half & 1)) {
            a0 = the<L>().bits == 8 ? v128.load32_splat(tail + (half << 1), EVEN_SUMS) : wideStart<L>(starts);
            a1 = a0;
          }
          const odd0 = v128.load32_splat(q), even0 = v128.load32_splat(q, 4);
          a0 = addBytes(a0, q00, odd0, even0, mask); a1 = addBytes(a1, q10, odd0, even0, mask);
          const odd1 = v128.load32_splat(q, 8), even1 = v128.load32_splat(q, 12);
          a0 = addBytes(a0, q01, odd1, even1, mask); a1 = addBytes(a1, q11, odd1, even1, mask);
          const odd2 = v128.load32_splat(q, 16), even2 = v128.load32_splat(q, 20);
          a0 = addBytes(a0, q02, odd2, even2, mask); a1 = addBytes(a1, q12, odd2, even2, mask);
          const odd3 = v128.load32_splat(q, 24), even3 = v128.load32_splat(q, 28);
          a0 = addBytes(a0, q03, odd3, even3, mask); a1 = addBytes(a1, q13, odd3, even3, mask);
          if (the<L>().halves || half & 1) {
            s0 = addFirst(s0, a0, k);
            s1 = addLast(s1, a1, k);
          }
          q += 32;
        }
      }
      f0 = close<L>(w, 0, s0, tail, f0);
      f1 = close<L>(w, 1, s1, tail, f1);
    }
    v128.store(y, f0);
    v128.store(y, f1, 16);
  }
}

/** y [8 groups] = W x, x records of 256. */
export function superMatvec<L>(w: usize, groups: i32, cols: i32, x: usize, y: usize): void {
  if (isNibbles<L>()) nibbles<L>(w, groups, cols, x, y);
  else packed<L>(w, groups, cols, x, y);
}
