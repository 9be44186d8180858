/**
 * y[i] = W[i, :] x for the listed rows i of a 4-bit matrix. The interleaved layouts cannot leave out a row; the "row form" can: lanes are four
 * consecutive blocks of 32 columns of one row, so a row is one sequential run and its sum crosses lanes once, at its end.
 *
 *   q4_0, q4_1  per 4 blocks: 4 chunks c of 16 B, lane b = 4 bytes of block b (low nibble = column 8c + j, high = 8c + 4 + j: the units of
 *               the interleaved layout), then 4 f16 d, or 4 pairs of f16 d, m                                          72 / 80 B
 *               1 or 2 blocks left over: the same with lanes of 2 blocks, 8 B a chunk (3 left over: as 4, the last one zero)  36 / 40 B
 *   q4_k        per 256 columns: 2 x 4 chunks of 16 B, then 8 u8 sc, 8 u8 mn, f16 d, f16 dmin                          148 B
 *
 * Nothing is requantised or multiplied out. Four rows share every load of x (q4_k: two); of the left-over blocks one vector holds two of each of
 * two rows, so 576 columns (18 blocks) cost no padding. x comes as X4 records (kernels/quantize) whose 4-byte units are transposed once a vector, four
 * records side by side ("permuted"): per 4 blocks, x4Data() * 4 bytes of data, then five vectors: s', s' 2^112, s sum(q), s sum(q) 2^112, and
 * the integer corrections. Left-over records appear twice, for lanes 0 1 and 2 3.
 * Preconditions: cols a multiple of 32 (q4_k: 256); the list holds n u16 row numbers. Only the listed y are written.
 * Error: that of the activations' rounding; f32 rounding about (cols / 32) * 6e-8 of the sum of magnitudes. Integers are exact and the same in
 * both builds. Test: test/kernels/rows.test.ts.
 */
import { Dtype, Layout } from '../../abi/enums';
import { bytes4u, evenHalves, half4Of, halfMask, halfOf, madd, nibbleMask, oddHalves, ones16 } from '../../base/simd';
import { dotHigh, dotLow, dotNibbles } from '../matvec/q4';
import { x4Data, x4Stride } from '../quantize/quantize';
import { valueOf } from '../repack/floats';
import { laneOffset } from '../repack/store';
import { touchRows } from './touch';

/** Bytes of four permuted records. */
@inline function permutedStride(): usize { return (x4Data() << 2) + 80; }

/** Bytes that `permuteX4` writes. */
export function permutedBytes(cols: i32): usize {
  return <usize>((cols + 127) >> 7) * permutedStride();
}

@inline function groupBytes(layout: i32): usize { return layout == Layout.q4_0 ? 72 : 80; }

/** Bytes of a row in row form; 0: this layout has none, or not with this many columns. */
export function rowBytes(layout: i32, cols: i32): usize {
  if (layout == Layout.q4_k) return cols & 255 ? 0 : <usize>(cols >> 8) * 148;
  if (layout != Layout.q4_0 && layout != Layout.q4_1 || cols & 31) return 0;
  const nBlocks = cols >> 5, left = nBlocks & 3, full = groupBytes(layout);
  return <usize>(nBlocks >> 2) * full + (left == 0 ? 0 : left == 3 ? full : full >> 1);
}

/** `nLanes` blocks of one row (of `lanes` places) from interleaved blocks `step` bytes apart at `p`. */
@inline function packGroup(hasMin: bool, p: usize, step: usize, lane: i32, nLanes: i32, lanes: usize, q: usize): void {
  const at = laneOffset(lane), scale = <usize>lane << 1;
  for (let b: usize = 0; b < <usize>nLanes; b++, p += step) {
    for (let c: usize = 0; c < 4; c++) store<u32>(q + ((c * lanes + b) << 2), load<u32>(p + at + (c << 5)));
    const d = q + (lanes << 4) + (hasMin ? b << 2 : b << 1);
    store<u16>(d, load<u16>(p + 128 + scale));
    if (hasMin) store<u16>(d + 2, load<u16>(p + 144 + scale));
  }
}

