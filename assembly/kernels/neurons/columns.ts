/**
 * y[hidden] = W h for `down` [hidden, ffn] of the neurons whose h is not zero. The interleaved layouts run along ffn and cannot leave out a
 * column; the "column form" can. It begins with f32 units (units.ts) of the outputs, padded with zero rows to whole tiles; then come tiles,
 * for every block of neurons all of its outputs. It is read from the first byte to the last, as the processor's prefetcher likes it, but
 * for the neurons that are zero. Tiles, because lists of whole columns are slower from every level of memory.
 *
 *   nibbles  64 neurons (two blocks of the file; ffn is padded with zero neurons) x 32 outputs, 16 B a neuron: byte t = output t (low
 *            nibble) and 16 + t (high); then for every 8 outputs: their i16 d, in pairs of the two blocks: 32 B; where there is an m, the
 *            same of m
 *   bytes    as many neurons as share a scale (32, or 16) x 64 outputs, 64 B a neuron, signed: a line of the cache, because lines are
 *            what is skipped (five or six bits read no fewer of them); then i16 d of the outputs: 128 B; where there is an m, the same of m
 *
 * Quants are the file's. Products and their rounding: columnsMatvec.ts (nibbles), columnsWide.ts (bytes).
 * Test: test/kernels/columns.test.ts.
 */
import { groupBytes, the, unitCols } from '../../layouts/kinds';
import { forLayout } from '../../layouts/table';
import { bitsOf, blockAt, centreOf, hasForms, scaleCols, superAt, unitAt } from './source';
import { unitOf, unitsOfMin, unitsOfScale } from './units';

/** Of a tile of nibbles: bytes of a neuron, of a block of 32, of the quants. */
export const NEURON: usize = 16, BLOCK: usize = 512, QUANTS: usize = 1024;
/** Of a tile of bytes: outputs, which is also the bytes of a neuron. */
export const WIDE: usize = 64;

@inline export function isNarrow<L>(): bool { return bitsOf<L>() == 4; }

/** Outputs, padded to whole tiles. */
@inline export function padded<L>(rows: i32): usize { return isNarrow<L>() ? <usize>((rows + 31) & ~31) : <usize>((rows + 63) & ~63); }

/** Nibbles: bytes of d and m of 8 outputs. */
@inline export function scaleBytes<L>(): usize { return the<L>().mins ? 64 : 32; }

@inline export function tileBytes<L>(): usize {
  if (isNarrow<L>()) return QUANTS + 4 * scaleBytes<L>();
  return <usize>scaleCols<L>() * WIDE + (the<L>().mins ? 4 : 2) * WIDE;
}

@inline function columnBytesOf<L>(rows: i32, cols: i32): usize {
  if (!hasForms<L>() || cols % unitCols<L>()) return 0;
  const outputs = padded<L>(rows);
  if (isNarrow<L>()) return (outputs << 2) + <usize>((cols + 63) >> 6) * (outputs >> 5) * tileBytes<L>();
  return (outputs << 2) + <usize>(cols / scaleCols<L>()) * (outputs >> 6) * tileBytes<L>();
}

/** Four neurons' bytes of one output, `step` bytes apart. */
@inline function storeEach(q: usize, step: usize, bytes: u32): void {
  store<u8>(q, bytes);
  store<u8>(q + step, bytes >> 8);
  store<u8>(q + 2 * step, bytes >> 16);
  store<u8>(q + 3 * step, bytes >> 24);
}

/** d and m of an output's block (half: those of one half) in its unit. */
function storeScales<L>(block: usize, superblock: usize, lane: i32, half: i32, inverse: f32, d: usize, m: usize): void {
  store<i16>(d, unitsOfScale(the<L>().scale(block, superblock, lane, half), inverse));
  if (the<L>().mins) store<i16>(m, unitsOfMin(the<L>().shift(block, superblock, lane, 0), inverse));
}

