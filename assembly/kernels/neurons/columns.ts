/**
 * y[hidden] = sum over the listed neurons i of h_i W[:, i] for `down`, a 4-bit matrix [hidden, ffn]. The interleaved layouts run along ffn and
 * cannot leave out a column; the "column form" can:
 *
 *   hidden f32 units, then for every block of 32 neurons (one block of the file, for every row):
 *   32 neurons x hidden / 2 bytes; 16 B hold 32 outputs: byte t = output t (low nibble) and 16 + t (high)
 *   then q4_0: hidden i16 d; q4_1: hidden pairs of i16 d, m
 *
 * where hidden is padded to 32 with zero rows. The bytes of a neuron that is not listed are never read, a block without listed neurons costs
 * nothing. d counts a row's units and m eight of them; a unit is 2^-15 of the power of two above all of a row's |d| and |m| / 8. Integers, because
 * then one instruction makes d * sum(q n) + m * sum(q) of four outputs, and what a block costs whatever is listed in it is halved against f16.
 *
 * h is rounded as kernels/quantize does it to a vector whose other values are zero: per block s = amax / 127 of the listed ones, q nearest even.
 * y += s * (d * sum(q n) + m * sum(q)) (q4_0: d * sum(q (n - 8))), n the nibbles; |8 sum(q)| <= 32512 is a factor of 16 bits.
 *
 * relaxed: two neurons at a time; their bytes are interleaved, so that one 16-bit dot product (q of both x nibbles of both) has outputs in its
 *   lanes. base: bytes of even and odd outputs are multiplied in 16-bit lanes, and interleaved at the end.
 * i16 holds 15 * sum |q| while sum |q| <= 2184: at least 17 neurons, in practice all 32. Where the sum grows beyond, the block is cut into
 * segments, by the same rule in both builds; each adds its own term to y.
 * Preconditions: ffn a multiple of 32, at most 65535; y has room for hidden padded to 32; `scratch` columnsScratch() bytes, 16-aligned or not.
 * Error: that of h's rounding; f32 rounding about (blocks used) * 1.2e-7 of the sum of magnitudes. The f16 d and m have 11 bits, so units hold them
 * exactly while they are at least a sixteenth of the row's largest (m: of eight times that); smaller ones are off by half a unit (m: by four) at most, 2^-16 of the
 * row's largest: of the 1.66 million in SmolLM2-135M's Q4_1 file 12 are. Test: test/kernels/columns.test.ts.
 */
import { Layout } from '../../abi/enums';
import { half4Exact, madd, mask000f, nibbleMask } from '../../base/simd';
import { touch } from './touch';

/** Bytes of scratch: 32 values of h, 16 entries of two neurons (see `enter`), what was touched. */
@inline export function columnsScratch(): usize { return 128 + 17 * 16; }
const MOST: i32 = 2184; // 15 * 2184 < 2^15

@inline function padded(rows: i32): usize { return <usize>((rows + 31) & ~31); }

/** Bytes of `down` [rows, cols] in column form; 0: this layout has none. */
export function columnBytes(layout: i32, rows: i32, cols: i32): usize {
  if (layout != Layout.q4_0 && layout != Layout.q4_1 || cols & 31) return 0;
  return padded(rows) * (4 + <usize>(cols >> 5) * (layout == Layout.q4_1 ? 20 : 18));
}

