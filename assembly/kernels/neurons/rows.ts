/**
 * y[i] = W[i, :] x for the listed rows i of a 4-bit matrix. The interleaved layouts cannot leave out a row; the "row form" can: lanes are four
 * consecutive blocks of 32 columns of one row, so a row is one sequential run and its sum crosses lanes once, at its end.
 *
 *   q4_0, q4_1  per 4 blocks: 4 chunks c of 16 B, lane b = 4 bytes of block b (low nibble = column 8c + j, high = 8c + 4 + j: the units of
 *               the interleaved layout), then 4 i16 d, or 4 pairs of i16 d, m, in the row's unit (units.ts)             72 / 80 B
 *               1 or 2 blocks left over: the same with lanes of 2 blocks, 8 B a chunk (3 left over: as 4, the last one zero)  36 / 40 B
 *               at the end the unit, f32, and nothing                                                                   8 B
 *   q4_k        per 256 columns: 2 x 4 chunks of 16 B, then 8 u8 sc, 8 u8 mn, f16 d, f16 dmin                          148 B
 *
 * Four rows share every load of x (q4_k: two); of the left-over blocks one vector holds two of each of two rows, so 576 columns (18 blocks) cost no
 * padding. x comes as X4 records (kernels/quantize) whose 4-byte units are transposed once a vector, four records side by side ("permuted"): per 4
 * blocks, x4Data() * 4 bytes of data, then four vectors: s', s sum(q), and the integer parts of m and of q - 8 (relaxed: pairs of i16, [0, 8 sum(q)] and
 * [-8 sum(q), 0], to be multiplied with [d, m] and [d, d]; base: f32 8 s sum(q), and i32 -8 * 256 sum(q)). Left-over records appear twice, for lanes 0 1 and 2 3.
 * relaxed: d * sum(q n) + m * 8 sum(q) is one 32-bit integer a lane: |..| <= (2 * 30480 + 32512) * 16383 < 2^31.
 * Preconditions: cols a multiple of 32 (q4_k: 256); the list holds n u16 row numbers and has room for three more. Only the listed y are written.
 * Error: that of the activations' rounding and of units.ts; f32 rounding about (cols / 32) * 6e-8 of the sum of magnitudes. Test: test/kernels/rows.test.ts.
 */
import { Dtype, Layout } from '../../abi/enums';
import { bytes4u, madd, nibbleMask, ones16 } from '../../base/simd';
import { dotHigh, dotLow, dotNibbles } from '../matvec/q4';
import { x4Data, x4Stride } from '../quantize/quantize';
import { valueOf } from '../repack/floats';
import { laneOffset } from '../repack/store';
import { touchRows } from './touch';
import { unitOf, unitsOfMin, unitsOfScale } from './units';

/** Bytes of four permuted records. */
@inline function permutedStride(): usize { return (x4Data() << 2) + 64; }

/** Bytes that `permuteX4` writes. */
export function permutedBytes(cols: i32): usize {
  return <usize>((cols + 127) >> 7) * permutedStride();
}

/** Bytes of a row's unit: four, and four that keep the alignment of what follows. */
const UNIT: usize = 8;

@inline function groupBytes(layout: i32): usize { return layout == Layout.q4_0 ? 72 : 80; }

/** Bytes of a row in row form; 0: this layout has none, or not with this many columns. */
export function rowBytes(layout: i32, cols: i32): usize {
  if (layout == Layout.q4_k) return cols & 255 ? 0 : <usize>(cols >> 8) * 148;
  if (layout != Layout.q4_0 && layout != Layout.q4_1 || cols & 31) return 0;
  const nBlocks = cols >> 5, left = nBlocks & 3, full = groupBytes(layout);
  return <usize>(nBlocks >> 2) * full + (left == 0 ? 0 : left == 3 ? full : full >> 1) + UNIT;
}

/** `nLanes` blocks of one row (of `lanes` places) from interleaved blocks `step` bytes apart at `p`. */
@inline function packGroup(hasMin: bool, p: usize, step: usize, lane: i32, inverse: f32, nLanes: i32, lanes: usize, q: usize): void {
  const at = laneOffset(lane), scale = p + 128 + (<usize>lane << 1);
  for (let b: usize = 0, d = scale; b < <usize>nLanes; b++, p += step, d += step) {
    for (let c: usize = 0; c < 4; c++) store<u32>(q + ((c * lanes + b) << 2), load<u32>(p + at + (c << 5)));
    const to = q + (lanes << 4) + (hasMin ? b << 2 : b << 1);
    store<i16>(to, unitsOfScale(d, inverse));
    if (hasMin) store<i16>(to + 2, unitsOfMin(d, inverse));
  }
}

