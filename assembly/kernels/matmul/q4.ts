/**
 * Y[nTokens, rows] = X W^T for 4-bit weights in the interleaved layouts q4_0, q4_1 and q4_k, X quantised as X4 records, one vector after the
 * other. A tile is 8 rows x 2 tokens: every unpacked weight vector meets two activations and every activation two weight vectors, with
 * four accumulators (4 rows x 4 tokens loads half as much again and is a quarter slower; more tokens spill: V8 has 15 vector
 * registers on x64). Every sum is taken in the order of kernels/matvec/q4.ts, so a token's result does not depend on how the prompt was
 * cut into chunks. An odd last token is computed twice.
 * Preconditions: those of the matvec; `xStride` bytes from one token's records to the next, `yStride` bytes from row to row of Y.
 * Test: test/kernels/matmul.test.ts.
 */
import { Layout } from '../../abi/enums';
import { mask000f, mask00f0, mask0f00, nibbleMask, ones16, times32 } from '../../base/simd';
import { addBlock, addMin, closeSuper } from '../matvec/q4';
import { x4Data, x4Stride } from '../quantize/quantize';

/** relaxed: 4 rows x 8 columns from low and high nibbles, sums in i16. */
@inline function dot8(xa: v128, xb: v128, low: v128, high: v128): v128 {
  return i16x8.add(i16x8.relaxed_dot_i8x16_i7x16_s(xa, low), i16x8.relaxed_dot_i8x16_i7x16_s(xb, high));
}

/** base: 4 rows x 4 columns from two masked vectors, sums in i32 (times 256). */
@inline function dot4(xa: v128, xb: v128, k: v128, l: v128): v128 {
  return i32x4.add(i32x4.dot_i16x8_s(k, xa), i32x4.dot_i16x8_s(l, xb));
}

