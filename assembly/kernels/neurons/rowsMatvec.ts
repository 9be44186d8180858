/**
 * y[i] = W[i, :] x for the listed rows i of a matrix in row form (rows.ts), x permuted (permute.ts). Rows of nibbles are here, others in
 * rowsWide.ts. Four rows share every load of x; of the left-over blocks one vector holds two of each of two rows, so 576 columns (18
 * blocks) cost no padding.
 * relaxed: d * sum(q n) + m * 8 sum(q) is one 32-bit integer a lane: |..| <= (2 * 30480 + 32512) * 16383 < 2^31.
 * Preconditions: cols a multiple of the layout's unit; the list holds n u16 row numbers and has room for three more. Only the listed y
 * are written.
 * Error: that of the activations' rounding and of units.ts; f32 rounding about (cols / 32) * 6e-8 of the sum of magnitudes.
 * Test: test/kernels/rows.test.ts.
 */
import { madd, nibbleMask, ones16 } from '../../base/simd';
import { Format, the } from '../../layouts/kinds';
import { forLayout } from '../../layouts/table';
import { addChunk, sums32 } from '../matvec/dots';
import { permutedData, permutedStride } from './permute';
import { UNIT, fourBytes, quantBytes, rowBytesOf } from './rows';
import { wideRows } from './rowsWide';
import { bitsOf, hasForms } from './source';
import { touchRows } from './touch';

/** Four i16 in the low half, and in pairs the first (second) of each, as f32. */
@inline function first4(v: v128): v128 { return f32x4.convert_i32x4_s(i32x4.shr_s(i32x4.shl(v, 16), 16)); }
@inline function second4(v: v128): v128 { return f32x4.convert_i32x4_s(i32x4.shr_s(v, 16)); }
@inline function low4(v: v128): v128 { return f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(v)); }

/**
 * f + the terms of four blocks in the row's unit: `a` their sums of products, v their d (pairs of d and m where there is an m), `scale`
 * their s' and `rest` what `restOf` gives.
 */
@inline function addBlocks<L>(a: v128, v: v128, scale: v128, rest: v128, f: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) {
    const d = the<L>().mins ? i16x8.shuffle(v, v, 0, 0, 2, 2, 4, 4, 6, 6) : i16x8.shuffle(v, v, 0, 0, 1, 1, 2, 2, 3, 3);
    const sum = i32x4.add(i32x4.dot_i16x8_s(a, d), i32x4.dot_i16x8_s(the<L>().mins ? v : d, rest));
    return madd(f32x4.convert_i32x4_s(sum), scale, f);
  }
  if (!the<L>().mins) return madd(f32x4.convert_i32x4_s(i32x4.add(a, rest)), f32x4.mul(scale, low4(v)), f);
  return madd(f32x4.convert_i32x4_s(a), f32x4.mul(scale, first4(v)), madd(rest, second4(v), f));
}

/** Of the permuted records' constants at `tail` the one for m or for q - 8. */
@inline function restOf<L>(tail: usize): v128 { return v128.load(tail + (the<L>().mins ? ASC_FEATURE_RELAXED_SIMD ? 32 : 16 : 48)); }

/** The d (and m) of a group of four blocks. */
@inline function loadScales<L>(p: usize): v128 {
  return the<L>().mins ? v128.load(p + quantBytes<L>()) : v128.load64_zero(p + quantBytes<L>());
}

/** Two 32-bit pieces, of rows p and q, as the low half of a vector. */
@inline function two32(p: usize, q: usize): v128 { return v128.load32_lane(q, v128.load32_zero(p), 1); }

/** Two 64-bit pieces. */
@inline function two64(p: usize, q: usize): v128 { return v128.load64_lane(q, v128.load64_zero(p), 1); }

/** The two partial sums of rows p and q, two lanes each. */
@inline function pairSums(f: v128, g: v128): v128 {
  return f32x4.add(i64x2.shuffle(f, g, 0, 2), i64x2.shuffle(f, g, 1, 3));
}

/** Four f32. */
@inline function four32(p: usize, q: usize, r: usize, s: usize): v128 {
  return v128.load32_lane(s, v128.load32_lane(r, v128.load32_lane(q, v128.load32_zero(p), 1), 2), 3);
}

