/**
 * kernels/matvec for Nibbles whose blocks stand alone. Sums are exact, and the same numbers in both builds (dots.ts).
 *
 * relaxed: sums of a block in i16; where quants have a middle they start at -8 sum(x) of their columns: |..| <= 16 * 127 * 8.
 * base: sums in i32, 256 times too large.
 * Micro-operations a block (8 rows x 32 columns; q4_1: 2.5 cache lines, q4_0: 2.25). relaxed: 8 loads of weights, 8 of x and 7 of their
 * addresses, 16 masks, 8 shifts, 16 products, 14 additions, 3 branches, and the end's 36 (q4_0: 26): 116, of them 72 on the four vector
 * pipes (Zen 4: 19.3 cycles at 6 a cycle). base: 24 masks, 8 shifts, 32 products, 32 additions, 24 loads and 14 of addresses, and the end.
 * A block's steps stand between branches that are never taken, as in packed.ts.
 * Test: test/kernels/matvec.test.ts.
 */
import { madd, mask000f, mask00f0, mask0f00, nibbleMask, ones16 } from '../../base/simd';
import { blockBytes, the } from '../../layouts/kinds';
import { recordData, recordStride } from '../quantize/quantize';
import { dotNibbles } from './dots';

/** base: a + 4 rows x 8 columns. */
@inline function addWide(a: v128, v: v128, x: v128, z: v128, k: v128, l: v128): v128 {
  return i32x4.add(i32x4.add(a, i32x4.dot_i16x8_s(v128.and(v, k), x)), i32x4.dot_i16x8_s(v128.and(v, l), z));
}
@inline function addHigh(a: v128, v: v128, x: v128, z: v128, k: v128): v128 {
  return i32x4.add(i32x4.add(a, i32x4.dot_i16x8_s(v128.and(v, k), x)), i32x4.dot_i16x8_s(i16x8.shr_u(v, 12), z));
}
@inline function add(a: v128, sum: v128): v128 { return i16x8.add(a, sum); }

/** f + a block's term for 4 rows; `dot` are its sums less those of the middle. */
@inline function addBlock<L>(w: usize, set: usize, dot: v128, tail: usize, f: v128): v128 {
  const g = the<L>().mins ? madd(v128.load32_splat(tail, 12), the<L>().shift4(w, set), f) : f;
  return madd(f32x4.convert_i32x4_s(dot), f32x4.mul(v128.load32_splat(tail, 4), the<L>().scale4(w, set)), g);
}

/** One group of rows times a run of x; y holds a 32nd of the sums, from an earlier run unless it is the first. */
@inline export function nibbles<L>(w: usize, x0: usize, xEnd: usize, y: usize, first: bool): void {
  const low = ASC_FEATURE_RELAXED_SIMD ? nibbleMask() : mask000f(), one = ones16(), k = mask00f0(), l = mask0f00();
  let f0 = f32x4.splat(0), f1 = f0;
  if (!first) { f0 = v128.load(y); f1 = v128.load(y, 16); }
  for (let x = x0; x < xEnd; x += recordStride<L>(), w += blockBytes<L>()) {
    const tail = x + recordData<L>();
    let a0: v128, a1: v128;
    if (ASC_FEATURE_RELAXED_SIMD) {
      do {
        let v = v128.load(w), u = v128.load(w, 16), xa = v128.load32_splat(x), xb = v128.load32_splat(x, 4);
        a0 = dotNibbles(v, xa, xb, low); a1 = dotNibbles(u, xa, xb, low);
        if (the<L>().middle) { const start = v128.load32_splat(tail, 20); a0 = add(a0, start); a1 = add(a1, start); }
        if (w == 0) break;
        v = v128.load(w, 32); u = v128.load(w, 48); xa = v128.load32_splat(x, 8); xb = v128.load32_splat(x, 12);
        a0 = add(a0, dotNibbles(v, xa, xb, low)); a1 = add(a1, dotNibbles(u, xa, xb, low));
        if (x == 0) break;
        v = v128.load(w, 64); u = v128.load(w, 80); xa = v128.load32_splat(x, 16); xb = v128.load32_splat(x, 20);
        a0 = add(a0, dotNibbles(v, xa, xb, low)); a1 = add(a1, dotNibbles(u, xa, xb, low));
        if (y == 0) break;
        v = v128.load(w, 96); u = v128.load(w, 112); xa = v128.load32_splat(x, 24); xb = v128.load32_splat(x, 28);
        a0 = add(a0, dotNibbles(v, xa, xb, low)); a1 = add(a1, dotNibbles(u, xa, xb, low));
      } while (false);
      a0 = i32x4.dot_i16x8_s(a0, one); a1 = i32x4.dot_i16x8_s(a1, one);
    } else {
      a0 = the<L>().middle ? v128.load32_splat(tail, 16) : i32x4.splat(0); a1 = a0;
      for (let p = w, q = x; q < tail; p += 64, q += 32) {
        let v = v128.load(p), u = v128.load(p, 16), xa = v128.load32_splat(q), xb = v128.load32_splat(q, 4);
        do {
          a0 = addWide(a0, v, xa, xb, low, k); a1 = addWide(a1, u, xa, xb, low, k);
          if (w == 0) break;
          xa = v128.load32_splat(q, 8); xb = v128.load32_splat(q, 12);
          a0 = addHigh(a0, v, xa, xb, l); a1 = addHigh(a1, u, xa, xb, l);
          if (x == 0) break;
          v = v128.load(p, 32); u = v128.load(p, 48); xa = v128.load32_splat(q, 16); xb = v128.load32_splat(q, 20);
          a0 = addWide(a0, v, xa, xb, low, k); a1 = addWide(a1, u, xa, xb, low, k);
          if (y == 0) break;
          xa = v128.load32_splat(q, 24); xb = v128.load32_splat(q, 28);
          a0 = addHigh(a0, v, xa, xb, l); a1 = addHigh(a1, u, xa, xb, l);
        } while (false);
      }
    }
    f0 = addBlock<L>(w, 0, a0, tail, f0);
    f1 = addBlock<L>(w, 1, a1, tail, f1);
  }
  v128.store(y, f0);
  v128.store(y, f1, 16);
}
