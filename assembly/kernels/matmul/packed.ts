/**
 * kernels/matmul for Packed layouts: a group of 8 rows is unpacked into bytes once for all tokens (`scratch`, 8 B a column: per 4 columns,
 * [set 0: 16 B][set 1: 16 B]); then tiles of 8 rows x 2 tokens, with the sums of kernels/matvec/packed.ts in its order.
 * Test: test/kernels/matmul.test.ts.
 */
import { TWO32, madd, mask00ff, ones16 } from '../../base/simd';
import { blockBytes, groupBytes, isSuper, the } from '../../layouts/kinds';
import { partOf } from '../../layouts/packed';
import { scale } from '../activation/activation';
import { dotBytes } from '../matvec/dots';
import { isNarrow, narrowMiddle, narrowStart, narrowSums, twice, wideScaled, wideStart } from '../matvec/packed';
import { recordData, recordStride } from '../quantize/quantize';

function unpackGroup<L>(w: usize, cols: i32, dst: usize): void {
  const a = the<L>().mask, b = the<L>().table(w), c = the<L>().third, halfBytes = the<L>().quantBytes >> 1;
  for (let iBlock = 1; iBlock <= cols >> 5; iBlock++) {
    for (const stop = w + the<L>().quantBytes; w < stop; w += halfBytes, dst += 128) {
      const v0 = partOf<L>(w, 0), v1 = partOf<L>(w, 1), v2 = partOf<L>(w, 2);
      const v3 = partOf<L>(w, 3), v4 = partOf<L>(w, 4), v5 = partOf<L>(w, 5);
      v128.store(dst, the<L>().vector(0, 0, v0, v1, v2, v3, v4, v5, a, b, c));
      v128.store(dst, the<L>().vector(1, 0, v0, v1, v2, v3, v4, v5, a, b, c), 16);
      v128.store(dst, the<L>().vector(0, 1, v0, v1, v2, v3, v4, v5, a, b, c), 32);
      v128.store(dst, the<L>().vector(1, 1, v0, v1, v2, v3, v4, v5, a, b, c), 48);
      v128.store(dst, the<L>().vector(0, 2, v0, v1, v2, v3, v4, v5, a, b, c), 64);
      v128.store(dst, the<L>().vector(1, 2, v0, v1, v2, v3, v4, v5, a, b, c), 80);
      v128.store(dst, the<L>().vector(0, 3, v0, v1, v2, v3, v4, v5, a, b, c), 96);
      v128.store(dst, the<L>().vector(1, 3, v0, v1, v2, v3, v4, v5, a, b, c), 112);
    }
    w += the<L>().scaleBytes;
    if (isSuper<L>() && (iBlock & 7) == 0) w += the<L>().factorBytes;
  }
}

/** Sums of 2 vectors, widened by m: a part of `narrowSums`, whose integers may be added in any order. */
@inline function two<L>(a: v128, b: v128, m: v128): v128 {
  if (the<L>().bits < 7) return i32x4.dot_i16x8_s(i16x8.add(a, b), m);
  return i32x4.add(i32x4.dot_i16x8_s(a, m), i32x4.dot_i16x8_s(b, m));
}

@inline function dot(x: v128, v: v128): v128 { return i16x8.relaxed_dot_i8x16_i7x16_s(x, v); }

