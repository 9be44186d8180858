/**
 * kernels/matvec for Packed layouts (layouts/packed.ts). Integer sums are exact, and the same numbers in both builds.
 *
 * narrow (relaxed, quants below 128): dot products of signed bytes (x, |x| <= 127) with 7-bit ones, in pairs of columns: at most
 *   2 * 127 * 31 for quants of 5 bits, so that four fit into an i16, two of 6 bits, one of 7. They are widened by a product with ones; or
 *   with the scales, where halves have some.
 * wide (base, and bytes): a 16-bit lane v holds two quants, 256 odd + even, as in dots.ts; sums are 256 times too large.
 * What quants are stored above their values (`middle`) is taken out with x's sums, which its record has times -16, twice
 * (kernels/quantize). Vectors are loaded before they are parted: V8 does not join two loads of one address.
 * Test: test/kernels/matvec.test.ts.
 */
import { madd, mask00ff, ones16, times32 } from '../../base/simd';
import { Format, blockBytes, isSuper, the } from '../../layouts/kinds';
import { partOf } from '../../layouts/packed';
import { recordData, recordStride } from '../quantize/quantize';
import { addBytes } from './dots';

@inline export function isNarrow<L>(): bool { return the<L>().format == Format.x4; }

/** The first four i16 of v, twice each. */
@inline export function twice(v: v128): v128 { return i16x8.shuffle(v, v, 0, 0, 1, 1, 2, 2, 3, 3); }

/** narrow: sums of pairs of columns of four vectors, a..d x's columns, widened by `m`. */
@inline export function narrowSums<L>(a: v128, b: v128, c: v128, d: v128, m: v128): v128 {
  if (the<L>().bits < 6) return i32x4.dot_i16x8_s(i16x8.add(i16x8.add(a, b), i16x8.add(c, d)), m);
  if (the<L>().bits < 7) return i32x4.add(i32x4.dot_i16x8_s(i16x8.add(a, b), m), i32x4.dot_i16x8_s(i16x8.add(c, d), m));
  const first = i32x4.add(i32x4.dot_i16x8_s(a, m), i32x4.dot_i16x8_s(b, m));
  return i32x4.add(first, i32x4.add(i32x4.dot_i16x8_s(c, m), i32x4.dot_i16x8_s(d, m)));
}

/** narrow: what is taken out of a half whose scales are `m`; `sums` are the record's. */
@inline export function narrowMiddle<L>(m: v128, sums: v128): v128 {
  const above = i32x4.dot_i16x8_s(m, sums); // 32 times too much
  return the<L>().middle == 64 ? i32x4.shl(above, 1) : the<L>().middle == 4 ? i32x4.shr_s(above, 3) : above;
}

/** narrow, one scale a block: where its sums begin. */
@inline export function narrowStart<L>(tail: usize): v128 {
  return the<L>().middle ? i32x4.shl(v128.load32_splat(tail, 16), 1) : i32x4.splat(0); // middle is 16
}

/** wide: where the sums of a half begin, `at` = its 4 bytes of sums in x's record. */
@inline export function wideStart<L>(at: usize): v128 {
  if (the<L>().bits == 8) return v128.load32_splat(at - 8); // as Bytes
  if (the<L>().middle == 0) return i32x4.splat(0);
  return i32x4.dot_i16x8_s(v128.load32_splat(at), i16x8.splat(<i16>(8 * the<L>().middle)));
}

/** wide: a half's sums times its scales (i16, the first four). */
@inline export function wideScaled(sums: v128, scales: v128): v128 {
  return i32x4.mul(i32x4.shr_s(sums, 8), i32x4.extend_low_i16x8_s(scales));
}

@inline function dot(x: v128, v: v128): v128 { return i16x8.relaxed_dot_i8x16_i7x16_s(x, v); }

