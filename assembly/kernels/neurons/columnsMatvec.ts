/**
 * The product with the column form (columns.ts), of nibbles here. h is rounded as kernels/quantize does it, but in blocks of 64: s = amax /
 * 127, q nearest even. Two blocks of the file under one s, because one integer dot product then adds both, and the scales are half the
 * work: y += s * (d * sum(q n) + m * sum(q) + d' * sum(q' n') + m' * sum(q')) (without m: d * sum(q (n - 8)) ..), n the nibbles, d in units
 * and m in eight of them; |8 sum(q)| <= 32512 is m's factor of 16 bits, |..| <= 4 * 32760 * 16383 < 2^31.
 *
 * relaxed: two neurons at a time; their bytes are interleaved, so that one 16-bit dot product (q of both x nibbles of both) has outputs in
 *   its lanes. base: bytes of even and odd outputs are multiplied in 16-bit lanes, and interleaved at the end.
 * i16 holds 15 * sum |q| while sum |q| <= 2184: at least 17 neurons, in practice all 32. Where the sum grows beyond, the block is cut into
 * segments, by the same rule in both builds; each adds its own term to y.
 * Preconditions: ffn a multiple of the layout's unit, at most 65535; y has room for hidden padded to 32; `scratch` columnsScratch() bytes.
 * Error: that of h's rounding and of units.ts; f32 rounding about (ffn / 64) * 1.2e-7 of the sum of magnitudes.
 * Test: test/kernels/columns.test.ts.
 */
import { hsumInt, madd, mask000f, nibbleMask, rounded, roundedInt, swizzle } from '../../base/simd';
import { the } from '../../layouts/kinds';
import { forLayout } from '../../layouts/table';
import { BLOCK, NEURON, QUANTS, isNarrow, padded, scaleBytes, tileBytes } from './columns';
import { amax, wideColumns } from './columnsWide';
import { hasForms } from './source';

/** 15 * 2184 < 2^15. */
const MOST: i32 = 2184;

/**
 * What is to be done for two blocks. Behind it the entries of the first, then of the second: for every two neurons 8 B, where their bytes
 * are in the first tile, and FACTORS behind that 8 B of factors (relaxed: [q r q r] as bytes; base: [q q] [r r] as i16), because four bytes
 * are spread over a vector by the load itself. Entries are written four neurons at a time, of which all may be too many.
 */
@unmanaged class Work {
  first: usize; firstEnd: usize; second: usize; secondEnd: usize; // entries
  firstSum: i32; secondSum: i32; // of q
  mins: i32;  // two i16: 8 sum(q) of both, the factors of m; 0 where m has been added
  heavy: i32; // the larger sum |q|
  tile: usize;
  scale: f32; // s
}
const FACTORS: usize = 144, ENTRIES: usize = 2 * FACTORS, HEAD: usize = 48, WORK: usize = HEAD + 2 * ENTRIES;

/** Bytes of scratch for `cols` neurons. */
export function columnsScratch(cols: i32): usize { return <usize>((cols + 63) >> 6) * WORK; }

// entry m: bytes that bring the 32-bit lanes of m's clear bits to the front
const PACK: usize = memory.data<u32>([
  0x03020100, 0x07060504, 0x0b0a0908, 0x0f0e0d0c, 0x07060504, 0x0b0a0908, 0x0f0e0d0c, 0,
  0x03020100, 0x0b0a0908, 0x0f0e0d0c, 0, 0x0b0a0908, 0x0f0e0d0c, 0, 0,
  0x03020100, 0x07060504, 0x0f0e0d0c, 0, 0x07060504, 0x0f0e0d0c, 0, 0,
  0x03020100, 0x0f0e0d0c, 0, 0, 0x0f0e0d0c, 0, 0, 0,
  0x03020100, 0x07060504, 0x0b0a0908, 0, 0x07060504, 0x0b0a0908, 0, 0,
  0x03020100, 0x0b0a0908, 0, 0, 0x0b0a0908, 0, 0, 0,
  0x03020100, 0x07060504, 0, 0, 0x07060504, 0, 0, 0,
  0x03020100, 0, 0, 0, 0, 0, 0, 0,
], 16);
// [q r q r] as bytes, twice, of q and r in 32-bit lanes 0 and 1; the same of lanes 2 and 3
const PAIR: usize = memory.data<u32>([0x04000400, 0x04000400, 0x0c080c08, 0x0c080c08], 16);