/** `layout` is q4_0 or q4_1, a literal. */
@inline function packQ4(layout: i32, w: usize, rows: i32, cols: i32, dst: usize): void {
  const nBlocks = cols >> 5, full = groupBytes(layout), bytes = rowBytes(layout, cols), hasMin = layout == Layout.q4_1;
  const blockBytes: usize = hasMin ? 160 : 144;
  memory.fill(dst, 0, <usize>rows * bytes);
  for (let row = 0; row < rows; row++, dst += bytes) {
    let p = w + <usize>(row >> 3) * <usize>nBlocks * blockBytes, q = dst, left = nBlocks;
    const unit = unitOf(hasMin, p + 128 + (<usize>(row & 7) << 1), nBlocks, blockBytes);
    for (; left >= 3; left -= 4, p += blockBytes << 2, q += full) packGroup(hasMin, p, blockBytes, row & 7, 1 / unit, min(left, 4), 4, q);
    if (left > 0) packGroup(hasMin, p, blockBytes, row & 7, 1 / unit, left, 2, q);
    store<f32>(dst + bytes - UNIT, unit);
  }
}

function packQ4K(w: usize, rows: i32, cols: i32, dst: usize): void {
  const nSupers = <usize>(cols >> 8);
  for (let row = 0; row < rows; row++) {
    const lane = row & 7, at = laneOffset(lane);
    let p = w + <usize>(row >> 3) * nSupers * 1184;
    for (const end = dst + nSupers * 148; dst < end; dst += 148, p += 1184) {
      for (let b: usize = 0; b < 8; b++) {
        const block = p + b * 144, q = dst + ((b >> 2) << 6) + ((b & 3) << 2);
        for (let c: usize = 0; c < 4; c++) store<u32>(q + (c << 4), load<u32>(block + at + (c << 5)));
        store<u8>(dst + 128 + b, load<u8>(block + 128 + lane));
        store<u8>(dst + 136 + b, load<u8>(block + 136 + lane));
      }
      store<u16>(dst + 144, load<u16>(p + 1152 + (<usize>lane << 1)));
      store<u16>(dst + 146, load<u16>(p + 1168 + (<usize>lane << 1)));
    }
  }
}

/** An interleaved matrix at `w` into row form at `dst` [rows * rowBytes]. Layouts with rowBytes > 0. Quants are the file's; of d and m see units.ts (q4_k: the file's too). */
export function packRows(layout: i32, w: usize, rows: i32, cols: i32, dst: usize): void {
  switch (layout) {
    case Layout.q4_0: packQ4(Layout.q4_0, w, rows, cols, dst); break;
    case Layout.q4_1: packQ4(Layout.q4_1, w, rows, cols, dst); break;
    case Layout.q4_k: packQ4K(w, rows, cols, dst); break;
    default: unreachable();
  }
}

/** The 16 B at `p`, zeros where there is no record. */
@inline function piece(p: usize, exists: bool): v128 { return exists ? v128.load(p) : i32x4.splat(0); }

