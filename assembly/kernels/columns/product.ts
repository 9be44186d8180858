/**
 * y[rows] = W x for W in column form (form.ts) and x as list.ts lists it. What is computed is what kernels/matvec computes, but for the
 * order of f32 sums, and for columns whose x is zero, which cost nothing but the reading of their bytes. Sums of a block are integers of
 * 16 bits (8-bit quants: 32), which its end multiplies with the scales; superblocks add up integers until their own end. Sums of a step
 * wait in scratch, because registers hold one block's.
 * Error: as kernels/matvec.
 * Test: test/kernels/columns.test.ts.
 */
import { times32 } from '../../base/simd';
import { isSuper, the } from '../../layouts/kinds';
import { forLayout } from '../../layouts/table';
import { bitsOf, hasForms } from '../neurons/source';
import { TILE, UNIT, minBytes, quantBytes, scalesOf, stepBytes, tileBytes, tilesOf } from './form';
import { ListRecord, StepRecord, UnitRecord } from './list';
import { fiveSums, fiveWide } from './fives';
import { nibbleSums, nibbleWide } from './nibbles';
import { sixSums, sixWide } from './sixes';
import { byteSums } from './bytes';

/** Scratch: sums of a block (of 8 bits: 256 B), of the second, and of a superblock. */
const SECOND: usize = 256, SUPER: usize = 512;
/** Bytes of scratch of a thread. */
export function productScratch(): usize { return 768; }

/** The sums of 64 outputs of a block whose quants are at p, into `sums`. */
@inline function blockSums<L>(p: usize, e: usize, end: usize, sum: i32, sums: usize): void {
  if (bitsOf<L>() == 8) byteSums<L>(p, e, end, sum, sums);
  else if (bitsOf<L>() == 4) ASC_FEATURE_RELAXED_SIMD ? nibbleSums<L>(p, e, end, sums) : nibbleWide<L>(p, e, end, sum, sums);
  else if (bitsOf<L>() == 5) ASC_FEATURE_RELAXED_SIMD ? fiveSums<L>(p, e, end, sum, sums) : fiveWide<L>(p, e, end, sum, sums);
  else ASC_FEATURE_RELAXED_SIMD ? sixSums<L>(p, e, end, sum, sums) : sixWide<L>(p, e, end, sum, sums);
}

/** Four sums of outputs 4i .. as i32. */
@inline function four<L>(sums: usize, i: usize, sum: i32): v128 {
  if (bitsOf<L>() == 8) return v128.load(sums + (i << 4));
  const v = v128.load16x4_s(sums + (i << 3));
  return bitsOf<L>() == 5 && the<L>().mins ? i32x4.add(v, i32x4.splat(sum << 4)) : v; // without the middle again
}

/** y += a step's sums of blocks that stand alone. */
@inline function addStep<L>(scales: usize, step: StepRecord, sums: usize, y: usize): void {
  const first = changetype<usize>(step) + offsetof<StepRecord>("firstTail");
  const second = changetype<usize>(step) + offsetof<StepRecord>("secondTail");
  const a = step.firstSum, b = step.secondSum;
  for (let i: usize = 0; i < 16; i += 2) {
    const at = scales + (i >> 1) * the<L>().scaleBytes - the<L>().quantBytes, p = y + (i << 4);
    let f = the<L>().add(at, 0, four<L>(sums, i, a), first, v128.load(p));
    v128.store(p, the<L>().add(at + scalesOf<L>(), 0, four<L>(sums + SECOND, i, b), second, f));
    f = the<L>().add(at, 1, four<L>(sums, i + 1, a), first, v128.load(p, 16));
    v128.store(p, the<L>().add(at + scalesOf<L>(), 1, four<L>(sums + SECOND, i + 1, b), second, f), 16);
  }
}

/** Two scales, of both blocks, of four outputs. */
@inline function scalePairs<L>(p: usize): v128 { return the<L>().middle == 32 ? v128.load8x8_s(p) : v128.load8x8_u(p); }