/** Enters the neurons of a block of 32 with h at `p`, bytes at `base`, whose q is not zero, as the work's first or `second` ones. */
@inline function enter(work: Work, second: bool, p: usize, inverse: v128, base: usize): void {
  const entries = changetype<usize>(work) + HEAD + (second ? ENTRIES : 0), zero = i32x4.splat(0), step = i32x4.splat(64);
  let total = zero, weights = zero, e = entries, neurons = i32x4.add(i32x4.splat(<i32>base), i32x4(0, 16, 32, 48));
  for (const end = p + 128; p < end; p += 16) {
    const q = roundedInt(rounded(f32x4.mul(v128.load(p), inverse))), zeros = i32x4.bitmask(i32x4.eq(q, zero));
    const order = v128.load(PACK + (<usize>zeros << 4));
    total = i32x4.add(total, q);
    weights = i32x4.add(weights, i32x4.abs(q));
    v128.store(e, swizzle(neurons, order));
    v128.store(e, swizzle(ASC_FEATURE_RELAXED_SIMD ? q : v128.or(v128.and(q, i32x4.splat(0xffff)), i32x4.shl(q, 16)), order), FACTORS);
    neurons = i32x4.add(neurons, step);
    e += <usize>(4 - popcnt(zeros)) << 2;
  }
  store<usize>(e, base); // an odd one's partner: any neuron, times zero
  store<i32>(e, 0, FACTORS);
  const sum = hsumInt(total), last = entries + ((e - entries + 4) & ~7);
  work.heavy = max(work.heavy, hsumInt(weights));
  if (second) {
    work.second = entries; work.secondEnd = last; work.secondSum = sum;
    work.mins |= sum << 19;
  } else {
    work.first = entries; work.firstEnd = last; work.firstSum = sum;
    work.mins |= (sum << 3) & 0xffff;
  }
}

/**
 * relaxed: i32 q of neurons as pairs of factors. Apart from `enter`: what was written in pieces is read whole only when the pieces have
 * arrived.
 */
@inline function pairFactors(entries: usize): void {
  const order = v128.load(PAIR);
  for (let p = entries + FACTORS, end = p + 128; p < end; p += 32) {
    v128.store(p, swizzle(v128.load(p), order));
    v128.store(p, swizzle(v128.load(p, 16), order), 16);
  }
}

