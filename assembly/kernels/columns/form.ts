/**
 * A matrix that single inputs can be left out of: its "column form". The interleaved layouts run along the inputs of a row; here the
 * outputs of an input lie side by side, so that what a zero input would add is not computed. All of it is read all the same, in the order
 * of addresses: a gap costs more time from memory than it saves, because it ends the processor's own reading ahead.
 *
 *   unit    256 inputs (at the end: what is left): tiles of 64 outputs, one behind the other (padded with zeros). Units come first, so
 *           that a list of inputs serves many tiles while it is in the nearest cache and its branches are known
 *   tile    quants; then for every eight outputs what their layout has: superblocks: scales of blocks (of 32, or 16 where halves have
 *           one), u8 in pairs of blocks (16 B a pair), minima the same way, and the factors; others: d (and m) of block after block
 *   quants  input by input, 8 B for each bit of one. Q0 .. Q3 are 16 outputs each, as bytes:
 *     4 bits  Q0 | Q1 << 4, Q2 | Q3 << 4 (base: the top bit of 16 flipped, as in layouts/kinds.ts)
 *     5 bits  Q0 and above it three bits of Q1; Q2 << 3 and below it three bits of Q3; 8 B whose byte i has four times two bits: of Q1's
 *             outputs i and 8 + i, and Q3's. All of these as the difference (xor) to what shifting leaves there
 *     6 bits  Q0, Q1, Q2, in whose two high bits Q3 lies, as in layouts/packed.ts
 *     8 bits  Q0, Q1, Q2, Q3, signed; even bytes offset-binary
 *   Where bytes meet x in pairs of 16 bits (base, 8 bits), byte 2t is output t and 2t + 1 is output 8 + t.
 *   An input lies in one piece: parts of a block apart from each other, so that each line served four inputs, were read three times slower
 *   from memory, because they are two walks.
 *
 * All bits are the file's. Products: product.ts. Test: test/kernels/columns.test.ts.
 */
import { groupBytes, isSuper, the, unitCols } from '../../layouts/kinds';
import { forLayout } from '../../layouts/table';
import { blockAt, hasForms, scaleCols, superAt, unitAt } from '../neurons/source';
import { inputBytes, putQuants } from './planes';

/** Outputs of a tile, inputs of a unit. */
export const TILE: i32 = 64, UNIT: i32 = 256;

@inline export function tilesOf(rows: i32): i32 { return (rows + (TILE - 1)) >> 6; }

/** Bytes of the quants of a tile of `cols` inputs. */
@inline export function quantBytes<L>(cols: i32): usize { return <usize>cols * inputBytes<L>(); }

/** Superblocks: bytes of the scales, and of the minima, of eight outputs. */
@inline export function superScales<L>(): usize { return <usize>(8 * UNIT / scaleCols<L>()); }
@inline export function superMins<L>(): usize { return the<L>().mins ? 64 : 0; }

/** Bytes behind the quants of eight outputs. */
@inline export function eightBytes<L>(cols: i32): usize {
  return isSuper<L>() ? superScales<L>() + superMins<L>() + the<L>().factorBytes : <usize>(cols >> 5) * the<L>().scaleBytes;
}

/** Bytes of a tile of `cols` inputs. */
@inline export function tileBytes<L>(cols: i32): usize { return quantBytes<L>(cols) + 8 * eightBytes<L>(cols); }

@inline export function columnBytesOf<L>(rows: i32, cols: i32): usize {
  if (!hasForms<L>() || cols % unitCols<L>()) return 0;
  const rest = cols & (UNIT - 1);
  return <usize>tilesOf(rows) * (<usize>(cols >> 8) * tileBytes<L>(UNIT) + (rest ? tileBytes<L>(rest) : 0));
}

/** Scales of block `b` of the unit for output `row`, from the interleaved `block` (in `superblock`), to those of a tile, at `ends`. */
function putScales<L>(block: usize, superblock: usize, row: i32, b: i32, ends: usize, bytes: usize): void {
  const lane = <usize>(row & 7), to = ends + <usize>((row & 63) >> 3) * bytes;
  if (!isSuper<L>()) {
    for (let i: usize = 0; i < the<L>().scaleBytes; i += 16) {
      store<u16>(to + <usize>b * the<L>().scaleBytes + i + (lane << 1), load<u16>(block + the<L>().quantBytes + i + (lane << 1)));
    }
    return;
  }
  for (let half = 0, halves = 32 / scaleCols<L>(); half < halves; half++) {
    const n = <usize>(b * halves + half);
    store<u8>(to + (n >> 1 << 4) + (lane << 1) + (n & 1), load<u8>(superblock + (n << 3) + lane));
  }
  if (the<L>().mins) {
    const at = (<usize>(b >> 1) << 4) + (lane << 1) + <usize>(b & 1);
    store<u8>(to + superScales<L>() + at, load<u8>(superblock + 64 + at));
  }
  for (let i: usize = 0; i < the<L>().factorBytes; i += 16) {
    store<u16>(to + superScales<L>() + superMins<L>() + i + (lane << 1), load<u16>(superblock + the<L>().scaleBytes + i + (lane << 1)));
  }
}

