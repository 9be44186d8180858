/**
 * y[rows] = W x for compact columns (compact.ts): block b has pieces[b] * 16 B of quants, a block of none is not there. x are the ordinary X4 or X8
 * records of the slotted vector. Chunks that are missing meet zeros of x, blocks that are missing would add zero: y is bit for bit what the
 * dense matvec gives for the dense matrix and a vector whose unlisted neurons are zero.
 * Preconditions: W has `groups` groups of 8 rows; y has room for all of them. Error: as kernels/matvec. Test: test/kernels/compact.test.ts.
 */
import { Layout } from '../../abi/enums';
import { evenHalves, halfMask, halfOf, madd, mask000f, mask00ff, mask0f00, nibbleMask, oddHalves, ones16, times32 } from '../../base/simd';
import { addBlock, dotHigh, dotLow, dotNibbles } from '../matvec/q4';
import { addBlock8, dot4 } from '../matvec/q8';
import { X8_DATA, X8_STRIDE, x4Data, x4Stride } from '../quantize/quantize';

/** f + one block's term for 4 rows, whose d and m are pairs: the same products and sums as the dense kernels'. */
@inline function addPairs(dot: v128, pairs: v128, even: v128, odd: v128, mask: v128, tail: usize, f: v128): v128 {
  const g = madd(v128.load32_splat(tail, 12), halfOf(pairs, odd, mask), f);
  return madd(f32x4.convert_i32x4_s(dot), f32x4.mul(v128.load32_splat(tail, 4), halfOf(pairs, even, mask)), g);
}

/** Integer sums (kernels/matvec/q4.ts) of 4 rows x 4 columns in low nibbles. x at `q`: their part of a chunk of 8. */
@inline function dotHalf(v: v128, q: usize, low: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return i16x8.relaxed_dot_i8x16_i7x16_s(v128.load32_splat(q), v128.and(v, low));
  return i32x4.add(i32x4.dot_i16x8_s(v128.and(v, mask000f()), v128.load32_splat(q)), i32x4.dot_i16x8_s(v128.and(v, mask0f00()), v128.load32_splat(q, 8)));
}

@inline function addSums(a: v128, b: v128): v128 { return ASC_FEATURE_RELAXED_SIMD ? i16x8.add(a, b) : i32x4.add(a, b); }

/** `layout` must be a literal: each call site becomes a kernel of its own. */
@inline function compactQ4(layout: i32, w: usize, groups: i32, nBlocks: i32, pieces: usize, x0: usize, y: usize): void {
  const low = nibbleMask(), one = ones16(), even = evenHalves(), odd = oddHalves(), mask = halfMask();
  const scaleBytes: usize = layout == Layout.q4_1 ? 32 : 16, last = pieces + nBlocks;
  for (const end = y + (<usize>groups << 5); y < end; y += 32) {
    let f0 = f32x4.splat(0), f1 = f0, x = x0;
    for (let piece = pieces; piece < last; piece++, x += x4Stride()) {
      const count = <usize>load<u8>(piece);
      if (!count) continue;
      let a0 = i32x4.splat(0), a1 = a0, q = x;
      for (const stop = w + (count >> 1 << 5); w < stop; w += 32) {
        const v = v128.load(w), u = v128.load(w, 16), xa = v128.load32_splat(q), xb = v128.load32_splat(q, 4);
        if (ASC_FEATURE_RELAXED_SIMD) {
          a0 = i16x8.add(a0, dotNibbles(v, xa, xb, low));
          a1 = i16x8.add(a1, dotNibbles(u, xa, xb, low));
          q += 8;
        } else {
          const xc = v128.load32_splat(q, 8), xd = v128.load32_splat(q, 12);
          a0 = i32x4.add(a0, i32x4.add(dotLow(v, xa, xb), dotHigh(v, xc, xd)));
          a1 = i32x4.add(a1, i32x4.add(dotLow(u, xa, xb), dotHigh(u, xc, xd)));
          q += 16;
        }
      }
      if (count & 1) {
        const v = v128.load(w);
        a0 = addSums(a0, dotHalf(v, q, low));
        a1 = addSums(a1, dotHalf(i16x8.shr_u(v, 4), q, low));
        w += 16;
      }
      if (ASC_FEATURE_RELAXED_SIMD) {
        a0 = i32x4.dot_i16x8_s(a0, one);
        a1 = i32x4.dot_i16x8_s(a1, one);
      }
      const tail = x + x4Data();
      if (layout == Layout.q4_1) {
        f0 = addPairs(a0, v128.load(w), even, odd, mask, tail, f0);
        f1 = addPairs(a1, v128.load(w, 16), even, odd, mask, tail, f1);
      } else {
        f0 = addBlock(layout, a0, w, 0, tail, f0);
        f1 = addBlock(layout, a1, w + 8, 0, tail, f1);
      }
      w += scaleBytes;
    }
    v128.store(y, times32(f0));
    v128.store(y, times32(f1), 16);
  }
}

/** `layout` must be a literal. */
@inline function compactQ8(layout: i32, w: usize, groups: i32, nBlocks: i32, pieces: usize, x0: usize, y: usize): void {
  const low = mask00ff(), even = evenHalves(), odd = oddHalves(), mask = halfMask();
  const scaleBytes: usize = layout == Layout.q8_1 ? 32 : 16, last = pieces + nBlocks;
  for (const end = y + (<usize>groups << 5); y < end; y += 32) {
    let f0 = f32x4.splat(0), f1 = f0, x = x0;
    for (let piece = pieces; piece < last; piece++, x += X8_STRIDE) {
      const stop = w + (<usize>load<u8>(piece) << 4), tail = x + X8_DATA;
      if (stop == w) continue;
      let a0 = i32x4.add(v128.load32_splat(tail, 16), v128.load32_splat(tail, 20)), a1 = a0;
      for (let q = x; w < stop; w += 32, q += 8) {
        const v = v128.load(w), u = v128.load(w, 16), odd = v128.load32_splat(q), even = v128.load32_splat(q, 4);
        a0 = i32x4.add(a0, dot4(v, v128.and(v, low), odd, even));
        a1 = i32x4.add(a1, dot4(u, v128.and(u, low), odd, even));
      }
      if (layout == Layout.q8_1) {
        f0 = addPairs(a0, v128.load(w), even, odd, mask, tail, f0);
        f1 = addPairs(a1, v128.load(w, 16), even, odd, mask, tail, f1);
      } else {
        f0 = addBlock8(layout, a0, w, 0, tail, f0);
        f1 = addBlock8(layout, a1, w + 8, 0, tail, f1);
      }
      w += scaleBytes;
    }
    v128.store(y, times32(f0));
    v128.store(y, times32(f1), 16);
  }
}

/** `x`: X4 records for q4_0 and q4_1, X8 for q8_0 and q8_1. */
export function compactMatvec(layout: i32, w: usize, groups: i32, nBlocks: i32, pieces: usize, x: usize, y: usize): void {
  switch (layout) {
    case Layout.q4_0: compactQ4(Layout.q4_0, w, groups, nBlocks, pieces, x, y); break;
    case Layout.q4_1: compactQ4(Layout.q4_1, w, groups, nBlocks, pieces, x, y); break;
    case Layout.q8_0: compactQ8(Layout.q8_0, w, groups, nBlocks, pieces, x, y); break;
    case Layout.q8_1: compactQ8(Layout.q8_1, w, groups, nBlocks, pieces, x, y); break;
    default: unreachable();
  }
}
