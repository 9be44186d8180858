/**
 * Y[nTokens, rows] = X W^T for W in any interleaved layout, X as in kernels/matvec, one vector after the other. A tile is 8 rows x 2
 * tokens: every unpacked weight vector meets two activations and every activation two weight vectors, with four accumulators (4 rows x 4
 * tokens loads half as much again and is a quarter slower; more tokens spill: V8 has 15 vector registers on x64). Every sum is taken in the
 * order of kernels/matvec, so a token's result does not depend on how the prompt was cut into chunks. An odd last token is computed twice.
 * Preconditions: those of the matvec; `xStride` bytes from one token's x to the next, `yStride` bytes from row to row of Y; `scratch` has
 * room for 8 * cols bytes (Packed layouts, packed.ts).
 * Test: test/kernels/matmul.test.ts.
 */
import { TWO32, mask000f, mask00f0, mask00ff, mask0f00, nibbleMask, ones16 } from '../../base/simd';
import { blockBytes, groupBytes, isFloat, isNibbles, isPacked, isSuper, the } from '../../layouts/kinds';
import { forLayout } from '../../layouts/table';
import { scale } from '../activation/activation';
import { dotBytes } from '../matvec/dots';
import { recordData, recordStride } from '../quantize/quantize';
import { blocks } from './blocks';
import { floats } from './floats';
import { packedMatmul } from './packed';

/** relaxed: 4 rows x 8 columns from low and high nibbles, sums in i16. */
@inline function dot8(xa: v128, xb: v128, low: v128, high: v128): v128 {
  return i16x8.add(i16x8.relaxed_dot_i8x16_i7x16_s(xa, low), i16x8.relaxed_dot_i8x16_i7x16_s(xb, high));
}

/** base: 4 rows x 4 columns from two masked vectors, sums in i32 (times 256). */
@inline function dot4(xa: v128, xb: v128, k: v128, l: v128): v128 {
  return i32x4.add(i32x4.dot_i16x8_s(k, xa), i32x4.dot_i16x8_s(l, xb));
}

