/**
 * The product with the column form of bytes (columns.ts), block by block of the neurons that share a scale: y += s (d sum(q w) + m sum(q)),
 * h rounded in blocks of 32 as kernels/quantize does it. Two neurons at a time: a 16-bit lane holds two outputs of one, w' in its low byte
 * (+ 128) and w in the high one, and lanes of both neurons lie side by side, so that one dot product with [q q'] sums 256 w + w' and
 * another, of the low bytes, w' alone; the difference is 256 times the sum of w. Exact, and the same in both builds: |..| <= 32 * 127 *
 * 2^15 < 2^31.
 * Error: that of units.ts; f32 rounding about (ffn / 16) * 6e-8 of the sum of magnitudes.
 * Test: test/kernels/columns.test.ts.
 */
import { hmaxInt, hsumInt, madd, mask00ff, rounded, roundedInt } from '../../base/simd';
import { the } from '../../layouts/kinds';
import { WIDE, padded, tileBytes } from './columns';
import { pack4 } from './select';
import { scaleCols } from './source';

/** Scratch: where the bytes of the listed neurons lie in a tile, u16, then their q, i16; eight more than a block has. */
const FACTORS: usize = 80;

/** The largest |value| of the f32 from p to `end`, 64 B at a time; NaN if one is (its bits are the largest then). */
export function amax(p: usize, end: usize): f32 {
  let top = i32x4.splat(0);
  for (; p < end; p += 64) {
    const first = i32x4.max_s(f32x4.abs(v128.load(p)), f32x4.abs(v128.load(p, 16)));
    top = i32x4.max_s(top, i32x4.max_s(first, i32x4.max_s(f32x4.abs(v128.load(p, 32)), f32x4.abs(v128.load(p, 48)))));
  }
  return reinterpret<f32>(hmaxInt(top));
}

/** y[0..4] += scale d (+ rest m) for four outputs whose sums are `sums`; d at `p`. */
@inline function addFour<L>(sums: v128, p: usize, scale: v128, rest: v128, y: usize): void {
  let sum = v128.load(y);
  if (the<L>().mins) sum = madd(rest, f32x4.convert_i32x4_s(v128.load16x4_s(p, 2 * WIDE)), sum);
  v128.store(y, madd(f32x4.convert_i32x4_s(sums), f32x4.mul(scale, f32x4.convert_i32x4_s(v128.load16x4_s(p))), sum));
}

/** The same of eight outputs, of which four are in low bytes. */
@inline function addEight<L>(both: v128, low: v128, p: usize, scale: v128, rest: v128, y: usize): void {
  addFour<L>(low, p, scale, rest, y);
  addFour<L>(i32x4.shr_s(i32x4.sub(both, low), 8), p + 8, scale, rest, y + 16);
}

/** y [32 nParts] += what the entries up to `end` give of a block of neurons whose first tile is at `tile`; `sum` of their q. */
function addBlock<L>(tile: usize, nParts: i32, entries: usize, end: usize, s: f32, sum: i32, y: usize): void {
  const mask = mask00ff(), scale = f32x4.splat(s), rest = f32x4.splat(s * <f32>(sum << 3)), start = i32x4.splat(-(sum << 7));
  for (let part = 0; part < nParts; part++, y += 128) {
    const odd = <usize>(part & 1) << 5, at = tile + odd;
    let a = start, b = a, c = a, d = a, la = a, lb = a, lc = a, ld = a;
    for (let e = entries; e < end; e += 4) {
      const p = at + <usize>load<u16>(e), q = at + <usize>load<u16>(e, 2), h = v128.load32_splat(e, FACTORS);
      let v = v128.load(p), u = v128.load(q), near = i16x8.shuffle(v, u, 0, 8, 1, 9, 2, 10, 3, 11);
      let far = i16x8.shuffle(v, u, 4, 12, 5, 13, 6, 14, 7, 15);
      a = i32x4.add(a, i32x4.dot_i16x8_s(near, h)); la = i32x4.add(la, i32x4.dot_i16x8_s(v128.and(near, mask), h));
      b = i32x4.add(b, i32x4.dot_i16x8_s(far, h)); lb = i32x4.add(lb, i32x4.dot_i16x8_s(v128.and(far, mask), h));
      v = v128.load(p, 16); u = v128.load(q, 16); near = i16x8.shuffle(v, u, 0, 8, 1, 9, 2, 10, 3, 11);
      far = i16x8.shuffle(v, u, 4, 12, 5, 13, 6, 14, 7, 15);
      c = i32x4.add(c, i32x4.dot_i16x8_s(near, h)); lc = i32x4.add(lc, i32x4.dot_i16x8_s(v128.and(near, mask), h));
      d = i32x4.add(d, i32x4.dot_i16x8_s(far, h)); ld = i32x4.add(ld, i32x4.dot_i16x8_s(v128.and(far, mask), h));
    }
    const scales = tile + <usize>scaleCols<L>() * WIDE + (odd << 1);
    addEight<L>(a, la, scales, scale, rest, y);
    addEight<L>(b, lb, scales + 16, scale, rest, y + 32);
    addEight<L>(c, lc, scales + 32, scale, rest, y + 64);
    addEight<L>(d, ld, scales + 48, scale, rest, y + 96);
    if (part & 1) tile += tileBytes<L>();
  }
}

/** y[rows padded to 32] in units. */
export function wideColumns<L>(tiles: usize, rows: i32, cols: i32, h: usize, entries: usize, y: usize): void {
  const neurons = <usize>scaleCols<L>(), nParts = (rows + 31) >> 5, step = (padded<L>(rows) >> 6) * tileBytes<L>();
  const yEnd = y + (<usize>nParts << 7), hEnd = h + (<usize>cols << 2), zero = i32x4.splat(0);
  let poison: f32 = 0; // NaN where h is not finite
  for (let p = y; p < yEnd; p += 16) v128.store(p, zero);
  for (; h < hEnd; tiles += 32 / neurons * step) {
    const top = amax(h, h + 128);
    if (!(top > 1e-30 && top < Infinity)) { poison += top * 0; h += 128; continue; } // as quantize() does
    const inverse = f32x4.splat(<f32>127 / top);
    for (let tile = tiles, last = h + 128; h < last; tile += step) {
      let e = entries, total = zero, at = i16x8(0, 64, 128, 192, 0, 0, 0, 0);
      for (const stop = h + (neurons << 2); h < stop; h += 16, at = i16x8.add(at, i16x8.splat(256))) {
        const q = roundedInt(rounded(f32x4.mul(v128.load(h), inverse))), kept = i32x4.bitmask(i32x4.ne(q, zero));
        total = i32x4.add(total, q);
        pack4(i16x8.narrow_i32x4_s(q, q), kept, e + FACTORS);
        e = pack4(at, kept, e);
      }
      store<u16>(e, 0); // an odd one's partner: any neuron, times zero
      store<u16>(e, 0, FACTORS);
      if (e > entries) addBlock<L>(tile, nParts, entries, e, top / 127, hsumInt(total), y);
    }
  }
  if (poison != 0) for (let p = y; p < yEnd; p += 16) v128.store(p, f32x4.splat(poison)); // NaN is not 0
}
