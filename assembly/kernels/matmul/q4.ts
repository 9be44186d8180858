/**
 * Y[nTokens, rows] = X W^T for 4-bit weights in the interleaved layouts q4_0, q4_1 and q4_k, X quantised as X4 records, one vector after the
 * other. A tile is 4 rows x 4 tokens: a weight vector is unpacked once and meets four activations in registers (more accumulators would
 * spill: V8 has 15 vector registers on x64). Every sum is taken in the order of kernels/matvec/q4.ts, so a token's result does
 * not depend on how the prompt was cut into chunks. Numbers of tokens that are no multiple of 4 repeat the last token.
 * Preconditions: those of the matvec; `xStride` bytes from one token's records to the next, `yStride` bytes from row to row of Y.
 * Test: test/kernels/matmul.test.ts.
 */
import { Layout } from '../../abi/enums';
import { mask000f, mask00f0, mask0f00, nibbleMask, ones16 } from '../../base/simd';
import { addBlock, addMin, closeSuper } from '../matvec/q4';
import { x4Data, x4Stride } from '../quantize/quantize';

@inline function dot(x: v128, nibbles: v128): v128 { return i16x8.relaxed_dot_i8x16_i7x16_s(x, nibbles); }

/** 4 rows (set 0 or 1 of a group; `w` points at its first quants) times 4 tokens. `layout` and `set` are literals. */
@inline function tile(
  layout: i32, set: usize, w: usize, nBlocks: i32, x0: usize, x1: usize, x2: usize, x3: usize, y0: usize, y1: usize, y2: usize, y3: usize,
): void {
  const low = nibbleMask();
  const one = ones16();
  const scaleAt: usize = layout == Layout.q4_k ? 128 - set * 16 + set * 4 : 128 - set * 16 + set * 8;
  const minAt: usize = layout == Layout.q4_k ? scaleAt + 8 : scaleAt + 16;
  const blockBytes: usize = layout == Layout.q4_1 ? 160 : 144;
  let f0 = f32x4.splat(0), f1 = f0, f2 = f0, f3 = f0;
  let g0 = f0, g1 = f0, g2 = f0, g3 = f0, h0 = f0, h1 = f0, h2 = f0, h3 = f0;
  for (let iBlock = 0; iBlock < nBlocks; iBlock++) {
    let a0: v128, a1: v128, a2: v128, a3: v128, v: v128, u: v128;
    if (ASC_FEATURE_RELAXED_SIMD) {
      v = v128.load(w, 0); u = v128.and(i16x8.shr_u(v, 4), low); v = v128.and(v, low);
      a0 = i16x8.add(dot(v128.load32_splat(x0, 0), v), dot(v128.load32_splat(x0, 4), u));
      a1 = i16x8.add(dot(v128.load32_splat(x1, 0), v), dot(v128.load32_splat(x1, 4), u));
      a2 = i16x8.add(dot(v128.load32_splat(x2, 0), v), dot(v128.load32_splat(x2, 4), u));
      a3 = i16x8.add(dot(v128.load32_splat(x3, 0), v), dot(v128.load32_splat(x3, 4), u));
      v = v128.load(w, 32); u = v128.and(i16x8.shr_u(v, 4), low); v = v128.and(v, low);
      a0 = i16x8.add(a0, i16x8.add(dot(v128.load32_splat(x0, 8), v), dot(v128.load32_splat(x0, 12), u)));
      a1 = i16x8.add(a1, i16x8.add(dot(v128.load32_splat(x1, 8), v), dot(v128.load32_splat(x1, 12), u)));
      a2 = i16x8.add(a2, i16x8.add(dot(v128.load32_splat(x2, 8), v), dot(v128.load32_splat(x2, 12), u)));
      a3 = i16x8.add(a3, i16x8.add(dot(v128.load32_splat(x3, 8), v), dot(v128.load32_splat(x3, 12), u)));
      v = v128.load(w, 64); u = v128.and(i16x8.shr_u(v, 4), low); v = v128.and(v, low);
      a0 = i16x8.add(a0, i16x8.add(dot(v128.load32_splat(x0, 16), v), dot(v128.load32_splat(x0, 20), u)));
      a1 = i16x8.add(a1, i16x8.add(dot(v128.load32_splat(x1, 16), v), dot(v128.load32_splat(x1, 20), u)));
      a2 = i16x8.add(a2, i16x8.add(dot(v128.load32_splat(x2, 16), v), dot(v128.load32_splat(x2, 20), u)));
      a3 = i16x8.add(a3, i16x8.add(dot(v128.load32_splat(x3, 16), v), dot(v128.load32_splat(x3, 20), u)));
      v = v128.load(w, 96); u = v128.and(i16x8.shr_u(v, 4), low); v = v128.and(v, low);
      a0 = i16x8.add(a0, i16x8.add(dot(v128.load32_splat(x0, 24), v), dot(v128.load32_splat(x0, 28), u)));
      a1 = i16x8.add(a1, i16x8.add(dot(v128.load32_splat(x1, 24), v), dot(v128.load32_splat(x1, 28), u)));
      a2 = i16x8.add(a2, i16x8.add(dot(v128.load32_splat(x2, 24), v), dot(v128.load32_splat(x2, 28), u)));
      a3 = i16x8.add(a3, i16x8.add(dot(v128.load32_splat(x3, 24), v), dot(v128.load32_splat(x3, 28), u)));
      a0 = i32x4.dot_i16x8_s(a0, one);
      a1 = i32x4.dot_i16x8_s(a1, one);
      a2 = i32x4.dot_i16x8_s(a2, one);
      a3 = i32x4.dot_i16x8_s(a3, one);
    } else {
      v = v128.load(w, 0); u = v128.and(v, mask000f());
      a0 = i32x4.dot_i16x8_s(u, v128.load32_splat(x0, 0));
      a1 = i32x4.dot_i16x8_s(u, v128.load32_splat(x1, 0));
      a2 = i32x4.dot_i16x8_s(u, v128.load32_splat(x2, 0));
      a3 = i32x4.dot_i16x8_s(u, v128.load32_splat(x3, 0));
      u = v128.and(v, mask00f0());
      a0 = i32x4.add(a0, i32x4.dot_i16x8_s(u, v128.load32_splat(x0, 4)));
      a1 = i32x4.add(a1, i32x4.dot_i16x8_s(u, v128.load32_splat(x1, 4)));
      a2 = i32x4.add(a2, i32x4.dot_i16x8_s(u, v128.load32_splat(x2, 4)));
      a3 = i32x4.add(a3, i32x4.dot_i16x8_s(u, v128.load32_splat(x3, 4)));
      u = v128.and(v, mask0f00());
      a0 = i32x4.add(a0, i32x4.dot_i16x8_s(u, v128.load32_splat(x0, 8)));
      a1 = i32x4.add(a1, i32x4.dot_i16x8_s(u, v128.load32_splat(x1, 8)));
      a2 = i32x4.add(a2, i32x4.dot_i16x8_s(u, v128.load32_splat(x2, 8)));
      a3 = i32x4.add(a3, i32x4.dot_i16x8_s(u, v128.load32_splat(x3, 8)));
      u = i16x8.shr_u(v, 12);
      a0 = i32x4.add(a0, i32x4.dot_i16x8_s(u, v128.load32_splat(x0, 12)));
      a1 = i32x4.add(a1, i32x4.dot_i16x8_s(u, v128.load32_splat(x1, 12)));
      a2 = i32x4.add(a2, i32x4.dot_i16x8_s(u, v128.load32_splat(x2, 12)));
      a3 = i32x4.add(a3, i32x4.dot_i16x8_s(u, v128.load32_splat(x3, 12)));
      v = v128.load(w, 32); u = v128.and(v, mask000f());
      a0 = i32x4.add(a0, i32x4.dot_i16x8_s(u, v128.load32_splat(x0, 16)));
      a1 = i32x4.add(a1, i32x4.dot_i16x8_s(u, v128.load32_splat(x1, 16)));
      a2 = i32x4.add(a2, i32x4.dot_i16x8_s(u, v128.load32_splat(x2, 16)));
      a3 = i32x4.add(a3, i32x4.dot_i16x8_s(u, v128.load32_splat(x3, 16)));
      u = v128.and(v, mask00f0());
      a0 = i32x4.add(a0, i32x4.dot_i16x8_s(u, v128.load32_splat(x0, 20)));
      a1 = i32x4.add(a1, i32x4.dot_i16x8_s(u, v128.load32_splat(x1, 20)));
      a2 = i32x4.add(a2, i32x4.dot_i16x8_s(u, v128.load32_splat(x2, 20)));
      a3 = i32x4.add(a3, i32x4.dot_i16x8_s(u, v128.load32_splat(x3, 20)));
      u = v128.and(v, mask0f00());
      a0 = i32x4.add(a0, i32x4.dot_i16x8_s(u, v128.load32_splat(x0, 24)));
      a1 = i32x4.add(a1, i32x4.dot_i16x8_s(u, v128.load32_splat(x1, 24)));
      a2 = i32x4.add(a2, i32x4.dot_i16x8_s(u, v128.load32_splat(x2, 24)));
      a3 = i32x4.add(a3, i32x4.dot_i16x8_s(u, v128.load32_splat(x3, 24)));
      u = i16x8.shr_u(v, 12);
      a0 = i32x4.add(a0, i32x4.dot_i16x8_s(u, v128.load32_splat(x0, 28)));
      a1 = i32x4.add(a1, i32x4.dot_i16x8_s(u, v128.load32_splat(x1, 28)));
      a2 = i32x4.add(a2, i32x4.dot_i16x8_s(u, v128.load32_splat(x2, 28)));
      a3 = i32x4.add(a3, i32x4.dot_i16x8_s(u, v128.load32_splat(x3, 28)));
      v = v128.load(w, 64); u = v128.and(v, mask000f());
      a0 = i32x4.add(a0, i32x4.dot_i16x8_s(u, v128.load32_splat(x0, 32)));
      a1 = i32x4.add(a1, i32x4.dot_i16x8_s(u, v128.load32_splat(x1, 32)));
      a2 = i32x4.add(a2, i32x4.dot_i16x8_s(u, v128.load32_splat(x2, 32)));
      a3 = i32x4.add(a3, i32x4.dot_i16x8_s(u, v128.load32_splat(x3, 32)));
      u = v128.and(v, mask00f0());
      a0 = i32x4.add(a0, i32x4.dot_i16x8_s(u, v128.load32_splat(x0, 36)));
      a1 = i32x4.add(a1, i32x4.dot_i16x8_s(u, v128.load32_splat(x1, 36)));
      a2 = i32x4.add(a2, i32x4.dot_i16x8_s(u, v128.load32_splat(x2, 36)));
      a3 = i32x4.add(a3, i32x4.dot_i16x8_s(u, v128.load32_splat(x3, 36)));
      u = v128.and(v, mask0f00());
      a0 = i32x4.add(a0, i32x4.dot_i16x8_s(u, v128.load32_splat(x0, 40)));
      a1 = i32x4.add(a1, i32x4.dot_i16x8_s(u, v128.load32_splat(x1, 40)));
      a2 = i32x4.add(a2, i32x4.dot_i16x8_s(u, v128.load32_splat(x2, 40)));
      a3 = i32x4.add(a3, i32x4.dot_i16x8_s(u, v128.load32_splat(x3, 40)));
      u = i16x8.shr_u(v, 12);
      a0 = i32x4.add(a0, i32x4.dot_i16x8_s(u, v128.load32_splat(x0, 44)));
      a1 = i32x4.add(a1, i32x4.dot_i16x8_s(u, v128.load32_splat(x1, 44)));
      a2 = i32x4.add(a2, i32x4.dot_i16x8_s(u, v128.load32_splat(x2, 44)));
      a3 = i32x4.add(a3, i32x4.dot_i16x8_s(u, v128.load32_splat(x3, 44)));
      v = v128.load(w, 96); u = v128.and(v, mask000f());
      a0 = i32x4.add(a0, i32x4.dot_i16x8_s(u, v128.load32_splat(x0, 48)));
      a1 = i32x4.add(a1, i32x4.dot_i16x8_s(u, v128.load32_splat(x1, 48)));
      a2 = i32x4.add(a2, i32x4.dot_i16x8_s(u, v128.load32_splat(x2, 48)));
      a3 = i32x4.add(a3, i32x4.dot_i16x8_s(u, v128.load32_splat(x3, 48)));
      u = v128.and(v, mask00f0());
      a0 = i32x4.add(a0, i32x4.dot_i16x8_s(u, v128.load32_splat(x0, 52)));
      a1 = i32x4.add(a1, i32x4.dot_i16x8_s(u, v128.load32_splat(x1, 52)));
      a2 = i32x4.add(a2, i32x4.dot_i16x8_s(u, v128.load32_splat(x2, 52)));
      a3 = i32x4.add(a3, i32x4.dot_i16x8_s(u, v128.load32_splat(x3, 52)));
      u = v128.and(v, mask0f00());
      a0 = i32x4.add(a0, i32x4.dot_i16x8_s(u, v128.load32_splat(x0, 56)));
      a1 = i32x4.add(a1, i32x4.dot_i16x8_s(u, v128.load32_splat(x1, 56)));
      a2 = i32x4.add(a2, i32x4.dot_i16x8_s(u, v128.load32_splat(x2, 56)));
      a3 = i32x4.add(a3, i32x4.dot_i16x8_s(u, v128.load32_splat(x3, 56)));
      u = i16x8.shr_u(v, 12);
      a0 = i32x4.add(a0, i32x4.dot_i16x8_s(u, v128.load32_splat(x0, 60)));
      a1 = i32x4.add(a1, i32x4.dot_i16x8_s(u, v128.load32_splat(x1, 60)));
      a2 = i32x4.add(a2, i32x4.dot_i16x8_s(u, v128.load32_splat(x2, 60)));
      a3 = i32x4.add(a3, i32x4.dot_i16x8_s(u, v128.load32_splat(x3, 60)));
    }
    const tail = x4Data();
    if (layout == Layout.q4_k) {
      g0 = addBlock(layout, a0, w + scaleAt, 0, x0 + tail, g0); h0 = addMin(w + minAt, x0 + tail, h0);
      g1 = addBlock(layout, a1, w + scaleAt, 0, x1 + tail, g1); h1 = addMin(w + minAt, x1 + tail, h1);
      g2 = addBlock(layout, a2, w + scaleAt, 0, x2 + tail, g2); h2 = addMin(w + minAt, x2 + tail, h2);
      g3 = addBlock(layout, a3, w + scaleAt, 0, x3 + tail, g3); h3 = addMin(w + minAt, x3 + tail, h3);
    } else {
      f0 = addBlock(layout, a0, w + scaleAt, w + minAt, x0 + tail, f0);
      f1 = addBlock(layout, a1, w + scaleAt, w + minAt, x1 + tail, f1);
      f2 = addBlock(layout, a2, w + scaleAt, w + minAt, x2 + tail, f2);
      f3 = addBlock(layout, a3, w + scaleAt, w + minAt, x3 + tail, f3);
    }
    w += blockBytes;
    x0 += x4Stride(); x1 += x4Stride(); x2 += x4Stride(); x3 += x4Stride();
    if (layout == Layout.q4_k) {
      if ((iBlock & 7) == 7) {
        const d = w - set * 16 + set * 8;
        f0 = closeSuper(g0, h0, d, d + 16, f0);
        f1 = closeSuper(g1, h1, d, d + 16, f1);
        f2 = closeSuper(g2, h2, d, d + 16, f2);
        f3 = closeSuper(g3, h3, d, d + 16, f3);
        g0 = f32x4.splat(0); g1 = g0; g2 = g0; g3 = g0; h0 = g0; h1 = g0; h2 = g0; h3 = g0;
        w += 32;
      }
    }
  }
  v128.store(y0, f0); v128.store(y1, f1); v128.store(y2, f2); v128.store(y3, f3);
}

