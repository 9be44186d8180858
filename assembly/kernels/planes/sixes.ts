/**
 * Products with planes of q6_k (planes.ts), relaxed.
 *   firstSixes  from the first plane alone: a quant less its middle is 4 (n - 8) + 1.5, a superblock sums 4 n x and -30.5 x, times scales;
 *               the deviation is the square root of the sum over superblocks of mean square times |x|^2
 *   bothSixes   from both, the same bits as kernels/matvec/super.ts: all that a superblock adds up is integers
 * Test: test/kernels/planes.test.ts.
 */
import { half4, madd, nibbleMask } from '../../base/simd';
import { Q6_K } from '../../layouts/q6_k';
import { dotNibbles } from '../matvec/dots';
import { firstTwice, lastTwice } from '../matvec/superSums';
import { HALF_SUMS } from '../quantize/superblocks';
import { SIX_QUANTS, SIX_REST, SIX_RMS, SIX_UNIT } from './planes';
import { SUPER_NORM } from './records';

/** Bytes of a superblock's record, and of its data. */
const RECORD: usize = 384, DATA: usize = 256;

/** The scales of two halves as pairs, of the first (last) 4 rows. */
@inline function firstPairs(k: v128, l: v128): v128 { return i16x8.shuffle(k, l, 0, 8, 1, 9, 2, 10, 3, 11); }
@inline function lastPairs(k: v128, l: v128): v128 { return i16x8.shuffle(k, l, 4, 12, 5, 13, 6, 14, 7, 15); }

/** sums + those of 4 rows x 16 columns of nibbles at `p`, times scales. */
@inline function addHalf(sums: v128, p: usize, xa: v128, xb: v128, xc: v128, xd: v128, k: v128, low: v128): v128 {
  const near = dotNibbles(v128.load(p), xa, xb, low), far = dotNibbles(v128.load(p, 32), xc, xd, low);
  return i32x4.add(sums, i32x4.dot_i16x8_s(i16x8.add(near, far), k));
}

@inline function dot(x: v128, v: v128): v128 { return i16x8.relaxed_dot_i8x16_i7x16_s(x, v); }

/** The same of bit pairs. */
@inline function addRest(sums: v128, r: v128, xa: v128, xb: v128, xc: v128, xd: v128, k: v128, three: v128): v128 {
  const a = dot(xa, v128.and(r, three)), b = dot(xb, v128.and(i16x8.shr_u(r, 2), three));
  const c = dot(xc, v128.and(i16x8.shr_u(r, 4), three)), d = dot(xd, v128.and(i16x8.shr_u(r, 6), three));
  return i32x4.add(sums, i32x4.dot_i16x8_s(i16x8.add(i16x8.add(a, b), i16x8.add(c, d)), k));
}