/** Block b of output `row` into the tiles of its pair of blocks at `tiles`; of outputs t and 16 + t those of the first come first. */
function packNarrow<L>(block: usize, superblock: usize, row: i32, b: i32, inverse: f32, tiles: usize): void {
  const lane = row & 7, tile = tiles + <usize>(row >> 5) * tileBytes<L>(), second = <usize>(b & 1), high = row & 16;
  const q = tile + second * BLOCK + <usize>(row & 15);
  for (let c = 0; c < 8; c++) {
    const at = q + <usize>c * (4 * NEURON), unit = unitAt<L>(block, lane, c);
    if (!high) { storeEach(at, NEURON, unit); continue; }
    const near = <u32>load<u8>(at) | <u32>load<u8>(at, NEURON) << 8;
    const far = <u32>load<u8>(at, 2 * NEURON) | <u32>load<u8>(at, 3 * NEURON) << 8;
    storeEach(at, NEURON, near | far << 16 | unit << 4);
  }
  const d = tile + QUANTS + <usize>(row >> 3 & 3) * scaleBytes<L>() + (<usize>(row & 7) << 2) + (second << 1);
  storeScales<L>(block, superblock, lane, 0, inverse, d, d + 32);
}

/** Block b of output `row` into its tiles (of halves: two of them, `step` bytes apart) at `tiles`. */
function packWide<L>(block: usize, superblock: usize, row: i32, inverse: f32, tiles: usize, step: usize): void {
  const lane = row & 7, centre = <u32>centreOf<L>() * 0x01010101, tile = tiles + <usize>(row >> 6) * tileBytes<L>(), low = !(row & 4);
  const place = <usize>(row & 56 | (row & 3) << 1 | i32(!low)), flip: u32 = low ? 0x80808080 : 0;
  const perTile = scaleCols<L>() >> 2;
  for (let c = 0; c < 8; c++) {
    const to = tile + <usize>(c / perTile) * step, unit = unitAt<L>(block, lane, c);
    // minus the centre, byte by byte: none borrows from the next where the sign bit is set first and put right after
    const signed = centre ? ((unit | 0x80808080) - centre) ^ 0x80808080 : unit;
    storeEach(to + <usize>(c % perTile) * (4 * WIDE) + place, WIDE, signed ^ flip);
  }
  for (let half = 0; half < 8 / perTile; half++) {
    const d = tile + <usize>half * step + <usize>scaleCols<L>() * WIDE + (<usize>(row & 63) << 1);
    storeScales<L>(block, superblock, lane, half, inverse, d, d + 2 * WIDE);
  }
}

function pack<L>(w: usize, rows: i32, cols: i32, dst: usize): void {
  const nBlocks = cols >> 5, outputs = padded<L>(rows), tiles = dst + (outputs << 2), group = groupBytes<L>(cols);
  const step = (isNarrow<L>() ? outputs >> 5 : outputs >> 6) * tileBytes<L>(); // bytes of all outputs of a block of neurons
  memory.fill(dst, 0, columnBytesOf<L>(rows, cols));
  for (let row = 0; row < rows; row++) store<f32>(dst + (<usize>row << 2), unitOf<L>(w + <usize>(row >> 3) * group, row & 7, nBlocks));
  for (let b = 0; b < nBlocks; b++) {
    for (let row = 0; row < rows; row++) {
      const from = w + <usize>(row >> 3) * group, block = blockAt<L>(from, b), superblock = superAt<L>(from, b);
      const inverse = <f32>1 / load<f32>(dst + (<usize>row << 2));
      if (isNarrow<L>()) packNarrow<L>(block, superblock, row, b, inverse, tiles + <usize>(b >> 1) * step);
      else packWide<L>(block, superblock, row, inverse, tiles + <usize>(b * (32 / scaleCols<L>())) * step, step);
    }
  }
}

@unmanaged class ColumnBytes {
  @inline on<L>(rows: usize, cols: usize, _c: usize, _d: usize, _e: usize, _f: usize, _g: usize, _h: usize, _i: usize): usize {
    return columnBytesOf<L>(<i32>rows, <i32>cols);
  }
}

/** Bytes of `down` [rows, cols] in column form; 0: this layout has none, or not with this many columns. */
export function columnBytes(layout: i32, rows: i32, cols: i32): usize { return forLayout<ColumnBytes>(layout, rows, cols); }

@unmanaged class PackColumns {
  @inline on<L>(w: usize, rows: usize, cols: usize, dst: usize, _e: usize, _f: usize, _g: usize, _h: usize, _i: usize): usize {
    if (!hasForms<L>()) return unreachable();
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
