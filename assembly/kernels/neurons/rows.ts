/**
 * The row form of a matrix, of which rows can be left out (the interleaved layouts cannot): lanes are four consecutive blocks of 32 columns
 * of one row, so a row is one sequential run and its sum crosses lanes once, at its end (rowsMatvec.ts, rowsWide.ts).
 *
 *   per 4 blocks  quants in vectors of 16 B, lane b = 4 bytes of block b, from which eight "units" are made, unit i columns 4i + j:
 *                 4 bits: vector c holds units 2c (low nibbles) and 2c + 1 (high ones)
 *                 5 bits: vectors 0..4 hold units 0..4, and in their three high bits 5 (vectors 0 and 1), 6 (2 and 3) and 7 (4, 1 and 3)
 *                 6 bits: vectors 0..2 hold units 0..2, and in their two high bits 3; vectors 3..5 units 4..7 likewise
 *                 8 bits: vector i holds unit i as in the interleaved layout (layouts/kinds.ts)
 *                 then 4 i16 d, or 4 pairs of i16 d, m, or 4 d of the first halves and 4 of the second ones, in the row's unit (units.ts)
 *   1 or 2 left   the same with lanes of 2 blocks, 8 B a chunk (3 left over: as 4, the last one zero)
 *   at the end    the unit, f32, and nothing: 8 B
 *
 * Quants are the file's, unsigned but for 8 bits. Test: test/kernels/rows.test.ts.
 */
import { groupBytes, the, unitCols } from '../../layouts/kinds';
import { forLayout } from '../../layouts/table';
import { bitsOf, blockAt, hasForms, scaleCols, superAt, unitAt } from './source';
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

/** Units 4h .. 4h + 3 of 6 bits into three vectors `chunk` bytes apart. */
@inline function packSixes<L>(block: usize, lane: i32, h: i32, chunk: usize, q: usize): void {
  const last = unitAt<L>(block, lane, 4 * h + 3);
  store<u32>(q, unitAt<L>(block, lane, 4 * h) | (last & 0x30303030) << 2);
  store<u32>(q + chunk, unitAt<L>(block, lane, 4 * h + 1) | (last & 0x0c0c0c0c) << 4);
  store<u32>(q + 2 * chunk, unitAt<L>(block, lane, 4 * h + 2) | (last & 0x03030303) << 6);
}

/** The 32 quants of row `lane` of a block into vectors `chunk` bytes apart. */
function packQuants<L>(block: usize, lane: i32, chunk: usize, q: usize): void {
  const bits = bitsOf<L>();
  if (bits == 4) {
    for (let c = 0; c < 4; c++, q += chunk) store<u32>(q, unitAt<L>(block, lane, 2 * c) | unitAt<L>(block, lane, 2 * c + 1) << 4);
  } else if (bits == 5) {
    const five = unitAt<L>(block, lane, 5), six = unitAt<L>(block, lane, 6), seven = unitAt<L>(block, lane, 7);
    store<u32>(q, unitAt<L>(block, lane, 0) | (five & 0x1c1c1c1c) << 3);
    store<u32>(q + chunk, unitAt<L>(block, lane, 1) | (five & 0x03030303) << 6 | (seven & 0x02020202) << 4);
    store<u32>(q + 2 * chunk, unitAt<L>(block, lane, 2) | (six & 0x1c1c1c1c) << 3);
    store<u32>(q + 3 * chunk, unitAt<L>(block, lane, 3) | (six & 0x03030303) << 6 | (seven & 0x01010101) << 5);
    store<u32>(q + 4 * chunk, unitAt<L>(block, lane, 4) | (seven & 0x1c1c1c1c) << 3);
  } else if (bits == 6) {
    packSixes<L>(block, lane, 0, chunk, q);
    packSixes<L>(block, lane, 1, chunk, q + 3 * chunk);
  } else {
    for (let c = 0; c < 8; c++, q += chunk) store<u32>(q, unitAt<L>(block, lane, c) ^ 0x00800080);
  }
}

/** `nLanes` blocks from the `first` on of a row (of `lanes` places) to `q`. */
function packFour<L>(group: usize, lane: i32, first: i32, inverse: f32, nLanes: i32, lanes: usize, q: usize): void {
  const scales = q + (quantBytes<L>() >> 2) * lanes;
  for (let b = 0; b < nLanes; b++) {
    const block = blockAt<L>(group, first + b), superblock = superAt<L>(group, first + b);
    packQuants<L>(block, lane, lanes << 2, q + (<usize>b << 2));
    const at = scales + (<usize>b << (the<L>().mins ? 2 : 1));
    store<i16>(at, unitsOfScale(the<L>().scale(block, superblock, lane, 0), inverse));
    if (the<L>().mins) store<i16>(at, unitsOfMin(the<L>().shift(block, superblock, lane, 0), inverse), 2);
    if (scaleCols<L>() < 32) store<i16>(at, unitsOfScale(the<L>().scale(block, superblock, lane, 1), inverse), 8);
  }
}

@unmanaged class RowBytes {
  @inline on<L>(cols: usize, _b: usize, _c: usize, _d: usize, _e: usize, _f: usize, _g: usize, _h: usize, _i: usize): usize {
    return rowBytesOf<L>(<i32>cols);
  }
}

/** Bytes of a row in row form; 0: this layout has none, or not with this many columns. */
export function rowBytes(layout: i32, cols: i32): usize { return forLayout<RowBytes>(layout, cols); }

@unmanaged class PackRows {
  @inline on<L>(w: usize, rows: usize, cols: usize, dst: usize, _e: usize, _f: usize, _g: usize, _h: usize, _i: usize): usize {
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
