/**
 * Y[nTokens, rows] = X W^T for W in any interleaved layout, X as in kernels/matvec, one vector after the other. A tile is 8 rows x 2
 * tokens: every unpacked weight vector meets two activations and every activation two weight vectors, with four accumulators (4 rows x 4
 * tokens loads half as much again and is a quarter slower; more tokens spill: V8 has 15 vector registers on x64). Every sum is taken in the
 * order of kernels/matvec, so a token's result does not depend on how the prompt was cut into chunks. An odd last token is computed twice.
 * Preconditions: those of the matvec; `xStride` bytes from one token's x to the next, `yStride` bytes from row to row of Y; `scratch` has
 * room for 8 * cols bytes (Packed layouts, packed.ts).
 * Test: test/kernels/matmul.test.ts.
 */
import { TWO32, madd, mask000f, mask00f0, mask00ff, mask0f00, nibbleMask, ones16 } from '../../base/simd';
import { blockBytes, groupBytes, isFloat, isNibbles, isHalf, isPacked, isSuper, the, unitBytes } from '../../layouts/kinds';
import { forLayout } from '../../layouts/table';
import { scale } from '../activation/activation';
import { dotBytes } from '../matvec/dots';
import { lifted } from '../matvec/floats';
import { recordData, recordStride } from '../quantize/quantize';
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

function floats<L>(w0: usize, groups: i32, cols: i32, x: usize, xStride: usize, nTokens: i32, y: usize, yStride: usize): void {
  const set = unitBytes<L>() >> 1; // 4 rows of a column
  const mask = the<L>().mask, first = the<L>().first, second = the<L>().second, lift = f32x4.splat(the<L>().lift);
  const last = <usize>(nTokens - 1);
  for (const end = y + (<usize>groups << 5); y < end; y += 32) {
    for (let t: usize = 0; t <= last; t += 2) {
      const t1 = min(t + 1, last);
      let p = x + t * xStride, q = x + t1 * xStride, w = w0;
      const pEven = p + ((<usize>cols >> 1) << 3);
      let a0 = f32x4.splat(0), a1 = a0, b0 = a0, b1 = a0, c0 = a0, c1 = a0, d0 = a0, d1 = a0;
      for (; p < pEven; p += 8, q += 8) {
        let v: v128, u: v128, pairs = f32x4.splat(0), others = pairs;
        let r = lifted<L>(v128.load32_splat(p), lift), s = lifted<L>(v128.load32_splat(q), lift);
        if (isHalf<L>()) {
          pairs = v128.load(w); others = v128.load(w, 16);
          v = the<L>().even(pairs, first, mask); u = the<L>().even(others, first, mask);
        } else {
          v = the<L>().four(w); u = the<L>().four(w + set);
        }
        a0 = madd(v, r, a0); a1 = madd(u, r, a1);
        c0 = madd(v, s, c0); c1 = madd(u, s, c1);
        if (isHalf<L>()) {
          v = the<L>().odd(pairs, second, mask); u = the<L>().odd(others, second, mask);
        } else {
          v = the<L>().four(w + 2 * set); u = the<L>().four(w + 3 * set);
        }
        r = lifted<L>(v128.load32_splat(p, 4), lift); s = lifted<L>(v128.load32_splat(q, 4), lift);
        b0 = madd(v, r, b0); b1 = madd(u, r, b1);
        d0 = madd(v, s, d0); d1 = madd(u, s, d1);
        w += 4 * set;
      }
      if (cols & 1) {
        const v = the<L>().four(w), u = the<L>().four(w + set);
        const r = lifted<L>(v128.load32_splat(p), lift), s = lifted<L>(v128.load32_splat(q), lift);
        a0 = madd(v, r, a0); a1 = madd(u, r, a1);
        c0 = madd(v, s, c0); c1 = madd(u, s, c1);
      }
      const y0 = y + t * yStride, y1 = y + t1 * yStride;
      v128.store(y0, lifted<L>(f32x4.add(a0, b0), lift)); v128.store(y0, lifted<L>(f32x4.add(a1, b1), lift), 16);
      v128.store(y1, lifted<L>(f32x4.add(c0, d0), lift)); v128.store(y1, lifted<L>(f32x4.add(c1, d1), lift), 16);
    }
    w0 += groupBytes<L>(cols);
  }
}

@unmanaged class Matmul {
  @inline on<L>(
    w: usize, groups: usize, cols: usize, x: usize, xStride: usize, nTokens: usize, y: usize, yStride: usize, scratch: usize,
  ): usize {
    if (isFloat<L>()) floats<L>(w, <i32>groups, <i32>cols, x, xStride, <i32>nTokens, y, yStride);
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
