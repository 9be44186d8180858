/**
 * The row form of a matrix, of which rows can be left out (the interleaved layouts cannot): lanes are four consecutive blocks of 32 columns
 * of one row, so a row is one sequential run and its sum crosses lanes once, at its end (rowsMatvec.ts, rowsWide.ts).
 *
 *   per 4 blocks  quants of up to 6 bits: 4 chunks c of 16 B, lane b = 4 bytes of block b (low nibble = column 8c + j, high = 8c + 4 + j); then
 *                 the bits above the nibbles: bit i of byte j of lane b is that of column 4i + j of block b (5 bits: 16 B), or bits 2i and
 *                 2i + 1 those of column 4i + j, in the next 16 B of column 16 + 4i + j (6 bits: 32 B)
 *                 8 bits: 8 chunks c of 16 B, lane b = 4 bytes of block b, columns 4c + j, as in the interleaved layout
 *                 then 4 i16 d, or 4 pairs of i16 d, m, or 4 d of the first halves and 4 of the second ones, in the row's unit (units.ts)
 *   1 or 2 left   the same with lanes of 2 blocks, 8 B a chunk (3 left over: as 4, the last one zero)
 *   at the end    the unit, f32, and nothing: 8 B
 *
 * Quants are the file's, unsigned but for 8 bits. Test: test/kernels/rows.test.ts.
 */
import { groupBytes, the, unitCols } from '../../layouts/kinds';
import { forLayout } from '../../layouts/table';
import { bitsOf, blockAt, factorsAt, hasForms, scaleCols, unitAt } from './source';
import { unitOf, unitsOfMin, unitsOfScale } from './units';

/** Bytes of a row's unit: four, and four that keep the alignment of what follows. */
export const UNIT: usize = 8;

/** Bytes of the quants of four blocks. */
@inline export function quantBytes<L>(): usize { return <usize>bitsOf<L>() << 4; }

/** Bytes of four blocks. */
@inline export function fourBytes<L>(): usize { return quantBytes<L>() + (the<L>().mins || scaleCols<L>() < 32 ? 16 : 8); }

/** Bytes of a row in row form; 0: this layout has none, or not with this many columns. */
@inline export function rowBytesOf<L>(cols: i32): usize {
  if (!hasForms<L>() || cols % unitCols<L>()) return 0;
  const nBlocks = cols >> 5, left = nBlocks & 3, full = fourBytes<L>();
  return <usize>(nBlocks >> 2) * full + (left == 0 ? 0 : left == 3 ? full : full >> 1) + UNIT;
}

/** The 32 quants of row `lane` of a block as lane b of `lanes` at `q`. */
@inline function packQuants<L>(block: usize, lane: i32, b: usize, lanes: usize, q: usize): void {
  const chunk = lanes << 2, to = q + (b << 2), bits = bitsOf<L>();
  if (bits == 8) {
    for (let c = 0; c < 8; c++) store<u32>(to + <usize>c * chunk, unitAt<L>(block, lane, c) ^ 0x00800080);
    return;
  }
  let high: u64 = 0; // 5 bits: the low half; 6 bits: both
  for (let c = 0; c < 4; c++) {
    const near = unitAt<L>(block, lane, 2 * c), far = unitAt<L>(block, lane, 2 * c + 1);
    store<u32>(to + <usize>c * chunk, near & 0x0f0f0f0f | (far & 0x0f0f0f0f) << 4);
    if (bits == 5) high |= <u64>((near >> 4 & 0x01010101) << 2 * c | (far >> 4 & 0x01010101) << 2 * c + 1);
    if (bits == 6) high |= <u64>((near >> 4 & 0x03030303) << (4 * c & 7) | (far >> 4 & 0x03030303) << (4 * c + 2 & 7)) << (c & 2 ? 32 : 0);
  }
  if (bits > 4) store<u32>(to + 4 * chunk, <u32>high);
  if (bits == 6) store<u32>(to + 5 * chunk, <u32>(high >> 32));
}

/** `nLanes` blocks from the `first` on of a row (of `lanes` places) to `q`. */
@inline function packFour<L>(group: usize, lane: i32, first: i32, inverse: f32, nLanes: i32, lanes: usize, q: usize): void {
  const scales = q + (quantBytes<L>() >> 2) * lanes;
  for (let b = 0; b < nLanes; b++) {
    const block = blockAt<L>(group, first + b), factors = factorsAt<L>(group, first + b);
    packQuants<L>(block, lane, b, lanes, q);
    const at = scales + (<usize>b << (the<L>().mins ? 2 : 1));
    store<i16>(at, unitsOfScale(the<L>().scale(block, factors, lane, 0), inverse));
    if (the<L>().mins) store<i16>(at, unitsOfMin(the<L>().shift(block, factors, lane, 0), inverse), 2);
    if (scaleCols<L>() < 32) store<i16>(at, unitsOfScale(the<L>().scale(block, factors, lane, 1), inverse), 8);
  }
}

@unmanaged class RowBytes {
  @inline on<L>(cols: usize, _b: usize, _c: usize, _d: usize, _e: usize, _f: usize, _g: usize, _h: usize): usize {
    return rowBytesOf<L>(<i32>cols);
  }
}

/** Bytes of a row in row form; 0: this layout has none, or not with this many columns. */
export function rowBytes(layout: i32, cols: i32): usize { return forLayout<RowBytes>(layout, cols); }

@unmanaged class PackRows {
  @inline on<L>(w: usize, rows: usize, cols: usize, dst: usize, _e: usize, _f: usize, _g: usize, _h: usize): usize {
    if (!hasForms<L>()) return unreachable();
    const nBlocks = <i32>cols >> 5, full = fourBytes<L>(), bytes = rowBytesOf<L>(<i32>cols);
    memory.fill(dst, 0, rows * bytes);
    for (let row: usize = 0; row < rows; row++, dst += bytes) {
      const lane = <i32>row & 7, group = w + (row >> 3) * groupBytes<L>(<i32>cols), unit = unitOf<L>(group, lane, nBlocks);
      let q = dst, b = 0;
      for (; nBlocks - b >= 3; b += 4, q += full) packFour<L>(group, lane, b, 1 / unit, min(nBlocks - b, 4), 4, q);
      if (b < nBlocks) packFour<L>(group, lane, b, 1 / unit, nBlocks - b, 2, q);
      store<f32>(dst + bytes - UNIT, unit);
    }
    return 0;
  }
}

/** An interleaved matrix at `w` into row form at `dst` [rows * rowBytes]. Layouts with rowBytes > 0. */
export function packRows(layout: i32, w: usize, rows: i32, cols: i32, dst: usize): void { forLayout<PackRows>(layout, w, rows, cols, dst); }
