/**
 * y[rows] = W x for 8-bit weights in the interleaved layouts q8_0, q8_1, q5_k and q6_k (abi/enums.ts), x quantised as X8 records
 * (kernels/quantize). A 16-bit lane v holds two weights of one row: odd column in the high byte, even column + 128 in the low one.
 * With p = v & 255:  dot(v, x_odd) + dot(p, 256 x_even - x_odd) = 256 * (sum of q x + 128 * sum of x_even); the last term is the same for all
 * rows and starts the accumulator (the tail's corrections). Two instructions for 16 products in plain simd128, no widening, no 7-bit
 * limit, so both builds share it. Integers are exact; f32 adds one term a block, in block order.
 * Preconditions as in q4.ts. Test: test/kernels/matvec.test.ts.
 */
import { Layout } from '../../abi/enums';
import { bytes4s, bytes4u, half4, half4Exact, madd, mask00ff, times32 } from '../../base/simd';
import { X8_DATA, X8_STRIDE } from '../quantize/quantize';

/** 4 rows x 4 columns of `v` (low = v & 255): 256 * (q x + 128 x_even), see above. */
@inline export function dot4(v: v128, low: v128, odd: v128, even: v128): v128 {
  return i32x4.add(i32x4.dot_i16x8_s(v, odd), i32x4.dot_i16x8_s(low, even));
}

/** f + one block's (q6_k: half block's) term for 4 rows. */
@inline export function addBlock8(layout: i32, dot: v128, scales: usize, mins: usize, tail: usize, f: v128): v128 {
  const sums = f32x4.convert_i32x4_s(dot);
  if (layout == Layout.q8_0) return madd(sums, f32x4.mul(v128.load32_splat(tail, 4), half4(scales)), f);
  if (layout == Layout.q8_1) {
    const g = madd(v128.load32_splat(tail, 12), half4(mins), f);
    return madd(sums, f32x4.mul(v128.load32_splat(tail, 4), half4(scales)), g);
  }
  if (layout == Layout.q5_k) return madd(sums, f32x4.mul(v128.load32_splat(tail), bytes4u(scales)), f);
  return madd(sums, f32x4.mul(v128.load32_splat(tail), bytes4s(scales)), f);
}

/** q5_k: sum of x's block sums times the 6-bit minimum. */
@inline export function addMin8(mins: usize, tail: usize, f: v128): v128 {
  return madd(v128.load32_splat(tail, 8), bytes4u(mins), f);
}

/** q5_k, q6_k: closes a superblock; `g` are its scaled sums, `h` its minimum sums (q5_k), `d` the f16 factors of 4 rows, dmin 16 bytes on. */
@inline export function closeSuper8(layout: i32, g: v128, h: v128, d: usize, f: v128): v128 {
  const sum = f32x4.add(f, f32x4.mul(g, half4Exact(d)));
  return layout == Layout.q5_k ? f32x4.sub(sum, f32x4.mul(h, half4Exact(d + 16))) : sum;
}

/** `layout` must be a literal: each call site becomes a kernel of its own. */
@inline function matvec(layout: i32, w: usize, groups: i32, cols: i32, x0: usize, y: usize): void {
  const low = mask00ff();
  const superblocks = layout == Layout.q5_k || layout == Layout.q6_k; // folded
  const nBlocks = cols >> 5;
  const blockBytes: usize = layout == Layout.q8_1 ? 288 : 272;
  for (const end = y + (<usize>groups << 5); y < end; y += 32) {
    let f0 = f32x4.splat(0), f1 = f0, g0 = f0, g1 = f0, h0 = f0, h1 = f0;
    let x = x0;
    for (let iBlock = 0; iBlock < nBlocks; iBlock++) {
      const tail = x + X8_DATA;
      let a0 = v128.load32_splat(tail, 16), a1 = a0, p = w, q = x;
      for (const stop = w + 128; p < stop; p += 32, q += 8) {
        const v = v128.load(p), u = v128.load(p, 16), odd = v128.load32_splat(q), even = v128.load32_splat(q, 4);
        a0 = i32x4.add(a0, dot4(v, v128.and(v, low), odd, even));
        a1 = i32x4.add(a1, dot4(u, v128.and(u, low), odd, even));
      }
      const second = v128.load32_splat(tail, 20);
      if (layout == Layout.q6_k) { // scales change in mid-block
        g0 = addBlock8(layout, a0, w + 256, 0, tail, g0);
        g1 = addBlock8(layout, a1, w + 260, 0, tail, g1);
        a0 = second; a1 = second;
      } else {
        a0 = i32x4.add(a0, second); a1 = i32x4.add(a1, second);
      }
      for (const stop = w + 256; p < stop; p += 32, q += 8) {
        const v = v128.load(p), u = v128.load(p, 16), odd = v128.load32_splat(q), even = v128.load32_splat(q, 4);
        a0 = i32x4.add(a0, dot4(v, v128.and(v, low), odd, even));
        a1 = i32x4.add(a1, dot4(u, v128.and(u, low), odd, even));
      }
      if (layout == Layout.q6_k) {
        g0 = addBlock8(layout, a0, w + 264, 0, tail, g0);
        g1 = addBlock8(layout, a1, w + 268, 0, tail, g1);
      } else if (layout == Layout.q5_k) {
        g0 = addBlock8(layout, a0, w + 256, 0, tail, g0);
        g1 = addBlock8(layout, a1, w + 260, 0, tail, g1);
        h0 = addMin8(w + 264, tail, h0);
        h1 = addMin8(w + 268, tail, h1);
      } else {
        f0 = addBlock8(layout, a0, w + 256, w + 272, tail, f0);
        f1 = addBlock8(layout, a1, w + 264, w + 280, tail, f1);
      }
      w += blockBytes;
      x += X8_STRIDE;
      if (superblocks) {
        if ((iBlock & 7) == 7) {
          f0 = closeSuper8(layout, g0, h0, w, f0);
          f1 = closeSuper8(layout, g1, h1, w + 8, f1);
          g0 = f32x4.splat(0); g1 = g0; h0 = g0; h1 = g0;
          w += layout == Layout.q5_k ? 32 : 16;
        }
      }
    }
    v128.store(y, superblocks ? f0 : times32(f0));
    v128.store(y, superblocks ? f1 : times32(f1), 16);
  }
}

export function matvecQ80(w: usize, groups: i32, cols: i32, x8: usize, y: usize): void { matvec(Layout.q8_0, w, groups, cols, x8, y); }
export function matvecQ81(w: usize, groups: i32, cols: i32, x8: usize, y: usize): void { matvec(Layout.q8_1, w, groups, cols, x8, y); }
export function matvecQ5K(w: usize, groups: i32, cols: i32, x8: usize, y: usize): void { matvec(Layout.q5_k, w, groups, cols, x8, y); }
export function matvecQ6K(w: usize, groups: i32, cols: i32, x8: usize, y: usize): void { matvec(Layout.q6_k, w, groups, cols, x8, y); }