export function firstSixes(w: usize, groups: i32, cols: i32, x0: usize, y: usize, dev: usize): void {
  if (!ASC_FEATURE_RELAXED_SIMD) return;
  const low = nibbleMask(), xEnd = x0 + <usize>(cols >> 8) * RECORD;
  for (const end = y + (<usize>groups << 5); y < end; y += 32, dev += 32) {
    let f0 = f32x4.splat(0), f1 = f0, e0 = f0, e1 = f0;
    for (let x = x0; x < xEnd; x += RECORD, w += SIX_UNIT) {
      const tail = x + DATA;
      let s0 = i32x4.splat(0), s1 = s0, m0 = s0, m1 = s0, p = w + SIX_QUANTS, q = x, sums = tail + HALF_SUMS;
      for (let s = w, last = w + 128; s < last; s += 16, p += 128, q += 32, sums += 4) {
        const k = v128.load8x8_s(s), l = v128.load8x8_s(s, 8), means = v128.load32_splat(sums);
        do {
          let xa = v128.load32_splat(q), xb = v128.load32_splat(q, 4), xc = v128.load32_splat(q, 8), xd = v128.load32_splat(q, 12);
          s0 = addHalf(s0, p, xa, xb, xc, xd, firstTwice(k), low);
          s1 = addHalf(s1, p + 16, xa, xb, xc, xd, lastTwice(k), low);
          if (p == 0) break;
          xa = v128.load32_splat(q, 16); xb = v128.load32_splat(q, 20); xc = v128.load32_splat(q, 24); xd = v128.load32_splat(q, 28);
          s0 = addHalf(s0, p + 64, xa, xb, xc, xd, firstTwice(l), low);
          s1 = addHalf(s1, p + 80, xa, xb, xc, xd, lastTwice(l), low);
          if (q == 0) break;
          m0 = i32x4.add(m0, i32x4.dot_i16x8_s(firstPairs(k, l), means));
          m1 = i32x4.add(m1, i32x4.dot_i16x8_s(lastPairs(k, l), means));
        } while (false);
      }
      const scale = v128.load32_splat(tail), norm = v128.load32_splat(tail, SUPER_NORM), most = f32x4.splat(5.192296858534828e33);
      const n0 = f32x4.mul(half4(w + SIX_RMS), norm), n1 = f32x4.mul(half4(w + (SIX_RMS + 8)), norm);
      const t0 = f32x4.convert_i32x4_s(i32x4.sub(i32x4.shl(s0, 3), i32x4.mul(m0, i32x4.splat(61))));
      const t1 = f32x4.convert_i32x4_s(i32x4.sub(i32x4.shl(s1, 3), i32x4.mul(m1, i32x4.splat(61))));
      f0 = madd(f32x4.mul(t0, f32x4.mul(half4(w + 128), most)), scale, f0);
      f1 = madd(f32x4.mul(t1, f32x4.mul(half4(w + 136), most)), scale, f1);
      e0 = madd(n0, n0, e0);
      e1 = madd(n1, n1, e1);
    }
    const half = f32x4.splat(0.5), back = f32x4.splat(4096); // 2^12
    v128.store(y, f32x4.mul(f0, half));
    v128.store(y, f32x4.mul(f1, half), 16);
    v128.store(dev, f32x4.mul(f32x4.sqrt(e0), back));
    v128.store(dev, f32x4.mul(f32x4.sqrt(e1), back), 16);
  }
}

export function bothSixes(w: usize, rest: usize, groups: i32, cols: i32, x0: usize, y: usize): void {
  if (!ASC_FEATURE_RELAXED_SIMD) return;
  const low = nibbleMask(), three = i8x16.splat(3), xEnd = x0 + <usize>(cols >> 8) * RECORD, six = changetype<Q6_K>(0);
  for (const end = y + (<usize>groups << 5); y < end; y += 32) {
    let f0 = f32x4.splat(0), f1 = f0;
    for (let x = x0; x < xEnd; x += RECORD, w += SIX_UNIT, rest += SIX_REST) {
      const tail = x + DATA, zero = i32x4.splat(0);
      let s0 = zero, s1 = zero, r0 = zero, r1 = zero, m0 = zero, m1 = zero, p = w + SIX_QUANTS, r = rest, q = x;
      for (let h: usize = 0; h < 16; h++, p += 64, r += 32, q += 16) {
        const k = v128.load8x8_s(w + (h << 3)), near = firstTwice(k), far = lastTwice(k);
        const xa = v128.load32_splat(q), xb = v128.load32_splat(q, 4), xc = v128.load32_splat(q, 8), xd = v128.load32_splat(q, 12);
        s0 = addHalf(s0, p, xa, xb, xc, xd, near, low);
        s1 = addHalf(s1, p + 16, xa, xb, xc, xd, far, low);
        r0 = addRest(r0, v128.load(r), xa, xb, xc, xd, near, three);
        r1 = addRest(r1, v128.load(r, 16), xa, xb, xc, xd, far, three);
        const sum = i32x4.splat(<i32>load<i16>(tail + (h << 1), HALF_SUMS));
        m0 = i32x4.add(m0, i32x4.mul(i32x4.extend_low_i16x8_s(k), sum));
        m1 = i32x4.add(m1, i32x4.mul(i32x4.extend_high_i16x8_s(k), sum));
      }
      const scale = v128.load32_splat(tail);
      s0 = i32x4.sub(i32x4.add(i32x4.shl(s0, 2), r0), i32x4.shl(m0, 5));
      s1 = i32x4.sub(i32x4.add(i32x4.shl(s1, 2), r1), i32x4.shl(m1, 5));
      f0 = six.close(w + 128, 0, s0, zero, scale, f0);
      f1 = six.close(w + 128, 1, s1, zero, scale, f1);
    }
    v128.store(y, f0);
    v128.store(y, f1, 16);
  }
}