/** 8 rows times 2 tokens. */
@inline function quantTile<L>(w: usize, nBlocks: i32, x: usize, z: usize, yx: usize, yz: usize): void {
  const low = isNibbles<L>() ? nibbleMask() : mask00ff(), one = isNibbles<L>() ? ones16() : low;
  let f0 = f32x4.splat(0), f1 = f0, e0 = f0, e1 = f0; // sums of token x, of token z
  let g0 = f0, g1 = f0, h0 = f0, h1 = f0, i0 = f0, i1 = f0, j0 = f0, j1 = f0; // of the superblock under way
  for (let iBlock = 0; iBlock < nBlocks; iBlock++) {
    let a0: v128, a1: v128, b0: v128, b1: v128, p = w, q = x, r = z, tail: usize, tailZ: usize;
    if (isNibbles<L>()) {
      const stop = w + 128;
      a0 = i32x4.splat(0); a1 = a0; b0 = a0; b1 = a0;
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
      tail = x + recordData<L>(); tailZ = z + recordData<L>();
    } else {
      tail = x + recordData<L>(); tailZ = z + recordData<L>();
      a0 = v128.load32_splat(tail, 16); a1 = a0; b0 = v128.load32_splat(tailZ, 16); b1 = b0;
      for (const stop = w + 128; p < stop; p += 32, q += 8, r += 8) {
        const v = v128.load(p), u = v128.load(p, 16), vl = v128.and(v, low), ul = v128.and(u, low);
        const qo = v128.load32_splat(q), qe = v128.load32_splat(q, 4), ro = v128.load32_splat(r), re = v128.load32_splat(r, 4);
        a0 = i32x4.add(a0, dotBytes(v, vl, qo, qe)); a1 = i32x4.add(a1, dotBytes(u, ul, qo, qe));
        b0 = i32x4.add(b0, dotBytes(v, vl, ro, re)); b1 = i32x4.add(b1, dotBytes(u, ul, ro, re));
      }
      const second = v128.load32_splat(tail, 20), secondZ = v128.load32_splat(tailZ, 20);
      a0 = i32x4.add(a0, second); a1 = i32x4.add(a1, second); b0 = i32x4.add(b0, secondZ); b1 = i32x4.add(b1, secondZ);
      for (const stop = w + 256; p < stop; p += 32, q += 8, r += 8) {
        const v = v128.load(p), u = v128.load(p, 16), vl = v128.and(v, low), ul = v128.and(u, low);
        const qo = v128.load32_splat(q), qe = v128.load32_splat(q, 4), ro = v128.load32_splat(r), re = v128.load32_splat(r, 4);
        a0 = i32x4.add(a0, dotBytes(v, vl, qo, qe)); a1 = i32x4.add(a1, dotBytes(u, ul, qo, qe));
        b0 = i32x4.add(b0, dotBytes(v, vl, ro, re)); b1 = i32x4.add(b1, dotBytes(u, ul, ro, re));
      }
    }
    if (isSuper<L>()) {
      g0 = the<L>().add(w, 0, a0, tail, g0); g1 = the<L>().add(w, 1, a1, tail, g1);
      if (the<L>().mins) { h0 = the<L>().addMin(w, 0, tail, h0); h1 = the<L>().addMin(w, 1, tail, h1); }
      i0 = the<L>().add(w, 0, b0, tailZ, i0); i1 = the<L>().add(w, 1, b1, tailZ, i1);
      if (the<L>().mins) { j0 = the<L>().addMin(w, 0, tailZ, j0); j1 = the<L>().addMin(w, 1, tailZ, j1); }
    } else {
      f0 = the<L>().add(w, 0, a0, tail, f0); f1 = the<L>().add(w, 1, a1, tail, f1);
      e0 = the<L>().add(w, 0, b0, tailZ, e0); e1 = the<L>().add(w, 1, b1, tailZ, e1);
    }
    w += blockBytes<L>();
    x += recordStride<L>(); z += recordStride<L>();
    if (isSuper<L>()) {
      if ((iBlock & 7) == 7) {
        f0 = the<L>().close(w, 0, g0, h0, f0); f1 = the<L>().close(w, 1, g1, h1, f1);
        e0 = the<L>().close(w, 0, i0, j0, e0); e1 = the<L>().close(w, 1, i1, j1, e1);
        g0 = f32x4.splat(0); g1 = g0; h0 = g0; h1 = g0; i0 = g0; i1 = g0; j0 = g0; j1 = g0;
        w += the<L>().factorBytes;
      }
    }
  }
  v128.store(yx, f0); v128.store(yx, f1, 16);
  v128.store(yz, e0); v128.store(yz, e1, 16);
}

function quants<L>(w: usize, groups: i32, cols: i32, x: usize, xStride: usize, nTokens: i32, y: usize, yStride: usize): void {
  const nBlocks = cols >> 5, y0 = y;
  const last = <usize>(nTokens - 1);
  for (const end = y + (<usize>groups << 5); y < end; y += 32) {
    for (let t: usize = 0; t <= last; t += 2) {
      const s = min(t + 1, last);
      quantTile<L>(w, nBlocks, x + t * xStride, x + s * xStride, y + t * yStride, y + s * yStride);
    }
    w += groupBytes<L>(cols);
  }
  if (isSuper<L>()) return;
  // not in the tile, which it makes 3 to 7 per cent slower (measured, Node 20)
  for (let t: usize = 0; t <= last; t++) scale(y0 + t * yStride, TWO32, groups << 3);
}

@unmanaged class Matmul {
  @inline on<L>(
    w: usize, groups: usize, cols: usize, x: usize, xStride: usize, nTokens: usize, y: usize, yStride: usize, scratch: usize,
  ): usize {
    if (isFloat<L>()) floats<L>(w, groups, cols, x, xStride, nTokens, y, yStride, scratch);
    else if (!isSuper<L>()) blocks<L>(w, groups, cols, x, xStride, nTokens, y, yStride, scratch);
    else if (isPacked<L>()) packedMatmul<L>(w, <i32>groups, <i32>cols, x, xStride, <i32>nTokens, y, yStride, scratch);
    else quants<L>(w, <i32>groups, <i32>cols, x, xStride, <i32>nTokens, y, yStride);
    return 0;
  }
}

export function matmul(
  layout: i32, w: usize, groups: i32, cols: i32, x: usize, xStride: usize, nTokens: i32, y: usize, yStride: usize,
  scratch: usize,
): void {
  forLayout<Matmul>(layout, w, groups, cols, x, xStride, nTokens, y, yStride, scratch);
}
