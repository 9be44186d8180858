/**
 * compactMatvec for superblocks: integers as in kernels/matvec/super.ts, and so the same bits.
 */
import { mask3f, nibbleMask } from '../../base/simd';
import { isNibbles, the } from '../../layouts/kinds';
import { addPairs, dotNibbles } from '../matvec/dots';
import { addFirst, addLast, firstTwice, lastTwice, minSums, narrowStart, wideStart } from '../matvec/superSums';
import { STARTS, superData } from '../quantize/superblocks';
import { keptFactors } from './copies';
import { scaleCols } from './source';

@inline function dot(x: v128, v: v128): v128 { return i16x8.relaxed_dot_i8x16_i7x16_s(x, v); }

/** What the high bits of a pair's vectors make, above bits of no use. */
@inline function fourth(v0: v128, v1: v128, v2: v128): v128 {
  return v128.xor(i16x8.shr_u(v0, 2), v128.xor(i16x8.shr_u(v1, 4), i16x8.shr_u(v2, 6)));
}

/** One group of rows times a superblock of x; y holds the sums before it, unless it is the first. Returns where w ends. */
@inline export function compactSuper<L>(w: usize, pieces: usize, x: usize, y: usize, first: bool): usize {
  const low = nibbleMask(), six = mask3f(), perBlock = <usize>(32 / scaleCols<L>()), xStep: usize = ASC_FEATURE_RELAXED_SIMD ? 1 : 2;
  const tail = x + superData();
  let s0 = i32x4.splat(0), s1 = s0;
  for (let b: usize = 0; b < 8 * perBlock; b++) {
    const entry = <usize>load<u8>(pieces + b), count = entry & 15, block = entry >> 4, scales = w + (count << 4);
    if (!count) break; // those of most pieces come first
    const k = the<L>().scales(scales), k0 = firstTwice(k), k1 = lastTwice(k);
    let q = x + block * <usize>scaleCols<L>() * xStep, a0 = i32x4.splat(0), a1 = a0;
    if (isNibbles<L>()) {
      for (const stop = w + (count >> 1 << 5); w < stop; w += 32, q += 8 * xStep) {
        const v = v128.load(w), u = v128.load(w, 16), xa = v128.load32_splat(q), xb = v128.load32_splat(q, 4);
        if (ASC_FEATURE_RELAXED_SIMD) {
          a0 = i16x8.add(a0, dotNibbles(v, xa, xb, low));
          a1 = i16x8.add(a1, dotNibbles(u, xa, xb, low));
        } else {
          const xc = v128.load32_splat(q, 8), xd = v128.load32_splat(q, 12);
          a0 = addPairs(addPairs(a0, v128.and(v, low), xa, xb), v128.and(i16x8.shr_u(v, 4), low), xc, xd);
          a1 = addPairs(addPairs(a1, v128.and(u, low), xa, xb), v128.and(i16x8.shr_u(u, 4), low), xc, xd);
        }
      }
      if (count & 1) {
        const v = v128.load(w), near = v128.and(v, low), far = v128.and(i16x8.shr_u(v, 4), low), xa = v128.load32_splat(q);
        const xb = v128.load32_splat(q, 4);
        if (ASC_FEATURE_RELAXED_SIMD) {
          a0 = i16x8.add(a0, dot(xa, near));
          a1 = i16x8.add(a1, dot(xa, far));
        } else {
          a0 = addPairs(a0, near, xa, xb);
          a1 = addPairs(a1, far, xa, xb);
        }
      }
      if (ASC_FEATURE_RELAXED_SIMD) {
        s0 = i32x4.add(s0, i32x4.dot_i16x8_s(a0, k0));
        s1 = i32x4.add(s1, i32x4.dot_i16x8_s(a1, k1));
      }
    } else if (ASC_FEATURE_RELAXED_SIMD) {
      const start = narrowStart<L>(tail + STARTS + (block << 2));
      s0 = i32x4.add(s0, i32x4.dot_i16x8_s(start, k0));
      s1 = i32x4.add(s1, i32x4.dot_i16x8_s(start, k1));
      for (; w + 32 < scales; w += 48, q += 8) { // a pair's sums fit into i16: 4 * 63 * 127
        const v0 = v128.load(w), v1 = v128.load(w, 16), v2 = v128.load(w, 32), xa = v128.load32_splat(q), xb = v128.load32_splat(q, 4);
        s0 = i32x4.add(s0, i32x4.dot_i16x8_s(i16x8.add(dot(xa, v128.and(v0, six)), dot(xb, v128.and(v2, six))), k0));
        s1 = i32x4.add(s1, i32x4.dot_i16x8_s(i16x8.add(dot(xa, v128.and(v1, six)), dot(xb, v128.and(fourth(v0, v1, v2), six))), k1));
      }
      if (w < scales) {
        const xa = v128.load32_splat(q);
        s0 = i32x4.add(s0, i32x4.dot_i16x8_s(dot(xa, v128.load(w)), k0));
        s1 = i32x4.add(s1, i32x4.dot_i16x8_s(dot(xa, v128.load(w, 16)), k1));
      }
    } else {
      a0 = wideStart<L>(tail + STARTS + (block << 2));
      a1 = a0;
      for (; w + 32 < scales; w += 48, q += 16) {
        const v0 = v128.load(w), v1 = v128.load(w, 16), v2 = v128.load(w, 32);
        const xa = v128.load32_splat(q), xb = v128.load32_splat(q, 4), xc = v128.load32_splat(q, 8), xd = v128.load32_splat(q, 12);
        a0 = addPairs(addPairs(a0, v128.and(v0, six), xa, xb), v128.and(v2, six), xc, xd);
        a1 = addPairs(addPairs(a1, v128.and(v1, six), xa, xb), v128.and(fourth(v0, v1, v2), six), xc, xd);
      }
      if (w < scales) {
        const even = v128.load32_splat(q), odd = v128.load32_splat(q, 4);
        a0 = addPairs(a0, v128.load(w), even, odd);
        a1 = addPairs(a1, v128.load(w, 16), even, odd);
      }
    }
    if (!ASC_FEATURE_RELAXED_SIMD) {
      s0 = addFirst(s0, a0, k);
      s1 = addLast(s1, a1, k);
    }
    w = scales + 8;
  }
  const factors = w + keptFactors<L>() - the<L>().factorBytes, s = v128.load32_splat(tail);
  const f0 = first ? f32x4.splat(0) : v128.load(y), f1 = first ? f32x4.splat(0) : v128.load(y, 16);
  v128.store(y, the<L>().close(factors, 0, s0, minSums<L>(w - 64, tail, 0), s, f0));
  v128.store(y, the<L>().close(factors, 1, s1, minSums<L>(w - 64, tail, 1), s, f1), 16);
  return w + keptFactors<L>();
}
