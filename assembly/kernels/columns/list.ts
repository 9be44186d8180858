/**
 * x [cols] as the column form (form.ts) multiplies it: rounded as kernels/quantize does it, the inputs that are not zero listed block by
 * block. Made once for all matrices of x whose layouts have the same columnsKind.
 *
 * A ListRecord is followed by UnitRecords of units that are not all zero, each by its steps (StepRecord) of blocks that are not, each by
 * two lists. Of a list, inputs come in pairs: u16, where their bytes are in the block, and FACTORS behind those 4 B their q: [q r q r] as
 * bytes, or, for products of 16 bits, [q r]; an odd one's partner is input 0, times zero.
 *
 * Sums of a block must fit 16 bits: quants less their middle are 16 at most for 5 bits (15 for 4 as they are), 32 for 6, so sum |x| must
 * not be above 2047, or 1023. Where it is, which takes large x throughout, the step is there twice, each with half of the inputs.
 * Test: test/kernels/columns.test.ts.
 */
import { TWO80, hmaxInt, hsumInt, rounded, roundedInt, swizzle } from '../../base/simd';
import { isSuper } from '../../layouts/kinds';
import { forLayout } from '../../layouts/table';
import { pack4 } from '../neurons/select';
import { bitsOf, hasForms, scaleCols } from '../neurons/source';
import { peakOf } from '../quantize/rounding';
import { inputBytes } from './planes';

/** What is listed, and how, as bits; above them the bytes of an input. */
const SUPER: i32 = 1, HALVES: i32 = 2, PAIRS: i32 = 4, BYTES_SHIFT: i32 = 3;

@unmanaged export class ListRecord {
  end: usize;
  /** What every sum begins with: 0, or NaN where x is not finite. */
  poison: f32;
}

@unmanaged export class UnitRecord {
  next: usize;
  index: i32;
  /** Superblocks: the scale of x. */
  s: f32;
  pad: i32;
  /** Superblocks: sums of x of 8 blocks, pairs of i16. */
  sums0: i32; sums1: i32; sums2: i32; sums3: i32;
}

/** A step. Of `first` .. `tail0` the second block's follow those of the first, BLOCK_FIELDS on. */
@unmanaged export class StepRecord {
  next: usize;
  index: i32;
  /** Entries of a block, from .. to; the sum of their q. */
  first: usize; firstEnd: usize; firstSum: i32;
  /** What a block's end wants of x, as behind a record of kernels/quantize: s and s * sum of all q of the block times 2^80, -8 sum(q). */
  firstTail: i32; firstScale: f32; pad2: i32; firstMin: f32; firstMiddle: i32;
  second: usize; secondEnd: usize; secondSum: i32;
  secondTail: i32; secondScale: f32; pad4: i32; secondMin: f32; secondMiddle: i32;
}
const BLOCK_FIELDS: usize = 32;

/** Bytes from a pair to its factors; a list has twice as many. */
export const FACTORS: usize = 80;

/** Bytes of scratch for the list of `cols` inputs. */
export function columnsScratch(cols: i32): usize {
  const steps = <usize>((cols + 31) >> 5);
  const units = <usize>((cols + 255) >> 8) * offsetof<UnitRecord>();
  return offsetof<ListRecord>() + units + steps * (2 * offsetof<StepRecord>() + 4 * FACTORS);
}

@unmanaged class ColumnsKind {
  @inline on<L>(_a: usize, _b: usize, _c: usize, _d: usize, _e: usize, _f: usize, _g: usize, _h: usize, _i: usize): usize {
    if (!hasForms<L>()) return 0;
    const kind = (isSuper<L>() ? SUPER : 0) | (scaleCols<L>() == 16 ? HALVES : 0);
    return kind | (ASC_FEATURE_RELAXED_SIMD && bitsOf<L>() == 8 ? PAIRS : 0) | inputBytes<L>() << BYTES_SHIFT;
  }
}

/** The kind of list that a layout reads; layouts with the same number share one. */
export function columnsKind(layout: i32): i32 { return <i32>forLayout<ColumnsKind>(layout); }

/** The bits of the largest |x| from p to `end`, a multiple of 32 B. */
@inline function peak(p: usize, end: usize): i32 {
  let top = i32x4.splat(0);
  for (; p < end; p += 32) top = i32x4.max_s(top, peakOf(p));
  return hmaxInt(top);
}

// [q r q r] as bytes of four pairs of i16
const BYTES: usize = memory.data<u32>([0x02000200, 0x06040604, 0x0a080a08, 0x0e0c0e0c], 16);

@inline function blockOf(step: StepRecord, second: usize): StepRecord {
  return changetype<StepRecord>(changetype<usize>(step) + second * BLOCK_FIELDS);
}

/**
 * Lists `inputs` values at x, in units of 1 / `inverse`, at `list`, as the first block of `block`; returns the sum of |q|.
 */
@inline function enter(block: StepRecord, x: usize, inputs: i32, inverse: v128, list: usize, bytes: i32): i32 {
  const zero = i32x4.splat(0);
  let e = list, total = zero, weights = zero, at = i16x8.mul(i16x8(0, 1, 2, 3, 0, 0, 0, 0), i16x8.splat(<i16>bytes));
  for (const stop = x + (<usize>inputs << 2); x < stop; x += 16) {
    const q = roundedInt(rounded(f32x4.mul(v128.load(x), inverse))), kept = i32x4.bitmask(i32x4.ne(q, zero));
    total = i32x4.add(total, q);
    weights = i32x4.add(weights, i32x4.abs(q));
    pack4(i16x8.narrow_i32x4_s(q, q), kept, e + FACTORS);
    e = pack4(at, kept, e);
    at = i16x8.add(at, i16x8.splat(<i16>(bytes << 2)));
  }
  store<u16>(e, 0);
  store<u16>(e, 0, FACTORS);
  block.first = list;
  block.firstEnd = list + ((e - list + 2) & ~3);
  block.firstSum = hsumInt(total);
  return hsumInt(weights);
}

