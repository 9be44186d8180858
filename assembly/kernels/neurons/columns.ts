/**
 * y[hidden] = W h for `down`, a matrix of nibbles in blocks that stand alone [hidden, ffn], of the neurons whose h is not zero. The
 * interleaved layouts run along ffn and cannot leave out a column; the "column form" can:
 *
 *   hidden f32 units (units.ts), then for every 64 neurons (two blocks of the file, for every row) and in there every 32 outputs, a "tile":
 *   64 neurons x 16 B; byte t = output t (low nibble) and 16 + t (high)
 *   then for every 8 outputs: their i16 d, in pairs of the two blocks: 32 B; where there is an m, the same of m: 32 B
 *
 * where hidden is padded to 32 with zero rows and ffn to 64 with zero neurons. It is read from the first byte to the last, as the
 * processor's prefetcher likes it, but for the neurons that are zero. Tiles, because lists of whole columns are slower from every level
 * of memory.
 *
 * h is rounded as kernels/quantize does it, but in blocks of 64: s = amax / 127, q nearest even. Two blocks of the file under one s,
 * because one integer dot product then adds both, and the scales are half the work: y += s * (d * sum(q n) + m * sum(q) + d' * sum(q' n') +
 * m' * sum(q')) (without m: d * sum(q (n - 8)) ..), n the nibbles, d in units and m in eight of them; |8 sum(q)| <= 32512 is m's factor of
 * 16 bits, |..| <= 4 * 32760 * 16383 < 2^31.
 *
 * relaxed: two neurons at a time; their bytes are interleaved, so that one 16-bit dot product (q of both x nibbles of both) has outputs in
 *   its lanes. base: bytes of even and odd outputs are multiplied in 16-bit lanes, and interleaved at the end.
 * i16 holds 15 * sum |q| while sum |q| <= 2184: at least 17 neurons, in practice all 32. Where the sum grows beyond, the block is cut into
 * segments, by the same rule in both builds; each adds its own term to y.
 * Preconditions: ffn a multiple of 32, at most 65535; y has room for hidden padded to 32; `scratch` columnsScratch() bytes.
 * Error: that of h's rounding and of units.ts; f32 rounding about (ffn / 64) * 1.2e-7 of the sum of magnitudes.
 * Test: test/kernels/columns.test.ts.
 */
import { nibbleMask } from '../../base/simd';
import { blockBytes, groupBytes, hasMin, isNibbles, isSuper, the } from '../../layouts/kinds';
import { forLayout } from '../../layouts/table';
import { unitOf, unitsOfMin, unitsOfScale } from './units';

/** Of a tile: bytes of a neuron, of a block of 32, of the quants. */
export const NEURON: usize = 16, BLOCK: usize = 512, QUANTS: usize = 1024;

@inline export function padded(rows: i32): usize { return <usize>((rows + 31) & ~31); }

/** Bytes of d and m of 8 outputs. */
@inline export function scaleBytes<L>(): usize { return hasMin<L>() ? 64 : 32; }

@inline export function tileBytes<L>(): usize { return QUANTS + 4 * scaleBytes<L>(); }

