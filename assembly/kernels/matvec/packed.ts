/**
 * kernels/matvec for Packed layouts (layouts/packed.ts) whose blocks stand alone. Integer sums are exact, and the same numbers in both
 * builds.
 *
 * narrow (relaxed, quants below 32): dot products of signed bytes (x, |x| <= 127) with 7-bit ones, in pairs of columns. The 16 columns of a
 *   lane of i16 fit where quants are around zero, |..| <= 16 * 127 * 16 = 32512: sums start at -16 sum(x) of their columns and wrap until
 *   they are whole. Quants that have no middle get the same start, and 16 sum(x) back once they are i32.
 * wide (base, and bytes): a 16-bit lane v holds two quants, 256 odd + even, as in dots.ts; sums are 256 times too large.
 * Micro-operations a block (8 rows x 32 columns; q5_0: 2.75 cache lines), narrow: Fives 38 to unpack, 16 products, 16 additions, 10 loads
 * of weights, 8 of x and 7 of their addresses, 4 branches, and the end's 26: 125 (Zen 4: 20.8 cycles at 6 a cycle, as many for the 82 on
 * the four vector pipes). wide: 38 and 16 masks, 32 products, 32 additions, 26 loads and 10 of addresses, the end's 24.
 * A block's steps stand between branches that are never taken (nothing lies at 0): V8 puts all loads of straight code first, and would
 * spill; a loop costs as many instructions as the steps of which it saves the text. Vectors are loaded before they are parted: V8 does not
 * join two loads of one address.
 * Test: test/kernels/matvec.test.ts.
 */
import { mask00ff, ones16 } from '../../base/simd';
import { Format, blockBytes, the } from '../../layouts/kinds';
import { partOf } from '../../layouts/packed';
import { recordData, recordStride } from '../quantize/quantize';
import { addBytes } from './dots';

/** Vector i of a set, of a half's vectors and the layout's constants. */
@inline function vector<L>(set: usize, i: usize, v0: v128, v1: v128, v2: v128, v3: v128, v4: v128, a: v128, b: v128, c: v128): v128 {
  return the<L>().vector(set, i, v0, v1, v2, v3, v4, a, a, b, c);
}

/** a + 4 rows x 4 columns. */
@inline function add4(a: v128, x: v128, v: v128): v128 { return i16x8.add(a, i16x8.relaxed_dot_i8x16_i7x16_s(x, v)); }

@inline function narrow<L>(w: usize, x0: usize, xEnd: usize, y: usize, first: bool): void {
  const one = ones16(), a = the<L>().mask, b = the<L>().table(w), c = the<L>().third, half = the<L>().quantBytes >> 1;
  let f0 = f32x4.splat(0), f1 = f0;
  if (!first) { f0 = v128.load(y); f1 = v128.load(y, 16); }
  for (let x = x0; x < xEnd; x += recordStride<L>(), w += blockBytes<L>()) {
    const tail = x + recordData<L>();
    let a0 = v128.load32_splat(tail, 24), a1 = a0;
    do {
      let v0 = partOf<L>(w, 0), v1 = partOf<L>(w, 1), v2 = partOf<L>(w, 2), v3 = partOf<L>(w, 3), v4 = partOf<L>(w, 4);
      let xa = v128.load32_splat(x), xb = v128.load32_splat(x, 4);
      a0 = add4(add4(a0, xa, vector<L>(0, 0, v0, v1, v2, v3, v4, a, b, c)), xb, vector<L>(0, 1, v0, v1, v2, v3, v4, a, b, c));
      a1 = add4(add4(a1, xa, vector<L>(1, 0, v0, v1, v2, v3, v4, a, b, c)), xb, vector<L>(1, 1, v0, v1, v2, v3, v4, a, b, c));
      if (w == 0) break;
      xa = v128.load32_splat(x, 8); xb = v128.load32_splat(x, 12);
      a0 = add4(add4(a0, xa, vector<L>(0, 2, v0, v1, v2, v3, v4, a, b, c)), xb, vector<L>(0, 3, v0, v1, v2, v3, v4, a, b, c));
      a1 = add4(add4(a1, xa, vector<L>(1, 2, v0, v1, v2, v3, v4, a, b, c)), xb, vector<L>(1, 3, v0, v1, v2, v3, v4, a, b, c));
      if (x == 0) break;
      v0 = partOf<L>(w + half, 0); v1 = partOf<L>(w + half, 1); v2 = partOf<L>(w + half, 2); v3 = partOf<L>(w + half, 3);
      v4 = partOf<L>(w + half, 4); xa = v128.load32_splat(x, 16); xb = v128.load32_splat(x, 20);
      a0 = add4(add4(a0, xa, vector<L>(0, 0, v0, v1, v2, v3, v4, a, b, c)), xb, vector<L>(0, 1, v0, v1, v2, v3, v4, a, b, c));
      a1 = add4(add4(a1, xa, vector<L>(1, 0, v0, v1, v2, v3, v4, a, b, c)), xb, vector<L>(1, 1, v0, v1, v2, v3, v4, a, b, c));
      if (y == 0) break;
      xa = v128.load32_splat(x, 24); xb = v128.load32_splat(x, 28);
      a0 = add4(add4(a0, xa, vector<L>(0, 2, v0, v1, v2, v3, v4, a, b, c)), xb, vector<L>(0, 3, v0, v1, v2, v3, v4, a, b, c));
      a1 = add4(add4(a1, xa, vector<L>(1, 2, v0, v1, v2, v3, v4, a, b, c)), xb, vector<L>(1, 3, v0, v1, v2, v3, v4, a, b, c));
    } while (false);
    a0 = i32x4.dot_i16x8_s(a0, one); a1 = i32x4.dot_i16x8_s(a1, one);
    if (the<L>().middle == 0) {
      const lift = i32x4.shl(v128.load32_splat(tail, 16), 1);
      a0 = i32x4.sub(a0, lift); a1 = i32x4.sub(a1, lift);
    }
    f0 = the<L>().add(w, 0, a0, tail, f0);
    f1 = the<L>().add(w, 1, a1, tail, f1);
  }
  v128.store(y, f0);
  v128.store(y, f1, 16);
}