/** X4 records of a vector [cols] → permuted records at `dst` [permutedBytes(cols)]. */
export function permuteX4(x4: usize, cols: i32, dst: usize): void {
  const stride = x4Stride(), data = x4Data();
  for (let left = cols >> 5; left > 0; left -= 4, x4 += stride << 2, dst += permutedStride()) {
    const twice = left < 3, second = x4 + stride, third = twice ? x4 : second + stride, fourth = twice ? second : third + stride;
    const has1 = left > 1, has2 = left > 2 || twice, has3 = left > 3 || twice && has1;
    for (let u: usize = 0, q = dst; u < data; u += 16, q += 64) { // a transpose of 4-byte units
      const a = v128.load(x4 + u), b = piece(second + u, has1), c = piece(third + u, has2), d = piece(fourth + u, has3);
      const lowAB = i32x4.shuffle(a, b, 0, 4, 1, 5), lowCD = i32x4.shuffle(c, d, 0, 4, 1, 5), highAB = i32x4.shuffle(a, b, 2, 6, 3, 7), highCD = i32x4.shuffle(c, d, 2, 6, 3, 7);
      v128.store(q, i64x2.shuffle(lowAB, lowCD, 0, 2));
      v128.store(q, i64x2.shuffle(lowAB, lowCD, 1, 3), 16);
      v128.store(q, i64x2.shuffle(highAB, highCD, 0, 2), 32);
      v128.store(q, i64x2.shuffle(highAB, highCD, 1, 3), 48);
    }
    const a = v128.load(x4 + data), b = piece(second + data, has1), c = piece(third + data, has2), d = piece(fourth + data, has3), tail = dst + (data << 2);
    const sum = i64x2.shuffle(i32x4.shuffle(a, b, 2, 6, 3, 7), i32x4.shuffle(c, d, 2, 6, 3, 7), 0, 2);
    const e = v128.load(x4 + data, 16), f = piece(second + data + 16, has1), g = piece(third + data + 16, has2), h = piece(fourth + data + 16, has3);
    const correction = i64x2.shuffle(i32x4.shuffle(e, f, 0, 4, 1, 5), i32x4.shuffle(g, h, 0, 4, 1, 5), 0, 2);
    v128.store(tail, i64x2.shuffle(i32x4.shuffle(a, b, 0, 4, 1, 5), i32x4.shuffle(c, d, 0, 4, 1, 5), 0, 2));
    v128.store(tail, sum, 16);
    v128.store(tail, ASC_FEATURE_RELAXED_SIMD ? i32x4.shl(i32x4.neg(correction), 16) : f32x4.mul(sum, f32x4.splat(8)), 32);
    v128.store(tail, ASC_FEATURE_RELAXED_SIMD ? v128.and(correction, i32x4.splat(0xffff)) : correction, 48);
  }
}

/** One chunk of quants against x, added to `a` (i16 sums on relaxed, i32 on base). */
@inline function addChunk(a: v128, v: v128, xa: v128, xb: v128, xc: v128, xd: v128, low: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return i16x8.add(a, dotNibbles(v, xa, xb, low));
  return i32x4.add(a, i32x4.add(dotLow(v, xa, xb), dotHigh(v, xc, xd)));
}

/** A group's integer sums as i32. */
@inline function sums32(a: v128, one: v128): v128 {
  return ASC_FEATURE_RELAXED_SIMD ? i32x4.dot_i16x8_s(a, one) : a;
}

/** Four i16 in the low half, and in pairs the first (second) of each, as f32. */
@inline function first4(v: v128): v128 { return f32x4.convert_i32x4_s(i32x4.shr_s(i32x4.shl(v, 16), 16)); }
@inline function second4(v: v128): v128 { return f32x4.convert_i32x4_s(i32x4.shr_s(v, 16)); }
@inline function low4(v: v128): v128 { return f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(v)); }

/**
 * f + the terms of four blocks in the row's unit: `a` their sums of products, v their d (q4_1: pairs of d and m), `scale` their s' and `rest` what
 * `restOf` gives.
 */
@inline function addBlocks(layout: i32, a: v128, v: v128, scale: v128, rest: v128, f: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) {
    const d = layout == Layout.q4_1 ? i16x8.shuffle(v, v, 0, 0, 2, 2, 4, 4, 6, 6) : i16x8.shuffle(v, v, 0, 0, 1, 1, 2, 2, 3, 3);
    const sum = i32x4.add(i32x4.dot_i16x8_s(a, d), i32x4.dot_i16x8_s(layout == Layout.q4_1 ? v : d, rest));
    return madd(f32x4.convert_i32x4_s(sum), scale, f);
  }
  if (layout == Layout.q4_0) return madd(f32x4.convert_i32x4_s(i32x4.add(a, rest)), f32x4.mul(scale, low4(v)), f);
  return madd(f32x4.convert_i32x4_s(a), f32x4.mul(scale, first4(v)), madd(rest, second4(v), f));
}

/** Of the permuted records' constants at `tail` the one for m or for q - 8. */
@inline function restOf(layout: i32, tail: usize): v128 { return layout == Layout.q4_1 ? v128.load(tail, 32) : v128.load(tail, 48); }