/** The bytes of two neurons interleaved: of their first, of their last 8. */
@inline function firstBytes(v: v128, u: v128): v128 { return i8x16.shuffle(v, u, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23); }
@inline function lastBytes(v: v128, u: v128): v128 {
  return i8x16.shuffle(v, u, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
}

/** Two vectors of i16 interleaved: their first, their last 4. */
@inline function firstPairs(a: v128, b: v128): v128 { return i16x8.shuffle(a, b, 0, 8, 1, 9, 2, 10, 3, 11); }
@inline function lastPairs(a: v128, b: v128): v128 { return i16x8.shuffle(a, b, 4, 12, 5, 13, 6, 14, 7, 15); }

/** relaxed: a + 8 outputs of two neurons, `v` their bytes interleaved. */
@inline function addPair(a: v128, h: v128, v: v128, low: v128): v128 {
  return i16x8.add(a, i16x8.relaxed_dot_i8x16_i7x16_s(h, v128.and(v, low)));
}

/** base: a + 8 outputs of one neuron, nibbles in 16-bit lanes. */
@inline function addOne(a: v128, h: v128, nibbles: v128): v128 { return i16x8.add(a, i16x8.mul(nibbles, h)); }

/**
 * y[0..8] += s (a d + b d' + c m + c' m'): `a` and `b` 8 outputs of the two blocks as i16, `c` their 8 sum(q) in pairs, d (and m) at `d`.
 */
@inline function addOutputs<L>(a: v128, b: v128, d: usize, s: v128, c: v128, y: usize): void {
  let near = i32x4.dot_i16x8_s(firstPairs(a, b), v128.load(d));
  let far = i32x4.dot_i16x8_s(lastPairs(a, b), v128.load(d, 16));
  if (the<L>().mins) {
    near = i32x4.add(near, i32x4.dot_i16x8_s(c, v128.load(d, 32)));
    far = i32x4.add(far, i32x4.dot_i16x8_s(c, v128.load(d, 48)));
  }
  v128.store(y, madd(f32x4.convert_i32x4_s(near), s, v128.load(y)));
  v128.store(y, madd(f32x4.convert_i32x4_s(far), s, v128.load(y, 16)), 16);
}

/**
 * y += what the work says. The loop stands twice, once a block, because the sums of both must stay in registers and no call returns four.
 */
function doWork<L>(nTiles: usize, work: Work, y: usize): void {
  const low = ASC_FEATURE_RELAXED_SIMD ? nibbleMask() : mask000f(), scale = f32x4.splat(work.scale), mins = i32x4.splat(work.mins);
  const step = scaleBytes<L>();
  const start = i16x8.splat(!the<L>().mins ? <i16>(-8 * work.firstSum) : 0);
  const other = i16x8.splat(!the<L>().mins ? <i16>(-8 * work.secondSum) : 0);
  const first = work.first, firstEnd = work.firstEnd, second = work.second, secondEnd = work.secondEnd, tile = work.tile;
  for (let at: usize = 0, end = nTiles * tileBytes<L>(); at < end; at += tileBytes<L>(), y += 128) {
    let a0 = start, a1 = start, a2 = start, a3 = start, b0 = other, b1 = other, b2 = other, b3 = other;
    for (let e = first; e < firstEnd; e += 8) {
      const v = v128.load(load<usize>(e) + at), u = v128.load(load<usize>(e, 4) + at), h = v128.load32_splat(e, FACTORS);
      if (ASC_FEATURE_RELAXED_SIMD) {
        const near = firstBytes(v, u);
        const far = lastBytes(v, u);
        a0 = addPair(a0, h, near, low); a1 = addPair(a1, h, far, low);
        a2 = addPair(a2, h, i16x8.shr_u(near, 4), low); a3 = addPair(a3, h, i16x8.shr_u(far, 4), low);
      } else {
        const g = v128.load32_splat(e, FACTORS + 4);
        a0 = addOne(addOne(a0, h, v128.and(v, low)), g, v128.and(u, low));
        a1 = addOne(addOne(a1, h, v128.and(i16x8.shr_u(v, 8), low)), g, v128.and(i16x8.shr_u(u, 8), low));
        a2 = addOne(addOne(a2, h, v128.and(i16x8.shr_u(v, 4), low)), g, v128.and(i16x8.shr_u(u, 4), low));
        a3 = addOne(addOne(a3, h, i16x8.shr_u(v, 12)), g, i16x8.shr_u(u, 12));
      }
    }
    for (let e = second; e < secondEnd; e += 8) {
      const v = v128.load(load<usize>(e) + at), u = v128.load(load<usize>(e, 4) + at), h = v128.load32_splat(e, FACTORS);
      if (ASC_FEATURE_RELAXED_SIMD) {
        const near = firstBytes(v, u);
        const far = lastBytes(v, u);
        b0 = addPair(b0, h, near, low); b1 = addPair(b1, h, far, low);
        b2 = addPair(b2, h, i16x8.shr_u(near, 4), low); b3 = addPair(b3, h, i16x8.shr_u(far, 4), low);
      } else {
        const g = v128.load32_splat(e, FACTORS + 4);
        b0 = addOne(addOne(b0, h, v128.and(v, low)), g, v128.and(u, low));
        b1 = addOne(addOne(b1, h, v128.and(i16x8.shr_u(v, 8), low)), g, v128.and(i16x8.shr_u(u, 8), low));
        b2 = addOne(addOne(b2, h, v128.and(i16x8.shr_u(v, 4), low)), g, v128.and(i16x8.shr_u(u, 4), low));
        b3 = addOne(addOne(b3, h, i16x8.shr_u(v, 12)), g, i16x8.shr_u(u, 12));
      }
    }
    if (!ASC_FEATURE_RELAXED_SIMD) { // even and odd outputs lie apart
      let near = a0, far = a2;
      a0 = firstPairs(near, a1); a1 = lastPairs(near, a1);
      a2 = firstPairs(far, a3); a3 = lastPairs(far, a3);
      near = b0; far = b2;
      b0 = firstPairs(near, b1); b1 = lastPairs(near, b1);
      b2 = firstPairs(far, b3); b3 = lastPairs(far, b3);
    }
    const d = tile + at + QUANTS;
    addOutputs<L>(a0, b0, d, scale, mins, y);
    addOutputs<L>(a1, b1, d + step, scale, mins, y + 32);
    addOutputs<L>(a2, b2, d + 2 * step, scale, mins, y + 64);
    addOutputs<L>(a3, b3, d + 3 * step, scale, mins, y + 96);
  }
}

/** Factor of the first or second neuron of an entry. */
@inline function factor(entry: usize, second: usize): i32 {
  return ASC_FEATURE_RELAXED_SIMD ? <i32>load<i8>(entry + second, FACTORS) : <i32>load<i16>(entry + (second << 2), FACTORS);
}

/** How many bytes of the entries from `e` to `end` fit into 16 bits, and their sum of q to the work's first or `second` one. */
@inline function fitting(work: Work, second: bool, e: usize, end: usize): usize {
  let sum = 0, weight = 0;
  for (; e < end; e += 8) {
    const a = factor(e, 0), b = factor(e, 1);
    weight += abs(a) + abs(b);
    if (weight > MOST) break;
    sum += a + b;
  }
  if (second) work.secondSum = sum; else work.firstSum = sum;
  return e;
}

/** The work in as many parts as 16 bits demand; the first adds what belongs to m. */
@inline function cut<L>(nTiles: usize, work: Work, y: usize): void {
  const firstEnd = work.firstEnd, secondEnd = work.secondEnd;
  while (work.first < firstEnd || work.second < secondEnd) {
    work.firstEnd = fitting(work, false, work.first, firstEnd);
    work.secondEnd = fitting(work, true, work.second, secondEnd);
    doWork<L>(nTiles, work, y);
    work.first = work.firstEnd;
    work.second = work.secondEnd;
    work.mins = 0;
  }
}

/** y[rows padded to 32] in units. */
function narrowColumns<L>(tiles: usize, rows: i32, cols: i32, h: usize, scratch: usize, y: usize): void {
  const nTiles = padded<L>(rows) >> 5, pair = nTiles * tileBytes<L>(), hEnd = h + (<usize>cols << 2);
  let end = scratch, poison: f32 = 0; // NaN where h is not finite
  for (let tile = tiles; h < hEnd; h += 256, tile += pair) {
    const stop = min(h + 256, hEnd), top = amax(h, stop), work = changetype<Work>(end);
    if (!(top > 1e-30 && top < Infinity)) { poison += top * 0; continue; } // as quantize() does, but of 64 neurons
    const inverse = f32x4.splat(<f32>127 / top);
    memory.fill(end, 0, HEAD);
    work.tile = tile;
    work.scale = top / 127;
    enter(work, false, h, inverse, tile);
    if (stop - h > 128) enter(work, true, h + 128, inverse, tile + BLOCK);
    end += WORK;
  }
  for (let p = y, last = y + (nTiles << 7); p < last; p += 16) v128.store(p, f32x4.splat(poison));
  for (let p = scratch; p < end; p += WORK) {
    if (ASC_FEATURE_RELAXED_SIMD) { pairFactors(p + HEAD); pairFactors(p + HEAD + ENTRIES); }
    const work = changetype<Work>(p);
    if (work.heavy <= MOST) doWork<L>(nTiles, work, y);
    else cut<L>(nTiles, work, y);
  }
}

@unmanaged class ColumnsMatvec {
  @inline on<L>(w: usize, rows: usize, cols: usize, h: usize, scratch: usize, y: usize, _g: usize, _h: usize): usize {
    if (!hasForms<L>()) return unreachable();
    const tiles = w + (padded<L>(<i32>rows) << 2);
    if (isNarrow<L>()) narrowColumns<L>(tiles, <i32>rows, <i32>cols, h, scratch, y);
    else wideColumns<L>(tiles, <i32>rows, <i32>cols, h, scratch, y);
    for (const end = w + ((rows + 31 & ~31) << 2); w < end; w += 16, y += 16) v128.store(y, f32x4.mul(v128.load(y), v128.load(w)));
    return 0;
  }
}

/** y[rows padded to 32] = W (column form, `rows` x `cols`) times h [cols]; neurons whose h is zero are not read. y is overwritten. */
export function columnsMatvec(layout: i32, w: usize, rows: i32, cols: i32, h: usize, scratch: usize, y: usize): void {
  forLayout<ColumnsMatvec>(layout, w, rows, cols, h, scratch, y);
}