export function packed<L>(w: usize, groups: i32, cols: i32, x0: usize, y: usize): void {
  const one = isNarrow<L>() ? ones16() : mask00ff(), a = the<L>().mask, b = the<L>().table(w), c = the<L>().third;
  const halfBytes = the<L>().quantBytes >> 1, nBlocks = cols >> 5;
  for (const end = y + (<usize>groups << 5); y < end; y += 32) {
    let f0 = f32x4.splat(0), f1 = f0, g0 = f0, g1 = f0, h0 = f0, h1 = f0; // g and h: of the superblock under way
    let x = x0;
    for (let iBlock = 0; iBlock < nBlocks; iBlock++) {
      const tail = x + recordData<L>(), scales = w + the<L>().quantBytes;
      let a0 = i32x4.splat(0), a1 = a0, l0 = a0, l1 = a0, sums = tail + 24, s = scales;
      if (isNarrow<L>()) {
        if (!the<L>().halves) { a0 = narrowStart<L>(tail); a1 = a0; }
      }
      for (let p = w, q = x; p < scales; p += halfBytes, sums += 4, s += 8) {
        const v0 = partOf<L>(p, 0), v1 = partOf<L>(p, 1), v2 = partOf<L>(p, 2);
        const v3 = partOf<L>(p, 3), v4 = partOf<L>(p, 4), v5 = partOf<L>(p, 5);
        const q00 = the<L>().vector(0, 0, v0, v1, v2, v3, v4, v5, a, b, c);
        const q01 = the<L>().vector(0, 1, v0, v1, v2, v3, v4, v5, a, b, c);
        const q02 = the<L>().vector(0, 2, v0, v1, v2, v3, v4, v5, a, b, c);
        const q03 = the<L>().vector(0, 3, v0, v1, v2, v3, v4, v5, a, b, c);
        const q10 = the<L>().vector(1, 0, v0, v1, v2, v3, v4, v5, a, b, c);
        const q11 = the<L>().vector(1, 1, v0, v1, v2, v3, v4, v5, a, b, c);
        const q12 = the<L>().vector(1, 2, v0, v1, v2, v3, v4, v5, a, b, c);
        const q13 = the<L>().vector(1, 3, v0, v1, v2, v3, v4, v5, a, b, c);
        if (isNarrow<L>()) {
          const k = the<L>().halves ? twice(the<L>().scales(s)) : one, l = the<L>().halves ? twice(the<L>().scales(s + 4)) : one;
          const xa = v128.load32_splat(q), xb = v128.load32_splat(q, 4), xc = v128.load32_splat(q, 8), xd = v128.load32_splat(q, 12);
          a0 = i32x4.add(a0, narrowSums<L>(dot(xa, q00), dot(xb, q01), dot(xc, q02), dot(xd, q03), k));
          a1 = i32x4.add(a1, narrowSums<L>(dot(xa, q10), dot(xb, q11), dot(xc, q12), dot(xd, q13), l));
          if (the<L>().halves && the<L>().middle) {
            a0 = i32x4.add(a0, narrowMiddle<L>(k, v128.load32_splat(sums)));
            a1 = i32x4.add(a1, narrowMiddle<L>(l, v128.load32_splat(sums)));
          }
          q += 16;
        } else {
          const from = wideStart<L>(sums);
          let c0 = the<L>().halves ? from : i32x4.add(a0, from), c1 = the<L>().halves ? from : i32x4.add(a1, from);
          const odd0 = v128.load32_splat(q), even0 = v128.load32_splat(q, 4);
          c0 = addBytes(c0, q00, odd0, even0, one); c1 = addBytes(c1, q10, odd0, even0, one);
          const odd1 = v128.load32_splat(q, 8), even1 = v128.load32_splat(q, 12);
          c0 = addBytes(c0, q01, odd1, even1, one); c1 = addBytes(c1, q11, odd1, even1, one);
          const odd2 = v128.load32_splat(q, 16), even2 = v128.load32_splat(q, 20);
          c0 = addBytes(c0, q02, odd2, even2, one); c1 = addBytes(c1, q12, odd2, even2, one);
          const odd3 = v128.load32_splat(q, 24), even3 = v128.load32_splat(q, 28);
          c0 = addBytes(c0, q03, odd3, even3, one); c1 = addBytes(c1, q13, odd3, even3, one);
          a0 = the<L>().halves ? i32x4.add(a0, wideScaled(c0, the<L>().scales(s))) : c0;
          a1 = the<L>().halves ? i32x4.add(a1, wideScaled(c1, the<L>().scales(s + 4))) : c1;
          q += 32;
        }
        if (the<L>().halves && the<L>().mins) {
          l0 = i32x4.add(l0, i32x4.dot_i16x8_s(twice(the<L>().minima(s)), v128.load32_splat(sums)));
          l1 = i32x4.add(l1, i32x4.dot_i16x8_s(twice(the<L>().minima(s + 4)), v128.load32_splat(sums)));
        }
      }
      if (isSuper<L>()) {
        g0 = the<L>().add(w, 0, a0, tail, g0);
        g1 = the<L>().add(w, 1, a1, tail, g1);
        if (the<L>().mins) {
          h0 = the<L>().halves ? madd(f32x4.convert_i32x4_s(l0), v128.load32_splat(tail), h0) : the<L>().addMin(w, 0, tail, h0);
          h1 = the<L>().halves ? madd(f32x4.convert_i32x4_s(l1), v128.load32_splat(tail), h1) : the<L>().addMin(w, 1, tail, h1);
        }
      } else {
        f0 = the<L>().add(w, 0, a0, tail, f0);
        f1 = the<L>().add(w, 1, a1, tail, f1);
      }
      w += blockBytes<L>();
      x += recordStride<L>();
      if (isSuper<L>()) {
        if ((iBlock & 7) == 7) {
          f0 = the<L>().close(w, 0, g0, h0, f0);
          f1 = the<L>().close(w, 1, g1, h1, f1);
          g0 = f32x4.splat(0); g1 = g0; h0 = g0; h1 = g0;
          w += the<L>().factorBytes;
        }
      }
    }
    v128.store(y, isSuper<L>() ? f0 : times32(f0));
    v128.store(y, isSuper<L>() ? f1 : times32(f1), 16);
  }
}