/** `layout` must be a literal. */
@inline function matmul(layout: i32, w: usize, groups: i32, cols: i32, x: usize, xStride: usize, nTokens: i32, y: usize, yStride: usize): void {
  const nBlocks = cols >> 5;
  const groupBytes: usize = layout == Layout.q4_k ? <usize>(nBlocks >> 3) * 1184 : <usize>nBlocks * (layout == Layout.q4_1 ? 160 : 144);
  const last = <usize>(nTokens - 1);
  for (const end = y + (<usize>groups << 5); y < end; y += 32) {
    for (let t: usize = 0; t <= last; t += 4) {
      const t1 = min(t + 1, last), t2 = min(t + 2, last), t3 = min(t + 3, last);
      const x0 = x + t * xStride, x1 = x + t1 * xStride, x2 = x + t2 * xStride, x3 = x + t3 * xStride;
      const y0 = y + t * yStride, y1 = y + t1 * yStride, y2 = y + t2 * yStride, y3 = y + t3 * yStride;
      tile(layout, 0, w, nBlocks, x0, x1, x2, x3, y0, y1, y2, y3);
      tile(layout, 1, w + 16, nBlocks, x0, x1, x2, x3, y0 + 16, y1 + 16, y2 + 16, y3 + 16);
    }
    w += groupBytes;
  }
}

export function matmulQ40(w: usize, groups: i32, cols: i32, x4: usize, xStride: usize, nTokens: i32, y: usize, yStride: usize): void {
  matmul(Layout.q4_0, w, groups, cols, x4, xStride, nTokens, y, yStride);
}
export function matmulQ41(w: usize, groups: i32, cols: i32, x4: usize, xStride: usize, nTokens: i32, y: usize, yStride: usize): void {
  matmul(Layout.q4_1, w, groups, cols, x4, xStride, nTokens, y, yStride);
}
export function matmulQ4K(w: usize, groups: i32, cols: i32, x4: usize, xStride: usize, nTokens: i32, y: usize, yStride: usize): void {
  matmul(Layout.q4_k, w, groups, cols, x4, xStride, nTokens, y, yStride);
}