/** The d (and m) of a group of four blocks. */
@inline function loadScales(layout: i32, p: usize, offset: usize): v128 { return layout == Layout.q4_1 ? v128.load(p + offset) : v128.load64_zero(p + offset); }

/** q4_k: g + scaled sums of four blocks. */
@inline function addScaled(dot: v128, scales: usize, tail: usize, g: v128): v128 {
  return madd(f32x4.convert_i32x4_s(dot), f32x4.mul(v128.load(tail), bytes4u(scales)), g);
}

/** q4_k: f + a superblock's scaled sums g and minimum sums h, with the row's d and dmin at `p`. */
@inline function closeSuper(g: v128, h: v128, p: usize, f: v128): v128 {
  const d = valueOf(Dtype.f16, p), dmin = valueOf(Dtype.f16, p + 2);
  return f32x4.add(f, f32x4.sub(f32x4.mul(g, f32x4.splat(d)), f32x4.mul(h, f32x4.splat(dmin))));
}

/** Two 32-bit pieces, of rows p and q, as the low half of a vector. */
@inline function two32(p: usize, q: usize): v128 { return v128.load32_lane(q, v128.load32_zero(p), 1); }

/** Two 64-bit pieces. */
@inline function two64(p: usize, q: usize): v128 { return v128.load64_lane(q, v128.load64_zero(p), 1); }

/** The two partial sums of rows p and q, two lanes each. */
@inline function pairSums(f: v128, g: v128): v128 {
  return f32x4.add(i64x2.shuffle(f, g, 0, 2), i64x2.shuffle(f, g, 1, 3));
}

/** Both rows' sums to y. */
@inline function storeSums(sums: v128, y: usize, rowP: usize, rowQ: usize): void {
  store<f32>(y + (rowP << 2), f32x4.extract_lane(sums, 0) + f32x4.extract_lane(sums, 1));
  store<f32>(y + (rowQ << 2), f32x4.extract_lane(sums, 2) + f32x4.extract_lane(sums, 3));
}

/** Four f32. */
@inline function four32(p: usize, q: usize, r: usize, s: usize): v128 {
  return v128.load32_lane(s, v128.load32_lane(r, v128.load32_lane(q, v128.load32_zero(p), 1), 2), 3);
}

