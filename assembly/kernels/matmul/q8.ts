/**
 * Y[nTokens, rows] = X W^T for 8-bit weights in the interleaved layouts q8_0, q8_1, q5_k and q6_k, X quantised as X8 records. Tiles of
 * 8 rows x 2 tokens as in kernels/matmul/q4.ts; arithmetic and order of sums as in kernels/matvec/q8.ts.
 * Test: test/kernels/matmul.test.ts.
 */
import { Layout } from '../../abi/enums';
import { mask00ff, times32 } from '../../base/simd';
import { addBlock8, addMin8, closeSuper8, dot4 } from '../matvec/q8';
import { X8_DATA, X8_STRIDE } from '../quantize/quantize';

/** 8 rows times 2 tokens. `layout` is a literal. */
@inline function tile(layout: i32, w: usize, nBlocks: i32, x: usize, z: usize, yx: usize, yz: usize): void {
  const low = mask00ff();
  const superblocks = layout == Layout.q5_k || layout == Layout.q6_k; // folded
  const blockBytes: usize = layout == Layout.q8_1 ? 288 : 272;
  let f0 = f32x4.splat(0), f1 = f0, e0 = f0, e1 = f0; // sums of token x, of token z
  let g0 = f0, g1 = f0, h0 = f0, h1 = f0, i0 = f0, i1 = f0, j0 = f0, j1 = f0; // of the superblock under way
  for (let iBlock = 0; iBlock < nBlocks; iBlock++) {
    const tail = x + X8_DATA, tailZ = z + X8_DATA;
    let a0 = v128.load32_splat(tail, 16), a1 = a0, b0 = v128.load32_splat(tailZ, 16), b1 = b0;
    let p = w, q = x, r = z;
    for (const stop = w + 128; p < stop; p += 32, q += 8, r += 8) {
      const v = v128.load(p), u = v128.load(p, 16), vl = v128.and(v, low), ul = v128.and(u, low);
      const qo = v128.load32_splat(q), qe = v128.load32_splat(q, 4), ro = v128.load32_splat(r), re = v128.load32_splat(r, 4);
      a0 = i32x4.add(a0, dot4(v, vl, qo, qe)); a1 = i32x4.add(a1, dot4(u, ul, qo, qe));
      b0 = i32x4.add(b0, dot4(v, vl, ro, re)); b1 = i32x4.add(b1, dot4(u, ul, ro, re));
    }
    if (layout == Layout.q6_k) {
      g0 = addBlock8(layout, a0, w + 256, 0, tail, g0); g1 = addBlock8(layout, a1, w + 260, 0, tail, g1);
      i0 = addBlock8(layout, b0, w + 256, 0, tailZ, i0); i1 = addBlock8(layout, b1, w + 260, 0, tailZ, i1);
      a0 = v128.load32_splat(tail, 20); a1 = a0; b0 = v128.load32_splat(tailZ, 20); b1 = b0;
    } else {
      const second = v128.load32_splat(tail, 20), secondZ = v128.load32_splat(tailZ, 20);
      a0 = i32x4.add(a0, second); a1 = i32x4.add(a1, second); b0 = i32x4.add(b0, secondZ); b1 = i32x4.add(b1, secondZ);
    }
    for (const stop = w + 256; p < stop; p += 32, q += 8, r += 8) {
      const v = v128.load(p), u = v128.load(p, 16), vl = v128.and(v, low), ul = v128.and(u, low);
      const qo = v128.load32_splat(q), qe = v128.load32_splat(q, 4), ro = v128.load32_splat(r), re = v128.load32_splat(r, 4);
      a0 = i32x4.add(a0, dot4(v, vl, qo, qe)); a1 = i32x4.add(a1, dot4(u, ul, qo, qe));
      b0 = i32x4.add(b0, dot4(v, vl, ro, re)); b1 = i32x4.add(b1, dot4(u, ul, ro, re));
    }
    if (layout == Layout.q6_k) {
      g0 = addBlock8(layout, a0, w + 264, 0, tail, g0); g1 = addBlock8(layout, a1, w + 268, 0, tail, g1);
      i0 = addBlock8(layout, b0, w + 264, 0, tailZ, i0); i1 = addBlock8(layout, b1, w + 268, 0, tailZ, i1);
    } else if (layout == Layout.q5_k) {
      g0 = addBlock8(layout, a0, w + 256, 0, tail, g0); g1 = addBlock8(layout, a1, w + 260, 0, tail, g1);
      i0 = addBlock8(layout, b0, w + 256, 0, tailZ, i0); i1 = addBlock8(layout, b1, w + 260, 0, tailZ, i1);
      h0 = addMin8(w + 264, tail, h0); h1 = addMin8(w + 268, tail, h1);
      j0 = addMin8(w + 264, tailZ, j0); j1 = addMin8(w + 268, tailZ, j1);
    } else {
      f0 = addBlock8(layout, a0, w + 256, w + 272, tail, f0); f1 = addBlock8(layout, a1, w + 264, w + 280, tail, f1);
      e0 = addBlock8(layout, b0, w + 256, w + 272, tailZ, e0); e1 = addBlock8(layout, b1, w + 264, w + 280, tailZ, e1);
    }
    w += blockBytes;
    x += X8_STRIDE; z += X8_STRIDE;
    if (superblocks) {
      if ((iBlock & 7) == 7) {
        f0 = closeSuper8(layout, g0, h0, w, f0); f1 = closeSuper8(layout, g1, h1, w + 8, f1);
        e0 = closeSuper8(layout, i0, j0, w, e0); e1 = closeSuper8(layout, i1, j1, w + 8, e1);
        g0 = f32x4.splat(0); g1 = g0; h0 = g0; h1 = g0; i0 = g0; i1 = g0; j0 = g0; j1 = g0;
        w += layout == Layout.q5_k ? 32 : 16;
      }
    }
  }
  v128.store(yx, superblocks ? f0 : times32(f0)); v128.store(yx, superblocks ? f1 : times32(f1), 16);
  v128.store(yz, superblocks ? e0 : times32(e0)); v128.store(yz, superblocks ? e1 : times32(e1), 16);
}

