/**
 * The row form of a matrix of nibbles, of which rows can be left out (the interleaved layouts cannot): lanes are four consecutive blocks of
 * 32 columns of one row, so a row is one sequential run and its sum crosses lanes once, at its end (rowsMatvec.ts).
 *
 *   blocks      per 4 blocks: 4 chunks c of 16 B, lane b = 4 bytes of block b (low nibble = column 8c + j, high = 8c + 4 + j: the units of
 *               the interleaved layout), then 4 i16 d, or 4 pairs of i16 d, m, in the row's unit (units.ts)             72 / 80 B
 *               1 or 2 blocks left over: the same with lanes of 2 blocks, 8 B a chunk (3 left over: as 4, the last one zero)  36 / 40 B
 *               at the end the unit, f32, and nothing                                                                   8 B
 *   superblocks per 256 columns: 2 x 4 chunks of 16 B, then 8 u8 sc, 8 u8 mn, f16 d, f16 dmin                          148 B
 *
 * Quants are the file's; of d and m see units.ts (superblocks: the file's too). Test: test/kernels/rows.test.ts.
 */
import { blockBytes, groupBytes, hasMin, isNibbles, isSuper, the, unitBytes, unitCols } from '../../layouts/kinds';
import { laneOffset } from '../../layouts/lanes';
import { forLayout } from '../../layouts/table';
import { unitOf, unitsOfMin, unitsOfScale } from './units';

/** Bytes of a row's unit: four, and four that keep the alignment of what follows. */
export const UNIT: usize = 8;

/** Bytes of the quants of four blocks; of what follows those of a superblock; of a superblock. */
export const QUANTS: usize = 64, TAIL: usize = 20, SUPER: usize = 2 * QUANTS + TAIL;

/** Bytes of four blocks. */
@inline export function fourBytes<L>(): usize { return QUANTS + (hasMin<L>() ? 16 : 8); }

/** Bytes of a row in row form; 0: this layout has none, or not with this many columns. */
@inline export function rowBytesOf<L>(cols: i32): usize {
  if (!isNibbles<L>() || cols % unitCols<L>()) return 0;
  if (isSuper<L>()) return <usize>(cols >> 8) * SUPER;
  const nBlocks = cols >> 5, left = nBlocks & 3, full = fourBytes<L>();
  return <usize>(nBlocks >> 2) * full + (left == 0 ? 0 : left == 3 ? full : full >> 1) + UNIT;
}

/** `nLanes` blocks of one row (of `lanes` places) from interleaved blocks at `p`. */
@inline function packFour<L>(p: usize, lane: i32, inverse: f32, nLanes: i32, lanes: usize, q: usize): void {
  const at = laneOffset(lane);
  for (let b: usize = 0; b < <usize>nLanes; b++, p += blockBytes<L>()) {
    const d = p + the<L>().quantBytes + (<usize>lane << 1);
    for (let c: usize = 0; c < 4; c++) store<u32>(q + ((c * lanes + b) << 2), load<u32>(p + at + (c << 5)));
    const to = q + (lanes << 4) + (hasMin<L>() ? b << 2 : b << 1);
    store<i16>(to, unitsOfScale(d, inverse));
    if (hasMin<L>()) store<i16>(to + 2, unitsOfMin(d, inverse));
  }
}

@inline function packBlocks<L>(w: usize, rows: i32, cols: i32, dst: usize): void {
  const nBlocks = cols >> 5, full = fourBytes<L>(), bytes = rowBytesOf<L>(cols), step = blockBytes<L>();
  memory.fill(dst, 0, <usize>rows * bytes);
  for (let row = 0; row < rows; row++, dst += bytes) {
    const lane = row & 7;
    let p = w + <usize>(row >> 3) * groupBytes<L>(cols), q = dst, left = nBlocks;
    const unit = unitOf(hasMin<L>(), p + the<L>().quantBytes + (<usize>lane << 1), nBlocks, step);
    for (; left >= 3; left -= 4, p += step << 2, q += full) packFour<L>(p, lane, 1 / unit, min(left, 4), 4, q);
    if (left > 0) packFour<L>(p, lane, 1 / unit, left, 2, q);
    store<f32>(dst + bytes - UNIT, unit);
  }
}

@inline function packSupers<L>(w: usize, rows: i32, cols: i32, dst: usize): void {
  const bytes = rowBytesOf<L>(cols);
  for (let row = 0; row < rows; row++) {
    const lane = row & 7, at = laneOffset(lane);
    let p = w + <usize>(row >> 3) * groupBytes<L>(cols);
    for (const end = dst + bytes; dst < end; dst += SUPER, p += unitBytes<L>()) {
      for (let b: usize = 0; b < 8; b++) {
        const block = p + b * blockBytes<L>(), scales = block + the<L>().quantBytes + <usize>lane;
        const q = dst + ((b >> 2) << 6) + ((b & 3) << 2);
        for (let c: usize = 0; c < 4; c++) store<u32>(q + (c << 4), load<u32>(block + at + (c << 5)));
        store<u8>(dst + 2 * QUANTS + b, load<u8>(scales));
        store<u8>(dst + 2 * QUANTS + 8 + b, load<u8>(scales + 8));
      }
      const factors = p + 8 * blockBytes<L>() + (<usize>lane << 1);
      store<u16>(dst + 2 * QUANTS + 16, load<u16>(factors));
      store<u16>(dst + 2 * QUANTS + 18, load<u16>(factors + 16));
    }
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
    if (!isNibbles<L>()) return unreachable();
    if (isSuper<L>()) packSupers<L>(w, <i32>rows, <i32>cols, dst);
    else packBlocks<L>(w, <i32>rows, <i32>cols, dst);
    return 0;
  }
}

/** An interleaved matrix at `w` into row form at `dst` [rows * rowBytes]. Layouts with rowBytes > 0. */
export function packRows(layout: i32, w: usize, rows: i32, cols: i32, dst: usize): void { forLayout<PackRows>(layout, w, rows, cols, dst); }