/** `layout`, q4_0 or q4_1, must be a literal. Four rows at a time. */
@inline function rowsQ4(layout: i32, w: usize, cols: i32, list: usize, n: i32, x0: usize, ahead: i32, y: usize): void {
  const low = nibbleMask(), nBlocks = cols >> 5, left = nBlocks & 3;
  const bytes = rowBytes(layout, cols), group = groupBytes(layout), xData = x4Data() << 2;
  const xStep: usize = ASC_FEATURE_RELAXED_SIMD ? 32 : 64;
  const xEnd = x0 + <usize>((nBlocks >> 2) + i32(left == 3)) * permutedStride();
  let next = list, touched: u32 = 0;
  for (const last = list + (<usize>(n - 1) << 1); list <= last; list += 8) {
    if (list >= next && ahead > 0) {
      next = min(list + (<usize>ahead << 1), last + 2);
      touched |= touchRows(w, bytes, list, next);
    }
    const row0 = <usize>load<u16>(list), row1 = <usize>load<u16>(list, 2), row2 = <usize>load<u16>(list, 4), row3 = <usize>load<u16>(list, 6);
    let p0 = w + row0 * bytes, p1 = w + row1 * bytes, p2 = w + row2 * bytes, p3 = w + row3 * bytes;
    let f0 = f32x4.splat(0), f1 = f0, f2 = f0, f3 = f0;
    for (let x = x0; x < xEnd; x += permutedStride()) {
      let a0 = i32x4.splat(0), a1 = a0, a2 = a0, a3 = a0, xa = v128.load(x), xb = v128.load(x, 16), xc = xa, xd = xb;
      if (!ASC_FEATURE_RELAXED_SIMD) { xc = v128.load(x, 32); xd = v128.load(x, 48); }
      // No loop, and branches that are never taken (no row lies at 0): between them V8 keeps what is written in order. Straight on it would load all
      // sixteen vectors first and run out of registers, which costs a third.
      do {
        a0 = addChunk(a0, v128.load(p0), xa, xb, xc, xd, low);
        a1 = addChunk(a1, v128.load(p1), xa, xb, xc, xd, low);
        a2 = addChunk(a2, v128.load(p2), xa, xb, xc, xd, low);
        a3 = addChunk(a3, v128.load(p3), xa, xb, xc, xd, low);
        if (p0 == 0) break;
        if (ASC_FEATURE_RELAXED_SIMD) { xa = v128.load(x, 32); xb = v128.load(x, 48); }
        else { xa = v128.load(x, 64); xb = v128.load(x, 80); xc = v128.load(x, 96); xd = v128.load(x, 112); }
        a0 = addChunk(a0, v128.load(p0, 16), xa, xb, xc, xd, low);
        a1 = addChunk(a1, v128.load(p1, 16), xa, xb, xc, xd, low);
        a2 = addChunk(a2, v128.load(p2, 16), xa, xb, xc, xd, low);
        a3 = addChunk(a3, v128.load(p3, 16), xa, xb, xc, xd, low);
        if (p1 == 0) break;
        if (ASC_FEATURE_RELAXED_SIMD) { xa = v128.load(x, 64); xb = v128.load(x, 80); }
        else { xa = v128.load(x, 128); xb = v128.load(x, 144); xc = v128.load(x, 160); xd = v128.load(x, 176); }
        a0 = addChunk(a0, v128.load(p0, 32), xa, xb, xc, xd, low);
        a1 = addChunk(a1, v128.load(p1, 32), xa, xb, xc, xd, low);
        a2 = addChunk(a2, v128.load(p2, 32), xa, xb, xc, xd, low);
        a3 = addChunk(a3, v128.load(p3, 32), xa, xb, xc, xd, low);
        if (p2 == 0) break;
        if (ASC_FEATURE_RELAXED_SIMD) { xa = v128.load(x, 96); xb = v128.load(x, 112); }
        else { xa = v128.load(x, 192); xb = v128.load(x, 208); xc = v128.load(x, 224); xd = v128.load(x, 240); }
        a0 = addChunk(a0, v128.load(p0, 48), xa, xb, xc, xd, low);
        a1 = addChunk(a1, v128.load(p1, 48), xa, xb, xc, xd, low);
        a2 = addChunk(a2, v128.load(p2, 48), xa, xb, xc, xd, low);
        a3 = addChunk(a3, v128.load(p3, 48), xa, xb, xc, xd, low);
      } while (false);
      const scale = v128.load(x + xData), rest = restOf(layout, x + xData);
      f0 = addBlocks(layout, a0, loadScales(layout, p0, 64), scale, rest, f0);
      f1 = addBlocks(layout, a1, loadScales(layout, p1, 64), scale, rest, f1);
      f2 = addBlocks(layout, a2, loadScales(layout, p2, 64), scale, rest, f2);
      f3 = addBlocks(layout, a3, loadScales(layout, p3, 64), scale, rest, f3);
      p0 += group; p1 += group; p2 += group; p3 += group;
    }
    f0 = pairSums(f0, f1); f2 = pairSums(f2, f3);
    if (left == 1 || left == 2) {
      let a0 = i32x4.splat(0), a2 = a0, px = xEnd;
      for (const stop = xEnd + xData; px < stop; px += xStep) {
        const xa = v128.load(px), xb = v128.load(px, 16);
        let xc = xa, xd = xb;
        if (!ASC_FEATURE_RELAXED_SIMD) { xc = v128.load(px, 32); xd = v128.load(px, 48); }
        a0 = addChunk(a0, two64(p0, p1), xa, xb, xc, xd, low);
        a2 = addChunk(a2, two64(p2, p3), xa, xb, xc, xd, low);
        p0 += 8; p1 += 8; p2 += 8; p3 += 8;
      }
      const scale = v128.load(px), rest = restOf(layout, px);
      f0 = addBlocks(layout, a0, layout == Layout.q4_1 ? two64(p0, p1) : two32(p0, p1), scale, rest, f0);
      f2 = addBlocks(layout, a2, layout == Layout.q4_1 ? two64(p2, p3) : two32(p2, p3), scale, rest, f2);
    }
    const sums = f32x4.add(i32x4.shuffle(f0, f2, 0, 2, 4, 6), i32x4.shuffle(f0, f2, 1, 3, 5, 7)), units = w + bytes - UNIT;
    const four = f32x4.mul(sums, four32(units + row0 * bytes, units + row1 * bytes, units + row2 * bytes, units + row3 * bytes));
    v128.store32_lane(y + (row0 << 2), four, 0);
    v128.store32_lane(y + (row1 << 2), four, 1);
    v128.store32_lane(y + (row2 << 2), four, 2);
    v128.store32_lane(y + (row3 << 2), four, 3);
  }
  if (n < 0) store<u32>(y, touched); // never: keeps the reads
}