/** `layout` must be a literal. */
@inline function matmul(layout: i32, w: usize, groups: i32, cols: i32, x: usize, xStride: usize, nTokens: i32, y: usize, yStride: usize): void {
  const nBlocks = cols >> 5;
  const groupBytes: usize = layout == Layout.q5_k ? <usize>(nBlocks >> 3) * 2208
    : layout == Layout.q6_k ? <usize>(nBlocks >> 3) * 2192
    : <usize>nBlocks * (layout == Layout.q8_1 ? 288 : 272);
  const last = <usize>(nTokens - 1);
  for (const end = y + (<usize>groups << 5); y < end; y += 32) {
    for (let t: usize = 0; t <= last; t += 2) {
      const s = min(t + 1, last);
      tile(layout, w, nBlocks, x + t * xStride, x + s * xStride, y + t * yStride, y + s * yStride);
    }
    w += groupBytes;
  }
}

export function matmulQ80(w: usize, groups: i32, cols: i32, x8: usize, xStride: usize, nTokens: i32, y: usize, yStride: usize): void {
  matmul(Layout.q8_0, w, groups, cols, x8, xStride, nTokens, y, yStride);
}
export function matmulQ81(w: usize, groups: i32, cols: i32, x8: usize, xStride: usize, nTokens: i32, y: usize, yStride: usize): void {
  matmul(Layout.q8_1, w, groups, cols, x8, xStride, nTokens, y, yStride);
}
export function matmulQ5K(w: usize, groups: i32, cols: i32, x8: usize, xStride: usize, nTokens: i32, y: usize, yStride: usize): void {
  matmul(Layout.q5_k, w, groups, cols, x8, xStride, nTokens, y, yStride);
}
export function matmulQ6K(w: usize, groups: i32, cols: i32, x8: usize, xStride: usize, nTokens: i32, y: usize, yStride: usize): void {
  matmul(Layout.q6_k, w, groups, cols, x8, xStride, nTokens, y, yStride);
}