/** Where sums begin. */
@inline function wideStart<L>(tail: usize): v128 {
  if (the<L>().bits == 8) return i32x4.add(v128.load32_splat(tail, 16), v128.load32_splat(tail, 20));
  return the<L>().middle ? v128.load32_splat(tail, 24) : i32x4.splat(0);
}

@inline function wide<L>(w: usize, x0: usize, xEnd: usize, y: usize, first: bool): void {
  const low = mask00ff(), a = the<L>().mask, b = the<L>().table(w), c = the<L>().third, half = the<L>().quantBytes >> 1;
  let f0 = f32x4.splat(0), f1 = f0;
  if (!first) { f0 = v128.load(y); f1 = v128.load(y, 16); }
  for (let x = x0; x < xEnd; x += recordStride<L>()) {
    const tail = x + recordData<L>(), scales = w + the<L>().quantBytes;
    let a0 = wideStart<L>(tail), a1 = a0;
    for (let p = w, q = x; p < scales; p += half, q += 32) {
      do {
        const v0 = partOf<L>(p, 0), v1 = partOf<L>(p, 1), v2 = partOf<L>(p, 2), v3 = partOf<L>(p, 3), v4 = partOf<L>(p, 4);
        let odd = v128.load32_splat(q), even = v128.load32_splat(q, 4);
        a0 = addBytes(a0, vector<L>(0, 0, v0, v1, v2, v3, v4, a, b, c), odd, even, low);
        a1 = addBytes(a1, vector<L>(1, 0, v0, v1, v2, v3, v4, a, b, c), odd, even, low);
        if (w == 0) break;
        odd = v128.load32_splat(q, 8); even = v128.load32_splat(q, 12);
        a0 = addBytes(a0, vector<L>(0, 1, v0, v1, v2, v3, v4, a, b, c), odd, even, low);
        a1 = addBytes(a1, vector<L>(1, 1, v0, v1, v2, v3, v4, a, b, c), odd, even, low);
        if (q == 0) break;
        odd = v128.load32_splat(q, 16); even = v128.load32_splat(q, 20);
        a0 = addBytes(a0, vector<L>(0, 2, v0, v1, v2, v3, v4, a, b, c), odd, even, low);
        a1 = addBytes(a1, vector<L>(1, 2, v0, v1, v2, v3, v4, a, b, c), odd, even, low);
        if (y == 0) break;
        odd = v128.load32_splat(q, 24); even = v128.load32_splat(q, 28);
        a0 = addBytes(a0, vector<L>(0, 3, v0, v1, v2, v3, v4, a, b, c), odd, even, low);
        a1 = addBytes(a1, vector<L>(1, 3, v0, v1, v2, v3, v4, a, b, c), odd, even, low);
      } while (false);
    }
    f0 = the<L>().add(w, 0, a0, tail, f0);
    f1 = the<L>().add(w, 1, a1, tail, f1);
    w += blockBytes<L>();
  }
  v128.store(y, f0);
  v128.store(y, f1, 16);
}

/** As `nibbles`. */
@inline export function packed<L>(w: usize, x: usize, xEnd: usize, y: usize, first: bool): void {
  if (the<L>().format == Format.x4) narrow<L>(w, x, xEnd, y, first);
  else wide<L>(w, x, xEnd, y, first);
}