@inline function columnBytesOf<L>(rows: i32, cols: i32): usize {
  if (!isNibbles<L>() || isSuper<L>() || cols & 31) return 0;
  const hidden = padded(rows);
  return (hidden << 2) + <usize>((cols + 63) >> 6) * (hidden >> 5) * tileBytes<L>();
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
@inline function storeColumns(q: usize, first: v128, second: v128): void {
  const low = nibbleMask();
  v128.store(q, v128.or(v128.and(first, low), i16x8.shl(v128.and(second, low), 4)));
  v128.store(q, v128.or(v128.and(i16x8.shr_u(first, 4), low), v128.andnot(second, low)), 4 * NEURON);
}

/** The quants of one block of the file for the 32 rows of groups g to g + 3 to `q`; a group is `group` bytes, its block lies at `p`. */
@inline function packQuants(p: usize, group: usize, nGroups: i32, q: usize): void {
  const has1 = nGroups > 1, has2 = nGroups > 2, has3 = nGroups > 3;
  for (const end = p + 128; p < end; p += 32, q += 8 * NEURON) {
    const a = columns4(p, true), b = columns4(p + 16, true), c = columns4(p + group, has1), d = columns4(p + group + 16, has1);
    const e = columns4(p + 2 * group, has2), f = columns4(p + 2 * group + 16, has2), g = columns4(p + 3 * group, has3);
    const h = columns4(p + 3 * group + 16, has3);
    storeColumns(q, pick(0, a, b, c, d), pick(0, e, f, g, h));
    storeColumns(q + NEURON, pick(1, a, b, c, d), pick(1, e, f, g, h));
    storeColumns(q + 2 * NEURON, pick(2, a, b, c, d), pick(2, e, f, g, h));
    storeColumns(q + 3 * NEURON, pick(3, a, b, c, d), pick(3, e, f, g, h));
  }
}

function pack<L>(w: usize, rows: i32, cols: i32, dst: usize): void {
  const nBlocks = cols >> 5, nGroups = (rows + 7) >> 3, units = dst, tile = tileBytes<L>(), scales = the<L>().quantBytes;
  const group = groupBytes<L>(cols), tiles = units + (padded(rows) << 2), pair = (padded(rows) >> 5) * tile;
  memory.fill(dst, 0, columnBytesOf<L>(rows, cols));
  for (let row = 0; row < rows; row++) {
    const d = w + <usize>(row >> 3) * group + scales + (<usize>(row & 7) << 1);
    store<f32>(units + (<usize>row << 2), unitOf(hasMin<L>(), d, nBlocks, blockBytes<L>()));
  }
  for (let b = 0; b < nBlocks; b++, w += blockBytes<L>()) {
    let to = tiles + <usize>(b >> 1) * pair;
    const which = <usize>(b & 1);
    for (let g = 0; g < nGroups; g += 4, to += tile) packQuants(w + <usize>g * group, group, nGroups - g, to + which * BLOCK);
    to -= <usize>((nGroups + 3) >> 2) * tile;
    for (let row = 0; row < rows; row++) {
      const d = w + <usize>(row >> 3) * group + scales + (<usize>(row & 7) << 1), inverse = <f32>1 / load<f32>(units + (<usize>row << 2));
      const at = to + <usize>(row >> 5) * tile + QUANTS + <usize>(row >> 3 & 3) * scaleBytes<L>() + (<usize>(row & 7) << 2) + (which << 1);
      store<i16>(at, unitsOfScale(d, inverse));
      if (hasMin<L>()) store<i16>(at, unitsOfMin(d, inverse), 32);
    }
  }
}

@unmanaged class ColumnBytes {
  @inline on<L>(rows: usize, cols: usize, _c: usize, _d: usize, _e: usize, _f: usize, _g: usize, _h: usize, _i: usize): usize {
    return columnBytesOf<L>(<i32>rows, <i32>cols);
  }
}

/** Bytes of `down` [rows, cols] in column form; 0: this layout has none. */
export function columnBytes(layout: i32, rows: i32, cols: i32): usize { return forLayout<ColumnBytes>(layout, rows, cols); }

@unmanaged class PackColumns {
  @inline on<L>(w: usize, rows: usize, cols: usize, dst: usize, _e: usize, _f: usize, _g: usize, _h: usize, _i: usize): usize {
    if (!isNibbles<L>() || isSuper<L>()) return unreachable();
    pack<L>(w, <i32>rows, <i32>cols, dst);
    return 0;
  }
}

/**
 * The interleaved `down` [rows, cols] at `w` in column form at `dst` [columnBytes]; quants are the file's. Layouts with columnBytes > 0.
 */
export function packColumns(layout: i32, w: usize, rows: i32, cols: i32, dst: usize): void {
  forLayout<PackColumns>(layout, w, rows, cols, dst);
}