/** Four rows at a time. */
function narrowRows<L>(w: usize, cols: i32, list: usize, n: i32, x0: usize, ahead: i32, y: usize): void {
  const low = nibbleMask(), nBlocks = cols >> 5, left = nBlocks & 3;
  const bytes = rowBytesOf<L>(cols), group = fourBytes<L>(), xData = permutedData(Format.x4);
  const xStep: usize = ASC_FEATURE_RELAXED_SIMD ? 32 : 64;
  const xEnd = x0 + <usize>((nBlocks >> 2) + i32(left == 3)) * permutedStride(Format.x4);
  let next = list, touched: u32 = 0;
  for (const last = list + (<usize>(n - 1) << 1); list <= last; list += 8) {
    if (list >= next && ahead > 0) {
      next = min(list + (<usize>ahead << 1), last + 2);
      touched |= touchRows(w, bytes, list, next);
    }
    const row0 = <usize>load<u16>(list), row1 = <usize>load<u16>(list, 2), row2 = <usize>load<u16>(list, 4);
    const row3 = <usize>load<u16>(list, 6);
    let p0 = w + row0 * bytes, p1 = w + row1 * bytes, p2 = w + row2 * bytes, p3 = w + row3 * bytes;
    let f0 = f32x4.splat(0), f1 = f0, f2 = f0, f3 = f0;
    for (let x = x0; x < xEnd; x += permutedStride(Format.x4)) {
      let a0 = i32x4.splat(0), a1 = a0, a2 = a0, a3 = a0, xa = v128.load(x), xb = v128.load(x, 16), xc = xa, xd = xb;
      if (!ASC_FEATURE_RELAXED_SIMD) { xc = v128.load(x, 32); xd = v128.load(x, 48); }
      // No loop, and branches that are never taken (no row lies at 0): between them V8 keeps what is written in order. Straight on it would
      // load all sixteen vectors first and run out of registers, which costs a third.
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
      const scale = v128.load(x + xData), rest = restOf<L>(x + xData);
      f0 = addBlocks<L>(a0, loadScales<L>(p0), scale, rest, f0);
      f1 = addBlocks<L>(a1, loadScales<L>(p1), scale, rest, f1);
      f2 = addBlocks<L>(a2, loadScales<L>(p2), scale, rest, f2);
      f3 = addBlocks<L>(a3, loadScales<L>(p3), scale, rest, f3);
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
      const scale = v128.load(px), rest = restOf<L>(px);
      f0 = addBlocks<L>(a0, the<L>().mins ? two64(p0, p1) : two32(p0, p1), scale, rest, f0);
      f2 = addBlocks<L>(a2, the<L>().mins ? two64(p2, p3) : two32(p2, p3), scale, rest, f2);
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

@unmanaged class RowsMatvec {
  @inline on<L>(w: usize, cols: usize, list: usize, n: usize, x: usize, ahead: usize, y: usize, _h: usize, _i: usize): usize {
    if (!hasForms<L>()) return unreachable();
    if (bitsOf<L>() == 4) narrowRows<L>(w, <i32>cols, list, <i32>n, x, <i32>ahead, y);
    else wideRows<L>(w, <i32>cols, list, <i32>n, x, <i32>ahead, y);
    return 0;
  }
}

/**
 * y[list_i] = row list_i of W times x, for the n rows of the list; W in row form, x permuted. `ahead`: 0 where W is in the cache, else how
 * many listed rows to read ahead (touch.ts; 32 where a row has a few hundred bytes).
 */
export function rowsMatvec(layout: i32, w: usize, cols: i32, list: usize, n: i32, xPermuted: usize, ahead: i32, y: usize): void {
  if (n <= 0) return;
  closeList(list, n);
  rowsSlice(layout, w, cols, list, n, xPermuted, ahead, y);
}

/** The last group of rows may be the list's last row again. */
export function closeList(list: usize, n: i32): void {
  const end = list + (<usize>n << 1), last = load<u16>(end - 2);
  store<u16>(end, last);
  store<u32>(end, <u32>last * 0x10001, 2);
}

/** The same of a part of a closed list, which begins at a multiple of 4 and ends at one, or at the list's end. */
export function rowsSlice(layout: i32, w: usize, cols: i32, list: usize, n: i32, xPermuted: usize, ahead: i32, y: usize): void {
  forLayout<RowsMatvec>(layout, w, cols, list, n, xPermuted, ahead, y);
}