/** `layout` is q4_0 or q4_1, a literal. */
@inline function packQ4(layout: i32, w: usize, rows: i32, cols: i32, dst: usize): void {
  const nBlocks = cols >> 5, full = groupBytes(layout), bytes = rowBytes(layout, cols);
  const blockBytes: usize = layout == Layout.q4_1 ? 160 : 144;
  memory.fill(dst, 0, <usize>rows * bytes);
  for (let row = 0; row < rows; row++, dst += bytes) {
    let p = w + <usize>(row >> 3) * <usize>nBlocks * blockBytes, q = dst, left = nBlocks;
    for (; left >= 3; left -= 4, p += blockBytes << 2, q += full) packGroup(layout == Layout.q4_1, p, blockBytes, row & 7, min(left, 4), 4, q);
    if (left > 0) packGroup(layout == Layout.q4_1, p, blockBytes, row & 7, left, 2, q);
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

/** An interleaved matrix at `w` into row form at `dst` [rows * rowBytes]. Lossless. Layouts with rowBytes > 0. */
export function packRows(layout: i32, w: usize, rows: i32, cols: i32, dst: usize): void {
  switch (layout) {
    case Layout.q4_0: packQ4(Layout.q4_0, w, rows, cols, dst); break;
    case Layout.q4_1: packQ4(Layout.q4_1, w, rows, cols, dst); break;
    case Layout.q4_k: packQ4K(w, rows, cols, dst); break;
    default: unreachable();
  }
}

/** X4 records of a vector [cols] → permuted records at `dst` [permutedBytes(cols)]. */
export function permuteX4(x4: usize, cols: i32, dst: usize): void {
  const nBlocks = cols >> 5, units = (x4Data() >> 2) + 5;
  memory.fill(dst, 0, permutedBytes(cols));
  for (let b = 0; b < nBlocks; b++, x4 += x4Stride()) {
    const lane = <usize>(b & 3) << 2, twice = nBlocks - (b & ~3) < 3;
    for (let u: usize = 0, q = dst + lane; u < units; u++, q += 16) {
      const value = load<u32>(x4 + (u << 2));
      store<u32>(q, value);
      if (twice) store<u32>(q + 8, value);
    }
    if ((b & 3) == 3) dst += permutedStride();
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

/** f + the terms of four blocks: `scales` their f16 d (q4_1: d and m), `tail` their constants in the permuted records. */
@inline function addBlocks(layout: i32, dot: v128, scales: v128, even: v128, odd: v128, mask: v128, tail: usize, f: v128): v128 {
  if (layout == Layout.q4_0) return madd(f32x4.convert_i32x4_s(i32x4.add(dot, v128.load(tail, 64))), f32x4.mul(v128.load(tail, 16), half4Of(scales)), f);
  const g = madd(v128.load(tail, 48), halfOf(scales, odd, mask), f);
  return madd(f32x4.convert_i32x4_s(dot), f32x4.mul(v128.load(tail, 16), halfOf(scales, even, mask)), g);
}

/** Scales of a group of four blocks. */
@inline function loadScales(layout: i32, p: usize): v128 { return layout == Layout.q4_1 ? v128.load(p) : v128.load64_zero(p); }

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

/** `layout`, q4_0 or q4_1, must be a literal. Four rows at a time; where the list ends early, its last row is computed again. */
@inline function rowsQ4(layout: i32, w: usize, cols: i32, list: usize, n: i32, x0: usize, ahead: i32, y: usize): void {
  const low = nibbleMask(), one = ones16(), even = evenHalves(), odd = oddHalves(), mask = halfMask();
  const nBlocks = cols >> 5, left = nBlocks & 3;
  const bytes = rowBytes(layout, cols), rest = groupBytes(layout) - 64, xData = x4Data() << 2;
  const xStep: usize = ASC_FEATURE_RELAXED_SIMD ? 32 : 64;
  const xEnd = x0 + <usize>((nBlocks >> 2) + i32(left == 3)) * permutedStride();
  let next = list, touched: u32 = 0;
  for (const last = list + (<usize>(n - 1) << 1); list <= last; list += 8) {
    if (list >= next && ahead > 0) {
      next = min(list + (<usize>ahead << 1), last + 2);
      touched |= touchRows(w, bytes, list, next);
    }
    const row0 = <usize>load<u16>(list), row1 = <usize>load<u16>(min(list + 2, last));
    const row2 = <usize>load<u16>(min(list + 4, last)), row3 = <usize>load<u16>(min(list + 6, last));
    let p0 = w + row0 * bytes, p1 = w + row1 * bytes, p2 = w + row2 * bytes, p3 = w + row3 * bytes;
    let f0 = f32x4.splat(0), f1 = f0, f2 = f0, f3 = f0;
    for (let x = x0; x < xEnd; x += permutedStride()) {
      let a0 = i32x4.splat(0), a1 = a0, a2 = a0, a3 = a0, px = x;
      for (const stop = x + xData; px < stop; px += xStep) {
        const xa = v128.load(px), xb = v128.load(px, 16);
        let xc = xa, xd = xb;
        if (!ASC_FEATURE_RELAXED_SIMD) { xc = v128.load(px, 32); xd = v128.load(px, 48); }
        a0 = addChunk(a0, v128.load(p0), xa, xb, xc, xd, low);
        a1 = addChunk(a1, v128.load(p1), xa, xb, xc, xd, low);
        a2 = addChunk(a2, v128.load(p2), xa, xb, xc, xd, low);
        a3 = addChunk(a3, v128.load(p3), xa, xb, xc, xd, low);
        p0 += 16; p1 += 16; p2 += 16; p3 += 16;
      }
      f0 = addBlocks(layout, sums32(a0, one), loadScales(layout, p0), even, odd, mask, px, f0);
      f1 = addBlocks(layout, sums32(a1, one), loadScales(layout, p1), even, odd, mask, px, f1);
      f2 = addBlocks(layout, sums32(a2, one), loadScales(layout, p2), even, odd, mask, px, f2);
      f3 = addBlocks(layout, sums32(a3, one), loadScales(layout, p3), even, odd, mask, px, f3);
      p0 += rest; p1 += rest; p2 += rest; p3 += rest;
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
      f0 = addBlocks(layout, sums32(a0, one), layout == Layout.q4_1 ? two64(p0, p1) : two32(p0, p1), even, odd, mask, px, f0);
      f2 = addBlocks(layout, sums32(a2, one), layout == Layout.q4_1 ? two64(p2, p3) : two32(p2, p3), even, odd, mask, px, f2);
    }
    storeSums(f0, y, row0, row1);
    storeSums(f2, y, row2, row3);
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
    const rowP = <usize>load<u16>(list), rowQ = <usize>load<u16>(min(list + 2, last));
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
      minP = madd(v128.load(px, 32), bytes4u(scales + 8), minP);
      minQ = madd(v128.load(px, 32), bytes4u(other + 8), minQ);
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
  switch (layout) {
    case Layout.q4_0: rowsQ4(Layout.q4_0, w, cols, list, n, xPermuted, ahead, y); break;
    case Layout.q4_1: rowsQ4(Layout.q4_1, w, cols, list, n, xPermuted, ahead, y); break;
    case Layout.q4_k: rowsQ4K(w, cols, list, n, xPermuted, ahead, y); break;
    default: unreachable();
  }
}