/** Set `p` of a chunk (4 rows x 4 bytes) as columns: lane j = byte j of the four rows. Zeros for rows that do not exist. */
@inline function columns4(p: usize, exists: bool): v128 {
  const v = exists ? v128.load(p) : i32x4.splat(0);
  return i8x16.shuffle(v, v, 0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
}

/** Byte columns j = 0..3 of 16 rows (four sets a, b, c, d), column j in result `j`. */
@inline function pick(j: i32, a: v128, b: v128, c: v128, d: v128): v128 {
  if (j == 0) return i64x2.shuffle(i32x4.shuffle(a, b, 0, 4, 0, 4), i32x4.shuffle(c, d, 0, 4, 0, 4), 0, 2);
  if (j == 1) return i64x2.shuffle(i32x4.shuffle(a, b, 1, 5, 1, 5), i32x4.shuffle(c, d, 1, 5, 1, 5), 0, 2);
  if (j == 2) return i64x2.shuffle(i32x4.shuffle(a, b, 2, 6, 2, 6), i32x4.shuffle(c, d, 2, 6, 2, 6), 0, 2);
  return i64x2.shuffle(i32x4.shuffle(a, b, 3, 7, 3, 7), i32x4.shuffle(c, d, 3, 7, 3, 7), 0, 2);
}

/** Columns j and j + 4 of a chunk for 32 rows: `first` rows 0..15, `second` 16..31, low nibble = column j, high = j + 4. */
@inline function storeColumns(q: usize, stride: usize, first: v128, second: v128): void {
  const low = nibbleMask();
  v128.store(q, v128.or(v128.and(first, low), i16x8.shl(v128.and(second, low), 4)));
  v128.store(q + (stride << 2), v128.or(v128.and(i16x8.shr_u(first, 4), low), v128.andnot(second, low)));
}

/** Four f16 at `p` in units of 1 / `inverse`, as i32. */
@inline function units4(p: usize, inverse: v128): v128 {
  return i32x4.trunc_sat_f32x4_s(f32x4.nearest(f32x4.mul(half4Exact(p), inverse)));
}

/** Eight of them as i16. */
@inline function units8(p: usize, first: v128, second: v128): v128 { return i16x8.narrow_i32x4_s(units4(p, first), units4(p + 8, second)); }

/** The units of 8 rows to `dst`: 2^-15 of the power of two above all of a row's |d| and |m| / 8. The bits of f16 ascend as the values do. */
@inline function packUnits(hasMin: bool, p: usize, nBlocks: i32, blockBytes: usize, dst: usize): void {
  const magnitude = i16x8.splat(0x7fff);
  let top = i16x8.splat(0x400); // below the smallest normal number units need not go
  for (let b = 0; b < nBlocks; b++, p += blockBytes) {
    top = i16x8.max_s(top, v128.and(v128.load(p, 128), magnitude));
    if (hasMin) top = i16x8.max_s(top, i16x8.sub(v128.and(v128.load(p, 144), magnitude), i16x8.splat(0xc00)));
  }
  // f16 bits e << 10 are 2^(e - 15) and more, below 2^(e - 14): f32 2^(e - 29)
  const e = i16x8.add(i16x8.shr_u(top, 10), i16x8.splat(127 - 29));
  v128.store(dst, i32x4.shl(i32x4.extend_low_i16x8_u(e), 23));
  v128.store(dst, i32x4.shl(i32x4.extend_high_i16x8_u(e), 23), 16);
}

/** `layout` is a literal. */
@inline function pack(layout: i32, w: usize, rows: i32, cols: i32, dst0: usize): void {
  const nBlocks = cols >> 5, groups = (rows + 7) >> 3, hidden = padded(rows), stride = hidden >> 1, one = f32x4.splat(1), eighth = f32x4.splat(0.125);
  const blockBytes: usize = layout == Layout.q4_1 ? 160 : 144, group = <usize>nBlocks * blockBytes;
  memory.fill(dst0, 0, hidden << 2);
  for (let g = 0; g < groups; g++) packUnits(layout == Layout.q4_1, w + <usize>g * group, nBlocks, blockBytes, dst0 + (<usize>g << 5));
  let dst = dst0 + (hidden << 2);
  for (let b = 0; b < nBlocks; b++, w += blockBytes) {
    const scales = dst + (stride << 5);
    memory.fill(scales, 0, hidden << (layout == Layout.q4_1 ? 2 : 1));
    for (let g = 0, units = dst0; g < groups; g++, units += 32) {
      const p = w + <usize>g * group + 128, first = f32x4.div(one, v128.load(units)), second = f32x4.div(one, v128.load(units, 16)), d = units8(p, first, second);
      if (layout == Layout.q4_1) {
        const m = units8(p + 16, f32x4.mul(first, eighth), f32x4.mul(second, eighth)), q = scales + (<usize>g << 5);
        v128.store(q, i16x8.shuffle(d, m, 0, 8, 1, 9, 2, 10, 3, 11));
        v128.store(q, i16x8.shuffle(d, m, 4, 12, 5, 13, 6, 14, 7, 15), 16);
      } else {
        v128.store(scales + (<usize>g << 4), d);
      }
    }
    for (let g = 0, q = dst; g < groups; g += 4, q += 16) {
      const p0 = w + <usize>g * group, has1 = g + 1 < groups, has2 = g + 2 < groups, has3 = g + 3 < groups;
      for (let c: usize = 0; c < 4; c++) {
        const p = p0 + (c << 5), out = q + (c << 3) * stride;
        const a = columns4(p, true), b = columns4(p + 16, true), e = columns4(p + group, has1), f = columns4(p + group + 16, has1);
        const a2 = columns4(p + 2 * group, has2), b2 = columns4(p + 2 * group + 16, has2);
        const e2 = columns4(p + 3 * group, has3), f2 = columns4(p + 3 * group + 16, has3);
        storeColumns(out, stride, pick(0, a, b, e, f), pick(0, a2, b2, e2, f2));
        storeColumns(out + stride, stride, pick(1, a, b, e, f), pick(1, a2, b2, e2, f2));
        storeColumns(out + 2 * stride, stride, pick(2, a, b, e, f), pick(2, a2, b2, e2, f2));
        storeColumns(out + 3 * stride, stride, pick(3, a, b, e, f), pick(3, a2, b2, e2, f2));
      }
    }
    dst = scales + (hidden << (layout == Layout.q4_1 ? 2 : 1));
  }
}

/** The interleaved `down` [rows, cols] at `w` in column form at `dst` [columnBytes]. Lossless. q4_0 and q4_1. */
export function packColumns(layout: i32, w: usize, rows: i32, cols: i32, dst: usize): void {
  if (layout == Layout.q4_0) pack(Layout.q4_0, w, rows, cols, dst);
  else if (layout == Layout.q4_1) pack(Layout.q4_1, w, rows, cols, dst);
  else unreachable();
}

/** Sum of four i32. */
@inline function sum4(v: v128): i32 {
  return i32x4.extract_lane(v, 0) + i32x4.extract_lane(v, 1) + i32x4.extract_lane(v, 2) + i32x4.extract_lane(v, 3);
}

/** relaxed: a + 8 outputs of two neurons, `v` their bytes interleaved. */
@inline function addPair(a: v128, h: v128, v: v128, low: v128): v128 {
  return i16x8.add(a, i16x8.relaxed_dot_i8x16_i7x16_s(h, v128.and(v, low)));
}

/** base: a + 8 outputs of one neuron, nibbles in 16-bit lanes. */
@inline function addOne(a: v128, h: v128, nibbles: v128): v128 {
  return i16x8.add(a, i16x8.mul(nibbles, h));
}

/** y[0..8] += s (a d + c m): `a` 8 outputs as i16, `c` 8 sum(q) in every lane, d and m at `d`. */
@inline function addOutputs(layout: i32, a: v128, d: usize, s: v128, c: v128, y: usize): void {
  let near: v128, far: v128;
  if (layout == Layout.q4_1) {
    near = i32x4.dot_i16x8_s(i16x8.shuffle(a, c, 0, 8, 1, 9, 2, 10, 3, 11), v128.load(d));
    far = i32x4.dot_i16x8_s(i16x8.shuffle(a, c, 4, 12, 5, 13, 6, 14, 7, 15), v128.load(d, 16));
  } else {
    const units = v128.load(d);
    near = i32x4.extmul_low_i16x8_s(a, units);
    far = i32x4.extmul_high_i16x8_s(a, units);
  }
  v128.store(y, madd(f32x4.convert_i32x4_s(near), s, v128.load(y)));
  v128.store(y, madd(f32x4.convert_i32x4_s(far), s, v128.load(y, 16)), 16);
}

/** Bytes of d and m of 8 outputs. */
@inline function scaleBytes(layout: i32): usize { return layout == Layout.q4_1 ? 32 : 16; }

/** y += the neurons entered at [from, to), whose q sum to `sum`; `c` their block's 8 sum(q) or 0. `scales` the block's d. */
@inline function segment(layout: i32, hidden: usize, from: usize, to: usize, sum: i32, scales: usize, s: f32, c: i32, y: usize): void {
  const low = ASC_FEATURE_RELAXED_SIMD ? nibbleMask() : mask000f();
  const start = i16x8.splat(layout == Layout.q4_0 ? <i16>(-8 * sum) : 0), scale = f32x4.splat(s), offset = i16x8.splat(<i16>c), step = scaleBytes(layout);
  for (let at: usize = 0, d = scales, end = hidden >> 1; at < end; at += 16, y += 128) { // 32 outputs
    let a0 = start, a1 = start, a2 = start, a3 = start;
    for (let e = from; e < to; e += 16) {
      const v = v128.load(load<usize>(e) + at), u = v128.load(load<usize>(e, 4) + at), h = v128.load32_splat(e, 8);
      if (ASC_FEATURE_RELAXED_SIMD) {
        const near = i8x16.shuffle(v, u, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
        const far = i8x16.shuffle(v, u, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
        a0 = addPair(a0, h, near, low); a1 = addPair(a1, h, far, low);
        a2 = addPair(a2, h, i16x8.shr_u(near, 4), low); a3 = addPair(a3, h, i16x8.shr_u(far, 4), low);
      } else {
        const g = v128.load32_splat(e, 12);
        a0 = addOne(addOne(a0, h, v128.and(v, low)), g, v128.and(u, low));
        a1 = addOne(addOne(a1, h, v128.and(i16x8.shr_u(v, 8), low)), g, v128.and(i16x8.shr_u(u, 8), low));
        a2 = addOne(addOne(a2, h, v128.and(i16x8.shr_u(v, 4), low)), g, v128.and(i16x8.shr_u(u, 4), low));
        a3 = addOne(addOne(a3, h, i16x8.shr_u(v, 12)), g, i16x8.shr_u(u, 12));
      }
    }
    if (!ASC_FEATURE_RELAXED_SIMD) { // even and odd outputs lie apart
      const near = a0, far = a2;
      a0 = i16x8.shuffle(near, a1, 0, 8, 1, 9, 2, 10, 3, 11); a1 = i16x8.shuffle(near, a1, 4, 12, 5, 13, 6, 14, 7, 15);
      a2 = i16x8.shuffle(far, a3, 0, 8, 1, 9, 2, 10, 3, 11); a3 = i16x8.shuffle(far, a3, 4, 12, 5, 13, 6, 14, 7, 15);
    }
    addOutputs(layout, a0, d, scale, offset, y); d += step;
    addOutputs(layout, a1, d, scale, offset, y + 32); d += step;
    addOutputs(layout, a2, d, scale, offset, y + 64); d += step;
    addOutputs(layout, a3, d, scale, offset, y + 96); d += step;
  }
}

function segmentQ40(hidden: usize, from: usize, to: usize, sum: i32, scales: usize, s: f32, c: i32, y: usize): void {
  segment(Layout.q4_0, hidden, from, to, sum, scales, s, c, y);
}
function segmentQ41(hidden: usize, from: usize, to: usize, sum: i32, scales: usize, s: f32, c: i32, y: usize): void {
  segment(Layout.q4_1, hidden, from, to, sum, scales, s, c, y);
}
/** A call: one copy of the loops a layout. */
@inline function callSegment(layout: i32, hidden: usize, from: usize, to: usize, sum: i32, scales: usize, s: f32, c: i32, y: usize): void {
  if (layout == Layout.q4_0) segmentQ40(hidden, from, to, sum, scales, s, c, y);
  else segmentQ41(hidden, from, to, sum, scales, s, c, y);
}

/** 2^23 + 2^22: added to a small f32, its bits minus those of the sum's 0 are the nearest integer, halves to even. */
const ROUNDER: f32 = 12582912;

@inline function round4(v: v128, inverse: v128): v128 {
  return i32x4.sub(f32x4.add(f32x4.mul(v, inverse), f32x4.splat(ROUNDER)), i32x4.splat(0x4b400000));
}

/** Largest of four i32. */
@inline function max4(v: v128): i32 {
  const w = i32x4.max_s(v, i64x2.shuffle(v, v, 1, 0));
  return max(i32x4.extract_lane(w, 0), i32x4.extract_lane(w, 1));
}

/** The largest |value| of 32 f32; NaN if one is (its bits are the largest then). */
@inline function amax32(p: usize): f32 {
  let top = i32x4.splat(0);
  for (const end = p + 128; p < end; p += 32) {
    top = i32x4.max_s(top, i32x4.max_s(f32x4.abs(v128.load(p)), f32x4.abs(v128.load(p, 16))));
  }
  return reinterpret<f32>(max4(top));
}

/**
 * Two neurons, 16 B: where their bytes are, then their factors, each twice, because four bytes are spread over a vector by the load itself and
 * two are not. Written whole, as they are read: the processor cannot forward pieces.
 */
@inline function enter(entry: usize, first: usize, second: usize, q: i32, r: i32): void {
  store<usize>(entry, first);
  store<usize>(entry, second, 4);
  if (ASC_FEATURE_RELAXED_SIMD) {
    store<i32>(entry, ((q & 0xff) | (r & 0xff) << 8) * 0x10001, 8);
  } else {
    store<i32>(entry, (q & 0xffff) * 0x10001, 8);
    store<i32>(entry, (r & 0xffff) * 0x10001, 12);
  }
}

/** Factor of the first or second neuron of an entry. */
@inline function factor(entry: usize, second: usize): i32 {
  return ASC_FEATURE_RELAXED_SIMD ? <i32>load<i8>(entry + second, 8) : <i32>load<i16>(entry + (second << 2), 8);
}

/** The block's entries in as many segments as 16 bits demand: the first adds the block's minima. */
@inline function cut(layout: i32, hidden: usize, entries: usize, end: usize, scales: usize, s: f32, c: i32, y: usize): void {
  let from = entries, sum = 0, weight = 0;
  for (let e = entries; e < end; e += 16) {
    const a = factor(e, 0), b = factor(e, 1), more = abs(a) + abs(b);
    if (weight + more > MOST) {
      callSegment(layout, hidden, from, e, sum, scales, s, c, y);
      from = e; c = 0; sum = 0; weight = 0;
    }
    sum += a + b; weight += more;
  }
  callSegment(layout, hidden, from, end, sum, scales, s, c, y);
}

/** Reads the lines of the scales and listed neurons of the block that `list` begins with; what was read goes to `keep`. */
@inline function touchBlock(w: usize, stride: usize, blockBytes: usize, list: usize, end: usize, keep: usize): void {
  const iBlock = <usize>load<u16>(list) >> 5, base = w + iBlock * blockBytes;
  let touched = touch(base + (stride << 5), blockBytes - (stride << 5));
  for (; list < end && <usize>load<u16>(list) >> 5 == iBlock; list += 2) touched |= touch(base + (<usize>load<u16>(list) & 31) * stride, stride);
  store<u32>(keep, touched);
}

/** `layout` must be a literal. */
@inline function columns(layout: i32, units: usize, rows: i32, list: usize, n: i32, h: usize, ahead: bool, values: usize, y: usize): void {
  const hidden = padded(rows), stride = hidden >> 1, blockBytes = hidden * (layout == Layout.q4_1 ? 20 : 18), w = units + (hidden << 2);
  const entries = values + 128, touched = entries + 256, end = list + (<usize>n << 1);
  memory.fill(y, 0, hidden << 2);
  if (ahead && list < end) touchBlock(w, stride, blockBytes, list, end, touched);
  while (list < end) {
    const iBlock = <usize>load<u16>(list) >> 5, base = w + iBlock * blockBytes, scales = base + (stride << 5), first = list;
    for (let p = values; p < entries; p += 32) { v128.store(p, i32x4.splat(0)); v128.store(p, i32x4.splat(0), 16); }
    for (let p = values; list < end && <usize>load<u16>(list) >> 5 == iBlock; list += 2, p += 4) store<f32>(p, load<f32>(h + (<usize>load<u16>(list) << 2)));
    const amax = amax32(values);
    // the lines of the next block come while this one is computed, as far as the processor looks ahead
    if (ahead && list < end) touchBlock(w, stride, blockBytes, list, end, touched);
    if (!(amax > 1e-30)) continue; // as quantize() does: zero, too small to invert, or NaN
    const s = amax / 127, inverse = f32x4.splat(<f32>127 / amax);
    let total = i32x4.splat(0), weights = total;
    for (let p = values; p < entries; p += 16) {
      const q = round4(v128.load(p), inverse);
      v128.store(p, q);
      total = i32x4.add(total, q);
      weights = i32x4.add(weights, i32x4.abs(q));
    }
    let last = entries;
    for (let p = values, i = first; i < list; i += 4, p += 8, last += 16) {
      const neuron = base + (<usize>load<u16>(i) & 31) * stride, other = i + 2 < list ? base + (<usize>load<u16>(i, 2) & 31) * stride : neuron;
      enter(last, neuron, other, load<i32>(p), load<i32>(p, 4)); // behind the last one lie zeros
    }
    const sum = sum4(total), c = sum << 3;
    if (sum4(weights) <= MOST) callSegment(layout, hidden, entries, last, sum, scales, s, c, y);
    else cut(layout, hidden, entries, last, scales, s, c, y);
  }
  for (; units < w; units += 16, y += 16) v128.store(y, f32x4.mul(v128.load(y), v128.load(units)));
}

/**
 * y[rows padded to 32] = the listed columns of W (column form, `rows` x ffn) times h; h f32 [ffn], read only where listed. `list`: n sorted
 * u16. `ahead`: 0 where W is in the cache, else the listed neurons of the next block are read ahead (touch.ts). y is overwritten; n = 0 gives zeros.
 */
export function columnsMatvec(layout: i32, w: usize, rows: i32, list: usize, n: i32, h: usize, ahead: i32, scratch: usize, y: usize): void {
  if (layout == Layout.q4_0) columns(Layout.q4_0, w, rows, list, n, h, ahead > 0, scratch, y);
  else if (layout == Layout.q4_1) columns(Layout.q4_1, w, rows, list, n, h, ahead > 0, scratch, y);
  else unreachable();
}
