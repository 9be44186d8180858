/**
 * y[rows] = W x for W in column form (form.ts) and x as list.ts lists it. What is computed is what kernels/matvec computes, but for the
 * order of f32 sums, and for columns whose x is zero, which cost nothing but the reading of their bytes. Sums of a block are integers of
 * 16 bits (8-bit quants: 32), which wait in scratch, because registers hold one block's, until the end of the unit multiplies them with the
 * scales, eight outputs at a time; superblocks add up integers until then.
 * Error: as kernels/matvec.
 * Test: test/kernels/columns.test.ts.
 */
import { times32 } from '../../base/simd';
import { isSuper, the } from '../../layouts/kinds';
import { forLayout } from '../../layouts/table';
import { bitsOf, hasForms, scaleCols } from '../neurons/source';
import { TILE, UNIT, eightBytes, quantBytes, superMins, superScales, tileBytes, tilesOf } from './form';
import { BlockRecord, ListRecord, UnitRecord } from './list';
import { fiveSums, fiveWide } from './fives';
import { farPairs, nearPairs, nibbleSums, nibbleWide } from './nibbles';
import { sixSums, sixWide } from './sixes';
import { byteSums } from './bytes';

/** Bytes of the sums of a block in scratch. */
@inline function sumBytes<L>(): usize { return bitsOf<L>() == 8 ? 256 : 128; }

/** Bytes of scratch of a thread: the sums of a unit's blocks. */
export function productScratch(): usize { return 2048; }

/** The sums of 64 outputs of a block whose quants are at p, into `sums`. */
@inline function blockSums<L>(p: usize, e: usize, end: usize, sum: i32, sums: usize): void {
  if (bitsOf<L>() == 8) byteSums<L>(p, e, end, sum, sums);
  else if (bitsOf<L>() == 4) ASC_FEATURE_RELAXED_SIMD ? nibbleSums<L>(p, e, end, sums) : nibbleWide<L>(p, e, end, sum, sums);
  else if (bitsOf<L>() == 5) ASC_FEATURE_RELAXED_SIMD ? fiveSums<L>(p, e, end, sum, sums) : fiveWide<L>(p, e, end, sum, sums);
  else ASC_FEATURE_RELAXED_SIMD ? sixSums<L>(p, e, end, sum, sums) : sixWide<L>(p, e, end, sum, sums);
}

/** Four sums of outputs 4i .. of `block` as i32. */
@inline function four<L>(sums: usize, i: usize, block: usize): v128 {
  if (bitsOf<L>() == 8) return v128.load(sums + (i << 4));
  const v = v128.load16x4_s(sums + (i << 3));
  if (bitsOf<L>() != 5 || !the<L>().mins) return v;
  return i32x4.add(v, i32x4.shl(v128.load32_splat(block, offsetof<BlockRecord>("sum")), 4)); // without the middle again
}

/** y += a unit of blocks that stand alone; their scales at `ends`. */
@inline function closeBlocks<L>(ends: usize, unit: UnitRecord, sums: usize, y: usize): void {
  for (let i: usize = 0; i < 16; i += 2, y += 32) {
    let f = v128.load(y), g = v128.load(y, 16);
    let s = sums;
    for (let p = changetype<usize>(unit) + offsetof<UnitRecord>(); p < unit.end; p += offsetof<BlockRecord>(), s += sumBytes<L>()) {
      const tail = p + offsetof<BlockRecord>("tail"), at = ends - the<L>().quantBytes;
      f = the<L>().add(at, 0, four<L>(s, i, p), tail, f);
      g = the<L>().add(at, 1, four<L>(s, i + 1, p), tail, g);
      ends += the<L>().scaleBytes;
    }
    v128.store(y, f); v128.store(y, g, 16);
  }
}

/** Two scales, of both blocks, of four outputs. */
@inline function scalePairs<L>(p: usize): v128 { return the<L>().middle == 32 ? v128.load8x8_s(p) : v128.load8x8_u(p); }

/** The minima of four outputs times the sums of x. */
@inline function minima(p: usize, x0: v128, x1: v128, x2: v128, x3: v128): v128 {
  const near = i32x4.add(i32x4.dot_i16x8_s(v128.load8x8_u(p), x0), i32x4.dot_i16x8_s(v128.load8x8_u(p, 16), x1));
  return i32x4.add(near, i32x4.add(i32x4.dot_i16x8_s(v128.load8x8_u(p, 32), x2), i32x4.dot_i16x8_s(v128.load8x8_u(p, 48), x3)));
}