/** Scale and sums of a block that stands alone. */
@inline function close(block: StepRecord, s: f32): void {
  block.firstScale = s * TWO80;
  block.firstMin = s * <f32>block.firstSum * TWO80;
  block.firstMiddle = -8 * block.firstSum;
}

/** Moves the later half of a block's entries from `step` to `more`. */
function cut(step: StepRecord, more: StepRecord): void {
  const from = step.first, end = step.firstEnd, middle = from + ((end - from) >> 3 << 2);
  let sum = 0;
  for (let e = from; e < middle; e += 2) sum += load<i16>(e + FACTORS);
  more.first = middle; more.firstEnd = end; more.firstSum = step.firstSum - sum;
  more.firstScale = step.firstScale; more.firstMin = 0; more.firstMiddle = -8 * more.firstSum;
  step.firstEnd = middle; step.firstSum = sum; step.firstMiddle = -8 * sum;
}

/** relaxed: the factors of a list as bytes. Apart from `enter`: what was written in pieces is read whole only when all have come. */
@inline function toBytes(list: usize, inputs: i32): void {
  const order = v128.load(BYTES);
  for (let p = list + FACTORS, end = p + <usize>(2 * inputs); p < end; p += 16) v128.store(p, swizzle(v128.load(p), order));
}

@inline function bytesOf(unit: UnitRecord, inputs: i32): void {
  for (let p = changetype<usize>(unit) + offsetof<UnitRecord>(); p < unit.next; p = changetype<StepRecord>(p).next) {
    const list = p + offsetof<StepRecord>();
    if (changetype<StepRecord>(p).first != list) continue; // the later half of the one before
    toBytes(list, inputs);
    toBytes(list + 2 * FACTORS, inputs);
  }
}

/** Steps of the unit at x, up to `stop`; its sums. Returns where the next unit's record goes. */
@inline function listUnit(kind: i32, x: usize, stop: usize, inputs: i32, unit: UnitRecord, top: i32, list: ListRecord): usize {
  const start = changetype<usize>(unit) + offsetof<UnitRecord>(), sums = offsetof<UnitRecord>("sums0") + changetype<usize>(unit);
  const most = inputs == 32 ? 2047 : 1023, bytes = <usize>inputs << 2;
  let to = start, s = reinterpret<f32>(top) / 127, inverse = f32x4.splat(<f32>127 / reinterpret<f32>(top));
  unit.s = s;
  for (let i: usize = 0; x < stop; i++) {
    const step = changetype<StepRecord>(to);
    let heavy = 0, any: usize = 0;
    memory.fill(to, 0, offsetof<StepRecord>());
    for (let second: usize = 0; second < 2 && x < stop; second++, x += bytes) {
      const block = blockOf(step, second), entries = to + offsetof<StepRecord>() + second * 2 * FACTORS;
      let live = true;
      if (!(kind & SUPER)) {
        const amax = reinterpret<f32>(peak(x, x + bytes));
        live = amax > 1e-30 && amax < Infinity;
        if (!live) list.poison += amax * 0;
        s = amax / 127;
        inverse = f32x4.splat(<f32>127 / amax);
      }
      block.first = entries; block.firstEnd = entries;
      if (!live) continue;
      heavy = max(heavy, enter(block, x, inputs, inverse, entries, kind >> BYTES_SHIFT));
      any |= block.firstEnd - entries;
      if (!(kind & SUPER)) close(block, s);
      else if (!(kind & HALVES)) store<i16>(sums + (i << 2) + (second << 1), block.firstSum);
    }
    if (!any) continue;
    step.index = <i32>i;
    to += offsetof<StepRecord>() + 4 * FACTORS;
    step.next = to;
    if (heavy <= most) continue;
    const more = changetype<StepRecord>(to);
    memory.fill(to, 0, offsetof<StepRecord>());
    cut(step, more);
    cut(blockOf(step, 1), blockOf(more, 1));
    more.index = step.index;
    to += offsetof<StepRecord>();
    more.next = to;
  }
  return to == start ? changetype<usize>(unit) : to;
}

/** Lists x [cols] at `dst` [columnsScratch(cols)] for layouts of this columnsKind. */
export function listColumns(kind: i32, x: usize, cols: i32, dst: usize): void {
  const list = changetype<ListRecord>(dst), end = x + (<usize>cols << 2), inputs = kind & HALVES ? 16 : 32;
  list.poison = 0;
  let to = dst + offsetof<ListRecord>();
  for (let index = 0; x < end; index++) {
    const unit = changetype<UnitRecord>(to), stop = min(x + 1024, end), top = kind & SUPER ? peak(x, stop) : 0;
    const amax = reinterpret<f32>(top);
    memory.fill(to, 0, offsetof<UnitRecord>());
    if (kind & SUPER && !(amax > 1e-30 && amax < Infinity)) list.poison += amax * 0;
    else {
      unit.index = index;
      to = listUnit(kind, x, stop, inputs, unit, top, list);
      unit.next = to;
      if (ASC_FEATURE_RELAXED_SIMD && to != changetype<usize>(unit) && !(kind & PAIRS)) bytesOf(unit, inputs);
    }
    x = stop;
  }
  list.end = to;
}
