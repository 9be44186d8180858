/**
 * y[i] = W[i, :] x for the listed rows i of a 4-bit matrix. The interleaved layouts cannot leave out a row; the "row form" can: lanes are four
 * consecutive blocks of 32 columns of one row, so a row is one sequential run and its sum crosses lanes once, at its end.
 *
 *   q4_0, q4_1  per 4 blocks: 4 chunks c of 16 B, lane b = 4 bytes of block b (low nibble = column 8c + j, high = 8c + 4 + j: the units of
 *               the interleaved layout), then 4 f16 d, or 4 pairs of f16 d, m                                          72 / 80 B
 *               1 or 2 blocks left over: the same with lanes of 2 blocks, 8 B a chunk (3 left over: as 4, the last one zero)  36 / 40 B
 *   q4_k        per 256 columns: 2 x 4 chunks of 16 B, then 8 u8 sc, 8 u8 mn, f16 d, f16 dmin                          148 B
 *
 * Nothing is requantised or multiplied out. Two rows share every load of x; of the left-over blocks one vector holds two of each row, so
 * 576 columns (18 blocks) cost no padding. x comes as X4 records (kernels/quantize) whose 4-byte units are transposed once a vector, four
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
import { touch } from './touch';

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

/** `layout` must be a literal: each call site becomes a kernel of its own. An odd list's last row is computed twice. */
@inline function rows(layout: i32, w: usize, cols: i32, list: usize, n: i32, x0: usize, ahead: i32, y: usize): void {
  const low = nibbleMask(), one = ones16(), even = evenHalves(), odd = oddHalves(), mask = halfMask();
  const nBlocks = cols >> 5, left = nBlocks & 3;
  const bytes = rowBytes(layout, cols), full = groupBytes(layout), xData = x4Data() << 2;
  const xStep: usize = ASC_FEATURE_RELAXED_SIMD ? 32 : 64;
  const xEnd = x0 + <usize>((nBlocks >> 2) + i32(left == 3)) * permutedStride();
  const halfGroup = layout != Layout.q4_k && (left == 1 || left == 2);
  let next = list, touched: u32 = 0;
  for (const last = list + (<usize>(n - 1) << 1); list <= last; list += 4) {
    if (list == next && ahead > 0) {
      for (const stop = min(list + (<usize>ahead << 1), last + 2); next < stop; next += 2) touched |= touch(w + <usize>load<u16>(next) * bytes, bytes);
    }
    const rowP = <usize>load<u16>(list), rowQ = <usize>load<u16>(min(list + 2, last));
    let p = w + rowP * bytes, q = w + rowQ * bytes;
    let second = false; // half of a superblock
    let f = f32x4.splat(0), g = f, scaledP = f, scaledQ = f, minP = f, minQ = f;
    for (let x = x0; x < xEnd; x += permutedStride()) {
      let a = i32x4.splat(0), b = a, px = x;
      for (const stop = x + xData; px < stop; px += xStep, p += 16, q += 16) {
        const v = v128.load(p), u = v128.load(q), xa = v128.load(px), xb = v128.load(px, 16);
        let xc = xa, xd = xb;
        if (!ASC_FEATURE_RELAXED_SIMD) { xc = v128.load(px, 32); xd = v128.load(px, 48); }
        a = addChunk(a, v, xa, xb, xc, xd, low);
        b = addChunk(b, u, xa, xb, xc, xd, low);
      }
      a = sums32(a, one); b = sums32(b, one);
      if (layout == Layout.q4_k) {
        const at: usize = second ? 4 : 64;
        scaledP = addScaled(a, p + at, px, scaledP);
        scaledQ = addScaled(b, q + at, px, scaledQ);
        minP = madd(v128.load(px, 32), bytes4u(p + at + 8), minP);
        minQ = madd(v128.load(px, 32), bytes4u(q + at + 8), minQ);
        if (second) {
          f = closeSuper(scaledP, minP, p + 16, f);
          g = closeSuper(scaledQ, minQ, q + 16, g);
          scaledP = f32x4.splat(0); scaledQ = scaledP; minP = scaledP; minQ = scaledP;
          p += 20; q += 20;
        }
        second = !second;
      } else {
        f = addBlocks(layout, a, loadScales(layout, p), even, odd, mask, px, f);
        g = addBlocks(layout, b, loadScales(layout, q), even, odd, mask, px, g);
        p += full - 64; q += full - 64;
      }
    }
    let sums = f32x4.add(i64x2.shuffle(f, g, 0, 2), i64x2.shuffle(f, g, 1, 3)); // two partial sums of each row
    if (halfGroup) {
      let a = i32x4.splat(0), px = xEnd;
      for (const stop = xEnd + xData; px < stop; px += xStep, p += 8, q += 8) {
        const xa = v128.load(px), xb = v128.load(px, 16);
        let xc = xa, xd = xb;
        if (!ASC_FEATURE_RELAXED_SIMD) { xc = v128.load(px, 32); xd = v128.load(px, 48); }
        a = addChunk(a, two64(p, q), xa, xb, xc, xd, low);
      }
      sums = addBlocks(layout, sums32(a, one), layout == Layout.q4_1 ? two64(p, q) : two32(p, q), even, odd, mask, px, sums);
    }
    store<f32>(y + (rowP << 2), f32x4.extract_lane(sums, 0) + f32x4.extract_lane(sums, 1));
    store<f32>(y + (rowQ << 2), f32x4.extract_lane(sums, 2) + f32x4.extract_lane(sums, 3));
  }
  if (n < 0) store<u32>(y, touched);
}

/** y[list_i] = row list_i of W times x, for the n rows of the list; W in row form, x permuted. */
export function rowsMatvec(layout: i32, w: usize, cols: i32, list: usize, n: i32, xPermuted: usize, ahead: i32, y: usize): void {
  if (n <= 0) return;
  switch (layout) {
    case Layout.q4_0: rows(Layout.q4_0, w, cols, list, n, xPermuted, ahead, y); break;
    case Layout.q4_1: rows(Layout.q4_1, w, cols, list, n, xPermuted, ahead, y); break;
    case Layout.q4_k: rows(Layout.q4_k, w, cols, list, n, xPermuted, ahead, y); break;
    default: unreachable();
  }
}