/** y += a superblock; its scales at `ends`. */
@inline function closeSuper<L>(ends: usize, unit: UnitRecord, sums: usize, y: usize): void {
  const x = changetype<usize>(unit);
  for (const stop = sums + 128; sums < stop; sums += 16, ends += eightBytes<L>(UNIT), y += 32) {
    let f = i32x4.splat(0), g = f;
    for (let p = ends, s = sums, end = ends + superScales<L>(), lift = x; p < end; p += 16, s += 256, lift += 4) {
      const a = v128.load(s), b = v128.load(s, 128), k = scalePairs<L>(p), l = scalePairs<L>(p + 8);
      f = i32x4.add(f, i32x4.dot_i16x8_s(nearPairs(a, b), k));
      g = i32x4.add(g, i32x4.dot_i16x8_s(farPairs(a, b), l));
      if (bitsOf<L>() == 5) { // the middle is a minimum
        const middle = i16x8.shl(v128.load32_splat(lift, offsetof<UnitRecord>("sums0")), 4);
        f = i32x4.add(f, i32x4.dot_i16x8_s(middle, k));
        g = i32x4.add(g, i32x4.dot_i16x8_s(middle, l));
      }
    }
    let m = i32x4.splat(0), n = m;
    if (the<L>().mins) {
      const x0 = v128.load32_splat(x, offsetof<UnitRecord>("sums0")), x1 = v128.load32_splat(x, offsetof<UnitRecord>("sums1"));
      const x2 = v128.load32_splat(x, offsetof<UnitRecord>("sums2")), x3 = v128.load32_splat(x, offsetof<UnitRecord>("sums3"));
      m = minima(ends + superScales<L>(), x0, x1, x2, x3);
      n = minima(ends + superScales<L>() + 8, x0, x1, x2, x3);
    }
    const s = v128.load32_splat(x, offsetof<UnitRecord>("s")), factors = ends + superScales<L>() + superMins<L>();
    v128.store(y, the<L>().close(factors, 0, f, m, s, v128.load(y)));
    v128.store(y, the<L>().close(factors, 1, g, n, s, v128.load(y, 16)), 16);
  }
}

/**
 * Reads a byte of every line of a block: where so few inputs are listed that reading theirs and the next lines (touchNext) leaves gaps.
 * From memory a walk with gaps takes up to three times as long as one without, and so does one that reads more than a few lines ahead.
 * Nobody wants the values, but no compiler may leave out a load, which could trap.
 */
@inline function touch(p: usize, bytes: usize): void {
  for (const end = p + bytes; p < end; p += 64) load<u8>(p);
}

/** y += a unit; `tile` .. `end` are its tiles, of `cols` inputs. */
function addUnit<L>(tile: usize, end: usize, cols: i32, unit: UnitRecord, sums: usize, y: usize): void {
  const bytes = quantBytes<L>(scaleCols<L>()), few = <usize>(scaleCols<L>() * bitsOf<L>() / 6);
  for (; tile < end; tile += tileBytes<L>(cols), y += 4 * TILE) {
    let at = tile;
    let to = sums;
    for (let p = changetype<usize>(unit) + offsetof<UnitRecord>(); p < unit.end; p += offsetof<BlockRecord>()) {
      const block = changetype<BlockRecord>(p);
      if (block.end - block.first < few) touch(at, bytes);
      blockSums<L>(tile, block.first, block.end, block.sum, to);
      to += sumBytes<L>();
      at += bytes;
    }
    const ends = tile + quantBytes<L>(cols);
    if (isSuper<L>()) closeSuper<L>(ends, unit, sums, y);
    else closeBlocks<L>(ends, unit, sums, y);
  }
}

function multiply<L>(form: usize, rows: i32, cols: i32, entries: usize, scratch: usize, y0: usize, fromTile: i32, toTile: i32): void {
  const list = changetype<ListRecord>(entries), tiles = <usize>tilesOf(rows), from = <usize>fromTile, to = <usize>toTile;
  const y = y0 + (from << 8), yEnd = y0 + (to << 8);
  for (let p = y; p < yEnd; p += 16) v128.store(p, f32x4.splat(list.poison));
  for (let p = entries + offsetof<ListRecord>(); p < list.end; p = changetype<UnitRecord>(p).next) {
    const unit = changetype<UnitRecord>(p), n = min(UNIT, cols - (unit.index << 8)), bytes = tileBytes<L>(n);
    const first = form + <usize>unit.index * tiles * tileBytes<L>(UNIT);
    addUnit<L>(first + from * bytes, first + to * bytes, n, unit, scratch, y);
  }
  if (!isSuper<L>()) for (let p = y; p < yEnd; p += 16) v128.store(p, times32(v128.load(p)));
}

@unmanaged class ColumnsProduct {
  @inline on<L>(form: usize, rows: usize, cols: usize, entries: usize, scratch: usize, y: usize, from: usize, to: usize, _i: usize): usize {
    if (!hasForms<L>()) return unreachable();
    multiply<L>(form, <i32>rows, <i32>cols, entries, scratch, y, <i32>from, <i32>to);
    return 0;
  }
}

/** Tiles of 64 outputs of a matrix: what a product can be cut into. */
export function columnTiles(rows: i32): i32 { return tilesOf(rows); }

/**
 * y [rows padded to 64] = W (column form, rows x cols) times x, listed at `entries` (listColumns, of the layout's kind): outputs of the
 * tiles fromTile .. toTile - 1 alone, which are overwritten. `scratch` [productScratch()] of this thread.
 */
export function columnsProduct(
  layout: i32, form: usize, rows: i32, cols: i32, entries: usize, scratch: usize, y: usize, fromTile: i32, toTile: i32,
): void {
  forLayout<ColumnsProduct>(layout, form, rows, cols, entries, scratch, y, fromTile, toTile);
}