/** q of columns 4c .. 4c + 3 of four outputs from `row` on; zero where `count` ends. */
@inline function fourRows<L>(w: usize, group: usize, row: i32, end: i32, block: i32, c: i32): v128 {
  let v = i32x4.splat(0);
  for (let i = 0; i < 4 && row + i < end; i++) {
    const unit = unitAt<L>(blockAt<L>(w + <usize>((row + i) >> 3) * group, block), (row + i) & 7, c);
    v = v128.or(v, i8x16.swizzle(i32x4.splat(unit), v128.load(PLACES + (<usize>i << 4))));
  }
  return v;
}

// Where a word goes that belongs to the first, second, .. of four rows
const PLACES: usize = memory.data<u32>([
  0x03020100, -1, -1, -1, -1, 0x03020100, -1, -1, -1, -1, 0x03020100, -1, -1, -1, -1, 0x03020100,
], 16);

/** Byte i of the words of 16 rows. */
@inline function column(a: v128, b: v128, c: v128, d: v128, i: u8): v128 {
  const order = i8x16.add(i8x16(0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12), i8x16.splat(i));
  return i32x4.shuffle(
    i32x4.shuffle(i8x16.swizzle(a, order), i8x16.swizzle(b, order), 0, 4, 0, 4),
    i32x4.shuffle(i8x16.swizzle(c, order), i8x16.swizzle(d, order), 0, 4, 0, 4), 0, 1, 4, 5);
}

/** Quants of block b of the unit, `block` of the matrix: of outputs from `row` on, at most a tile. */
function putBlock<L>(w: usize, group: usize, row: i32, rows: i32, b: i32, block: i32, tile: usize): void {
  for (let c = 0; c < 8; c++) {
    for (let part = 0; part < 4; part++) {
      const at = row + 16 * part;
      const v0 = fourRows<L>(w, group, at, rows, block, c), v1 = fourRows<L>(w, group, at + 4, rows, block, c);
      const v2 = fourRows<L>(w, group, at + 8, rows, block, c), v3 = fourRows<L>(w, group, at + 12, rows, block, c);
      for (let i = 0; i < 4; i++) putQuants<L>(column(v0, v1, v2, v3, <u8>i), part, tile, <usize>(32 * b + 4 * c + i));
    }
  }
}

function pack<L>(w: usize, rows: i32, cols: i32, dst: usize): void {
  const group = groupBytes<L>(cols);
  memory.fill(dst, 0, columnBytesOf<L>(rows, cols));
  for (let col = 0, tile = dst; col < cols; col += UNIT) {
    const n = min(UNIT, cols - col), bytes = tileBytes<L>(n);
    for (let row = 0; row < rows; row += TILE, tile += bytes) {
      for (let b = 0; b < n >> 5; b++) {
        const block = (col >> 5) + b;
        putBlock<L>(w, group, row, rows, b, block, tile);
        for (let t = row, end = min(row + TILE, rows); t < end; t++) {
          const from = w + <usize>(t >> 3) * group;
          putScales<L>(blockAt<L>(from, block), superAt<L>(from, block), t, b, tile + quantBytes<L>(n), eightBytes<L>(n));
        }
      }
    }
  }
}

@unmanaged class ColumnBytes {
  @inline on<L>(rows: usize, cols: usize, _c: usize, _d: usize, _e: usize, _f: usize, _g: usize, _h: usize, _i: usize): usize {
    return columnBytesOf<L>(<i32>rows, <i32>cols);
  }
}

/** Bytes of a matrix [rows, cols] in column form; 0: this layout has none. */
export function columnBytes(layout: i32, rows: i32, cols: i32): usize { return forLayout<ColumnBytes>(layout, rows, cols); }

@unmanaged class PackColumns {
  @inline on<L>(w: usize, rows: usize, cols: usize, dst: usize, _e: usize, _f: usize, _g: usize, _h: usize, _i: usize): usize {
    if (!hasForms<L>()) return unreachable();
    pack<L>(w, <i32>rows, <i32>cols, dst);
    return 0;
  }
}

/** The interleaved matrix [rows, cols] at `w` in column form at `dst` [columnBytes]. Layouts with columnBytes > 0. */
export function packColumns(layout: i32, w: usize, rows: i32, cols: i32, dst: usize): void {
  forLayout<PackColumns>(layout, w, rows, cols, dst);
}
