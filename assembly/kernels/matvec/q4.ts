/**
 * y[rows] = W x for 4-bit weights in the interleaved layouts q4_0, q4_1 and q4_k (abi/enums.ts), x quantised as X4 records
 * (kernels/quantize). The integer part is exact and the same in both builds; the f32 part adds one term a block, in block order.
 *
 * relaxed: eight signed dot products of bytes with nibbles, summed in i16: |x| <= 127, nibble <= 15, so a lane of eight pairs stays
 *   below 8 * 2 * 1905 = 30480. Never the i32 form of the instruction: Node 20's baseline tier computes it wrong.
 * base: nibbles stay in place inside 16-bit lanes; their partners in x carry the missing powers of two, so that all four i16 dot
 *   products share the factor 256, which the block's scale takes out again.
 * The loop over a block's four chunks stays a loop: written out, V8 loads all of x first, runs out of registers and is a fifth slower.
 * Preconditions: cols a multiple of 32 (q4_k: 256); W has `groups` groups of 8 rows; y has room for all of them.
 * Error: that of the activations' rounding; f32 rounding about (cols / 32) * 6e-8 relative to the sum of magnitudes.
 * Test: test/kernels/matvec.test.ts.
 */
import { Layout } from '../../abi/enums';
import { bytes4u, half4, half4Exact, madd, mask000f, mask00f0, mask0f00, nibbleMask, ones16, times32 } from '../../base/simd';
import { x4Data, x4Stride } from '../quantize/quantize';

/** relaxed: 4 rows x 8 columns, sums in i16. */
@inline export function dotNibbles(v: v128, xa: v128, xb: v128, low: v128): v128 {
  return i16x8.add(
    i16x8.relaxed_dot_i8x16_i7x16_s(xa, v128.and(v, low)),
    i16x8.relaxed_dot_i8x16_i7x16_s(xb, v128.and(i16x8.shr_u(v, 4), low)));
}

/** base: columns 0 2 4 6 of a chunk, 4 rows, sums in i32 (times 256). */
@inline export function dotLow(v: v128, xa: v128, xb: v128): v128 {
  return i32x4.add(i32x4.dot_i16x8_s(v128.and(v, mask000f()), xa), i32x4.dot_i16x8_s(v128.and(v, mask00f0()), xb));
}

/** base: columns 1 3 5 7. */
@inline export function dotHigh(v: v128, xa: v128, xb: v128): v128 {
  return i32x4.add(i32x4.dot_i16x8_s(v128.and(v, mask0f00()), xa), i32x4.dot_i16x8_s(i16x8.shr_u(v, 12), xb));
}

/** f + one block's term for 4 rows: `dot` their integer sums, `scales` and `mins` their d and m (or sc and mn), `tail` x's constants. */
@inline export function addBlock(layout: i32, dot: v128, scales: usize, mins: usize, tail: usize, f: v128): v128 {
  if (layout == Layout.q4_0) {
    const sum = i32x4.add(dot, v128.load32_splat(tail, 16));
    return madd(f32x4.convert_i32x4_s(sum), f32x4.mul(v128.load32_splat(tail, 4), half4(scales)), f);
  }
  if (layout == Layout.q4_1) {
    const g = madd(v128.load32_splat(tail, 12), half4(mins), f);
    return madd(f32x4.convert_i32x4_s(dot), f32x4.mul(v128.load32_splat(tail, 4), half4(scales)), g);
  }
  return madd(f32x4.convert_i32x4_s(dot), f32x4.mul(v128.load32_splat(tail), bytes4u(scales)), f);
}

/** q4_k: sum of x's block sums times the 6-bit minimum. */
@inline export function addMin(mins: usize, tail: usize, f: v128): v128 {
  return madd(v128.load32_splat(tail, 8), bytes4u(mins), f);
}

/** q4_k: closes a superblock; `g` are its scaled sums, `h` its minimum sums, d and dmin the f16 factors of 4 rows. */
@inline export function closeSuper(g: v128, h: v128, d: usize, dmin: usize, f: v128): v128 {
  const t = f32x4.sub(f32x4.mul(g, half4Exact(d)), f32x4.mul(h, half4Exact(dmin)));
  return f32x4.add(f, t);
}

/** `layout` must be a literal: each call site becomes a kernel of its own. */
@inline function matvec(layout: i32, w: usize, groups: i32, cols: i32, x0: usize, y: usize): void {
  const low = nibbleMask();
  const one = ones16();
  const nBlocks = cols >> 5;
  const blockBytes: usize = layout == Layout.q4_1 ? 160 : 144;
  for (const end = y + (<usize>groups << 5); y < end; y += 32) {
    let f0 = f32x4.splat(0), f1 = f0, g0 = f0, g1 = f0, h0 = f0, h1 = f0;
    let x = x0;
    for (let iBlock = 0; iBlock < nBlocks; iBlock++) {
      let a0 = i32x4.splat(0), a1 = a0, p = w, q = x;
      for (const stop = w + 128; p < stop; p += 32) {
        const v = v128.load(p), u = v128.load(p, 16), xa = v128.load32_splat(q), xb = v128.load32_splat(q, 4);
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
      if (ASC_FEATURE_RELAXED_SIMD) {
        a0 = i32x4.dot_i16x8_s(a0, one);
        a1 = i32x4.dot_i16x8_s(a1, one);
      }
      const tail = x + x4Data();
      if (layout == Layout.q4_k) {
        g0 = addBlock(layout, a0, w + 128, 0, tail, g0);
        g1 = addBlock(layout, a1, w + 132, 0, tail, g1);
        h0 = addMin(w + 136, tail, h0);
        h1 = addMin(w + 140, tail, h1);
      } else {
        f0 = addBlock(layout, a0, w + 128, w + 144, tail, f0);
        f1 = addBlock(layout, a1, w + 136, w + 152, tail, f1);
      }
      w += blockBytes;
      x += x4Stride();
      if (layout == Layout.q4_k) {
        if ((iBlock & 7) == 7) {
          f0 = closeSuper(g0, h0, w, w + 16, f0);
          f1 = closeSuper(g1, h1, w + 8, w + 24, f1);
          g0 = f32x4.splat(0); g1 = g0; h0 = g0; h1 = g0;
          w += 32;
        }
      }
    }
    v128.store(y, layout == Layout.q4_k ? f0 : times32(f0));
    v128.store(y, layout == Layout.q4_k ? f1 : times32(f1), 16);
  }
}

export function matvecQ40(w: usize, groups: i32, cols: i32, x4: usize, y: usize): void { matvec(Layout.q4_0, w, groups, cols, x4, y); }
export function matvecQ41(w: usize, groups: i32, cols: i32, x4: usize, y: usize): void { matvec(Layout.q4_1, w, groups, cols, x4, y); }
export function matvecQ4K(w: usize, groups: i32, cols: i32, x4: usize, y: usize): void { matvec(Layout.q4_k, w, groups, cols, x4, y); }