/** 8 rows times 2 tokens; scales at `w`, quants at `p`. */
@inline function tile<L>(w: usize, p: usize, nBlocks: i32, x: usize, z: usize, yx: usize, yz: usize): void {
  const one = isNarrow<L>() ? ones16() : mask00ff();
  let f0 = f32x4.splat(0), f1 = f0, e0 = f0, e1 = f0; // sums of token x, of token z
  let g0 = f0, g1 = f0, h0 = f0, h1 = f0, i0 = f0, i1 = f0, j0 = f0, j1 = f0; // of the superblock under way
  for (let iBlock = 0; iBlock < nBlocks; iBlock++) {
    const tail = x + recordData<L>(), tailZ = z + recordData<L>();
    let a0 = i32x4.splat(0), a1 = a0, b0 = a0, b1 = a0, l0 = a0, l1 = a0, k0 = a0, k1 = a0;
    if (isNarrow<L>()) {
      if (!the<L>().halves) { a0 = narrowStart<L>(tail); a1 = a0; b0 = narrowStart<L>(tailZ); b1 = b0; }
    }
    let q = x, r = z, s = w + the<L>().quantBytes, sums: usize = 24;
    for (const end = p + 256; p < end; s += 8, sums += 4) {
      const stop = p + 128;
      if (isNarrow<L>()) {
        const m = the<L>().halves ? twice(the<L>().scales(s)) : one, n = the<L>().halves ? twice(the<L>().scales(s + 4)) : one;
        for (; p < stop; p += 64, q += 8, r += 8) {
          const v0 = v128.load(p), v1 = v128.load(p, 16), u0 = v128.load(p, 32), u1 = v128.load(p, 48);
          const xa = v128.load32_splat(q), xb = v128.load32_splat(q, 4), za = v128.load32_splat(r), zb = v128.load32_splat(r, 4);
          a0 = i32x4.add(a0, two<L>(dot(xa, v0), dot(xb, u0), m)); a1 = i32x4.add(a1, two<L>(dot(xa, v1), dot(xb, u1), n));
          b0 = i32x4.add(b0, two<L>(dot(za, v0), dot(zb, u0), m)); b1 = i32x4.add(b1, two<L>(dot(za, v1), dot(zb, u1), n));
        }
        if (the<L>().halves && the<L>().middle) {
          const sum = v128.load32_splat(tail + sums), sumZ = v128.load32_splat(tailZ + sums);
          a0 = i32x4.add(a0, narrowMiddle<L>(m, sum)); a1 = i32x4.add(a1, narrowMiddle<L>(n, sum));
          b0 = i32x4.add(b0, narrowMiddle<L>(m, sumZ)); b1 = i32x4.add(b1, narrowMiddle<L>(n, sumZ));
        }
      } else {
        const from = wideStart<L>(tail + sums), fromZ = wideStart<L>(tailZ + sums);
        let c0 = from, c1 = from, d0 = fromZ, d1 = fromZ;
        if (!the<L>().halves) { c0 = i32x4.add(from, a0); c1 = i32x4.add(from, a1); d0 = i32x4.add(fromZ, b0); d1 = i32x4.add(fromZ, b1); }
        for (; p < stop; p += 32, q += 8, r += 8) {
          const v = v128.load(p), u = v128.load(p, 16), vl = v128.and(v, one), ul = v128.and(u, one);
          const qo = v128.load32_splat(q), qe = v128.load32_splat(q, 4), ro = v128.load32_splat(r), re = v128.load32_splat(r, 4);
          c0 = i32x4.add(c0, dotBytes(v, vl, qo, qe)); c1 = i32x4.add(c1, dotBytes(u, ul, qo, qe));
          d0 = i32x4.add(d0, dotBytes(v, vl, ro, re)); d1 = i32x4.add(d1, dotBytes(u, ul, ro, re));
        }
        if (the<L>().halves) {
          const m = the<L>().scales(s), n = the<L>().scales(s + 4);
          a0 = i32x4.add(a0, wideScaled(c0, m)); a1 = i32x4.add(a1, wideScaled(c1, n));
          b0 = i32x4.add(b0, wideScaled(d0, m)); b1 = i32x4.add(b1, wideScaled(d1, n));
        } else {
          a0 = c0; a1 = c1; b0 = d0; b1 = d1;
        }
      }
      if (the<L>().halves && the<L>().mins) {
        const m = twice(the<L>().minima(s)), n = twice(the<L>().minima(s + 4));
        const sum = v128.load32_splat(tail + sums), sumZ = v128.load32_splat(tailZ + sums);
        l0 = i32x4.add(l0, i32x4.dot_i16x8_s(m, sum)); l1 = i32x4.add(l1, i32x4.dot_i16x8_s(n, sum));
        k0 = i32x4.add(k0, i32x4.dot_i16x8_s(m, sumZ)); k1 = i32x4.add(k1, i32x4.dot_i16x8_s(n, sumZ));
      }
    }
    if (isSuper<L>()) {
      g0 = the<L>().add(w, 0, a0, tail, g0); g1 = the<L>().add(w, 1, a1, tail, g1);
      i0 = the<L>().add(w, 0, b0, tailZ, i0); i1 = the<L>().add(w, 1, b1, tailZ, i1);
      if (the<L>().mins) {
        if (the<L>().halves) {
          const xs = v128.load32_splat(tail), zs = v128.load32_splat(tailZ);
          h0 = madd(f32x4.convert_i32x4_s(l0), xs, h0); h1 = madd(f32x4.convert_i32x4_s(l1), xs, h1);
          j0 = madd(f32x4.convert_i32x4_s(k0), zs, j0); j1 = madd(f32x4.convert_i32x4_s(k1), zs, j1);
        } else {
          h0 = the<L>().addMin(w, 0, tail, h0); h1 = the<L>().addMin(w, 1, tail, h1);
          j0 = the<L>().addMin(w, 0, tailZ, j0); j1 = the<L>().addMin(w, 1, tailZ, j1);
        }
      }
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

export function packedMatmul<L>(
  w: usize, groups: i32, cols: i32, x: usize, xStride: usize, nTokens: i32, y: usize, yStride: usize, scratch: usize,
): void {
  const nBlocks = cols >> 5, y0 = y, last = <usize>(nTokens - 1);
  for (const end = y + (<usize>groups << 5); y < end; y += 32) {
    unpackGroup<L>(w, cols, scratch);
    for (let t: usize = 0; t <= last; t += 2) {
      const s = min(t + 1, last);
      tile<L>(w, scratch, nBlocks, x + t * xStride, x + s * xStride, y + t * yStride, y + s * yStride);
    }
    w += groupBytes<L>(cols);
  }
  if (isSuper<L>()) return;
  for (let t: usize = 0; t <= last; t++) scale(y0 + t * yStride, TWO32, groups << 3); // as in matmul.ts
}