/** A superblock's sums += those of a step times its scales. */
@inline function scaleStep<L>(scales: usize, step: StepRecord, sums: usize): void {
  // 5 bits: the middle is a minimum
  const lift = i32x4.splat(step.secondSum << 20 | (step.firstSum << 4 & 0xffff));
  for (let i: usize = 0; i < 8; i++) {
    const a = v128.load(sums + (i << 4)), b = v128.load(sums + (i << 4), SECOND), to = sums + SUPER + (i << 5), p = scales + (i << 4);
    const k = scalePairs<L>(p), l = scalePairs<L>(p + 8);
    let near = i32x4.add(v128.load(to), i32x4.dot_i16x8_s(i16x8.shuffle(a, b, 0, 8, 1, 9, 2, 10, 3, 11), k));
    let far = i32x4.add(v128.load(to, 16), i32x4.dot_i16x8_s(i16x8.shuffle(a, b, 4, 12, 5, 13, 6, 14, 7, 15), l));
    if (bitsOf<L>() == 5) {
      near = i32x4.add(near, i32x4.dot_i16x8_s(lift, k));
      far = i32x4.add(far, i32x4.dot_i16x8_s(lift, l));
    }
    v128.store(to, near);
    v128.store(to, far, 16);
  }
}

/** The minima of four outputs times the sums of x. */
@inline function minima(p: usize, x0: v128, x1: v128, x2: v128, x3: v128): v128 {
  const near = i32x4.add(i32x4.dot_i16x8_s(v128.load8x8_u(p), x0), i32x4.dot_i16x8_s(v128.load8x8_u(p, 8), x1));
  return i32x4.add(near, i32x4.add(i32x4.dot_i16x8_s(v128.load8x8_u(p, 16), x2), i32x4.dot_i16x8_s(v128.load8x8_u(p, 24), x3)));
}

/** y += a superblock; its minima and factors at `ends`. */
@inline function closeUnit<L>(ends: usize, unit: UnitRecord, sums: usize, y: usize): void {
  const s = f32x4.splat(unit.s), x0 = i32x4.splat(unit.sums0), x1 = i32x4.splat(unit.sums1);
  const x2 = i32x4.splat(unit.sums2), x3 = i32x4.splat(unit.sums3);
  for (let i: usize = 0; i < 16; i++, y += 16, sums += 16) {
    const factors = ends + minBytes<L>() + (i >> 1) * the<L>().factorBytes;
    const mins = the<L>().mins ? minima(ends + (i << 5), x0, x1, x2, x3) : i32x4.splat(0);
    v128.store(y, the<L>().close(factors, i & 1, v128.load(sums, SUPER), mins, s, v128.load(y)));
  }
}

/** y += a unit; `tile` .. `end` are its tiles, of `bytes` bytes. */
function addUnit<L>(tile: usize, end: usize, bytes: usize, unit: UnitRecord, sums: usize, y: usize): void {
  for (; tile < end; tile += bytes, y += 4 * TILE) {
    if (isSuper<L>()) for (let p = sums + SUPER, last = p + 256; p < last; p += 16) v128.store(p, i32x4.splat(0));
    for (let p = changetype<usize>(unit) + offsetof<UnitRecord>(); p < unit.next; p = changetype<StepRecord>(p).next) {
      const step = changetype<StepRecord>(p);
      let at = tile + <usize>step.index * stepBytes<L>();
      for (let block = p, to = sums, last = p + 64; block < last; block += 32, to += SECOND, at += quantBytes<L>()) {
        const b = changetype<StepRecord>(block);
        blockSums<L>(at, b.first, b.firstEnd, b.firstSum, to);
      }
      if (isSuper<L>()) scaleStep<L>(at, step, sums);
      else addStep<L>(at, step, sums, y);
    }
    if (isSuper<L>()) closeUnit<L>(tile + bytes - 8 * the<L>().factorBytes - minBytes<L>(), unit, sums, y);
  }
}

function multiply<L>(form: usize, rows: i32, cols: i32, entries: usize, scratch: usize, y0: usize, fromTile: i32, toTile: i32): void {
  const list = changetype<ListRecord>(entries), tiles = <usize>tilesOf(rows), from = <usize>fromTile, to = <usize>toTile;
  const y = y0 + (from << 8), yEnd = y0 + (to << 8);
  for (let p = y; p < yEnd; p += 16) v128.store(p, f32x4.splat(list.poison));
  for (let p = entries + offsetof<ListRecord>(); p < list.end; p = changetype<UnitRecord>(p).next) {
    const unit = changetype<UnitRecord>(p), bytes = tileBytes<L>(min(UNIT, cols - (unit.index << 8)));
    const first = form + <usize>unit.index * tiles * tileBytes<L>(UNIT);
    addUnit<L>(first + from * bytes, first + to * bytes, bytes, unit, scratch, y);
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