/** 8 rows times 2 tokens. `layout` is a literal. */
@inline function tile(layout: i32, w: usize, nBlocks: i32, x: usize, z: usize, yx: usize, yz: usize): void {
  const low = nibbleMask(), one = ones16(), tail = x4Data();
  const blockBytes: usize = layout == Layout.q4_1 ? 160 : 144;
  let f0 = f32x4.splat(0), f1 = f0, e0 = f0, e1 = f0; // sums of token x, of token z
  let g0 = f0, g1 = f0, h0 = f0, h1 = f0, i0 = f0, i1 = f0, j0 = f0, j1 = f0; // q4_k: of the superblock under way
  for (let iBlock = 0; iBlock < nBlocks; iBlock++) {
    let a0 = i32x4.splat(0), a1 = a0, b0 = a0, b1 = a0, p = w, q = x, r = z;
    const stop = w + 128;
    if (ASC_FEATURE_RELAXED_SIMD) {
      for (; p < stop; p += 32, q += 8, r += 8) {
        const v = v128.load(p), u = v128.load(p, 16);
        const vl = v128.and(v, low), vh = v128.and(i16x8.shr_u(v, 4), low), ul = v128.and(u, low), uh = v128.and(i16x8.shr_u(u, 4), low);
        const qa = v128.load32_splat(q), qb = v128.load32_splat(q, 4), ra = v128.load32_splat(r), rb = v128.load32_splat(r, 4);
        a0 = i16x8.add(a0, dot8(qa, qb, vl, vh)); a1 = i16x8.add(a1, dot8(qa, qb, ul, uh));
        b0 = i16x8.add(b0, dot8(ra, rb, vl, vh)); b1 = i16x8.add(b1, dot8(ra, rb, ul, uh));
      }
      a0 = i32x4.dot_i16x8_s(a0, one); a1 = i32x4.dot_i16x8_s(a1, one);
      b0 = i32x4.dot_i16x8_s(b0, one); b1 = i32x4.dot_i16x8_s(b1, one);
    } else { // even columns, then odd ones: all eight masked vectors at once would spill
      for (; p < stop; p += 32, q += 16, r += 16) {
        const v = v128.load(p), u = v128.load(p, 16);
        const vk = v128.and(v, mask000f()), vl = v128.and(v, mask00f0()), uk = v128.and(u, mask000f()), ul = v128.and(u, mask00f0());
        const qa = v128.load32_splat(q), qb = v128.load32_splat(q, 4), ra = v128.load32_splat(r), rb = v128.load32_splat(r, 4);
        a0 = i32x4.add(a0, dot4(qa, qb, vk, vl)); a1 = i32x4.add(a1, dot4(qa, qb, uk, ul));
        b0 = i32x4.add(b0, dot4(ra, rb, vk, vl)); b1 = i32x4.add(b1, dot4(ra, rb, uk, ul));
      }
      p = w; q = x + 8; r = z + 8;
      for (; p < stop; p += 32, q += 16, r += 16) {
        const v = v128.load(p), u = v128.load(p, 16);
        const vk = v128.and(v, mask0f00()), vl = i16x8.shr_u(v, 12), uk = v128.and(u, mask0f00()), ul = i16x8.shr_u(u, 12);
        const qa = v128.load32_splat(q), qb = v128.load32_splat(q, 4), ra = v128.load32_splat(r), rb = v128.load32_splat(r, 4);
        a0 = i32x4.add(a0, dot4(qa, qb, vk, vl)); a1 = i32x4.add(a1, dot4(qa, qb, uk, ul));
        b0 = i32x4.add(b0, dot4(ra, rb, vk, vl)); b1 = i32x4.add(b1, dot4(ra, rb, uk, ul));
      }
    }
    if (layout == Layout.q4_k) {
      g0 = addBlock(layout, a0, w + 128, 0, x + tail, g0); g1 = addBlock(layout, a1, w + 132, 0, x + tail, g1);
      h0 = addMin(w + 136, x + tail, h0); h1 = addMin(w + 140, x + tail, h1);
      i0 = addBlock(layout, b0, w + 128, 0, z + tail, i0); i1 = addBlock(layout, b1, w + 132, 0, z + tail, i1);
      j0 = addMin(w + 136, z + tail, j0); j1 = addMin(w + 140, z + tail, j1);
    } else {
      f0 = addBlock(layout, a0, w + 128, w + 144, x + tail, f0); f1 = addBlock(layout, a1, w + 136, w + 152, x + tail, f1);
      e0 = addBlock(layout, b0, w + 128, w + 144, z + tail, e0); e1 = addBlock(layout, b1, w + 136, w + 152, z + tail, e1);
    }
    w += blockBytes;
    x += x4Stride(); z += x4Stride();
    if (layout == Layout.q4_k) {
      if ((iBlock & 7) == 7) {
        f0 = closeSuper(g0, h0, w, w + 16, f0); f1 = closeSuper(g1, h1, w + 8, w + 24, f1);
        e0 = closeSuper(i0, j0, w, w + 16, e0); e1 = closeSuper(i1, j1, w + 8, w + 24, e1);
        g0 = f32x4.splat(0); g1 = g0; h0 = g0; h1 = g0; i0 = g0; i1 = g0; j0 = g0; j1 = g0;
        w += 32;
      }
    }
  }
  v128.store(yx, layout == Layout.q4_k ? f0 : times32(f0)); v128.store(yx, layout == Layout.q4_k ? f1 : times32(f1), 16);
  v128.store(yz, layout == Layout.q4_k ? e0 : times32(e0)); v128.store(yz, layout == Layout.q4_k ? e1 : times32(e1), 16);
}

/** `layout` must be a literal. */
@inline function matmul(layout: i32, w: usize, groups: i32, cols: i32, x: usize, xStride: usize, nTokens: i32, y: usize, yStride: usize): void {
  const nBlocks = cols >> 5;
  const groupBytes: usize = layout == Layout.q4_k ? <usize>(nBlocks >> 3) * 1184 : <usize>nBlocks * (layout == Layout.q4_1 ? 160 : 144);
  const last = <usize>(nTokens - 1);
  for (const end = y + (<usize>groups << 5); y < end; y += 32) {
    for (let t: usize = 0; t <= last; t += 2) {
      const s = min(t + 1, last);
      tile(layout, w, nBlocks, x + t * xStride, x + s * xStride, y + t * yStride, y + s * yStride);
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