/** q4_k, two rows at a time. */
@inline function rowsQ4K(w: usize, cols: i32, list: usize, n: i32, x0: usize, ahead: i32, y: usize): void {
  const low = nibbleMask(), one = ones16();
  const bytes = rowBytes(Layout.q4_k, cols), xData = x4Data() << 2;
  const xStep: usize = ASC_FEATURE_RELAXED_SIMD ? 32 : 64, xEnd = x0 + <usize>(cols >> 7) * permutedStride();
  let next = list, touched: u32 = 0;
  for (const last = list + (<usize>(n - 1) << 1); list <= last; list += 4) {
    if (list >= next && ahead > 0) {
      next = min(list + (<usize>ahead << 1), last + 2);
      touched |= touchRows(w, bytes, list, next);
    }
    const rowP = <usize>load<u16>(list), rowQ = <usize>load<u16>(list, 2);
    let p = w + rowP * bytes, q = w + rowQ * bytes, scales = p + 128;
    let f = f32x4.splat(0), g = f, sumP = f, sumQ = f, minP = f, minQ = f;
    for (let x = x0; x < xEnd; x += permutedStride()) {
      let a = i32x4.splat(0), b = a, px = x;
      for (const stop = x + xData; px < stop; px += xStep, p += 16, q += 16) {
        const xa = v128.load(px), xb = v128.load(px, 16);
        let xc = xa, xd = xb;
        if (!ASC_FEATURE_RELAXED_SIMD) { xc = v128.load(px, 32); xd = v128.load(px, 48); }
        a = addChunk(a, v128.load(p), xa, xb, xc, xd, low);
        b = addChunk(b, v128.load(q), xa, xb, xc, xd, low);
      }
      const other = scales + (q - p);
      sumP = addScaled(sums32(a, one), scales, px, sumP);
      sumQ = addScaled(sums32(b, one), other, px, sumQ);
      minP = madd(v128.load(px, 16), bytes4u(scales + 8), minP);
      minQ = madd(v128.load(px, 16), bytes4u(other + 8), minQ);
      scales += 4;
      if (scales == p + 8) { // the second half of a superblock
        f = closeSuper(sumP, minP, p + 16, f);
        g = closeSuper(sumQ, minQ, q + 16, g);
        sumP = f32x4.splat(0); sumQ = sumP; minP = sumP; minQ = sumP;
        p += 20; q += 20; scales = p + 128;
      }
    }
    storeSums(pairSums(f, g), y, rowP, rowQ);
  }
  if (n < 0) store<u32>(y, touched); // never: keeps the reads
}

/**
 * y[list_i] = row list_i of W times x, for the n rows of the list; W in row form, x permuted. `ahead`: 0 where W is in the cache, else how many
 * listed rows to read ahead (touch.ts; 32 where a row has a few hundred bytes).
 */
export function rowsMatvec(layout: i32, w: usize, cols: i32, list: usize, n: i32, xPermuted: usize, ahead: i32, y: usize): void {
  if (n <= 0) return;
  const end = list + (<usize>n << 1), last = load<u16>(end - 2); // the last group of rows may be its last row again
  store<u16>(end, last);
  store<u32>(end, <u32>last * 0x10001, 2);
  switch (layout) {
    case Layout.q4_0: rowsQ4(Layout.q4_0, w, cols, list, n, xPermuted, ahead, y); break;
    case Layout.q4_1: rowsQ4(Layout.q4_1, w, cols, list, n, xPermuted, ahead, y); break;
    case Layout.q4_k: rowsQ4K(w, cols, list, n, xPermuted, ahead, y); break;
    default: unreachable();
  }
}
