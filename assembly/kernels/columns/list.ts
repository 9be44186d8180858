/**
 * x [cols] as the column form (form.ts) multiplies it: rounded as kernels/quantize does it, the inputs that are not zero listed block by
 * block. Made once for all matrices of x whose layouts have the same columnsKind.
 *
 * A ListRecord is followed by UnitRecords of units that are not all zero, each by its BlockRecords, of blocks that are zero too, and by two
 * lists, in which the entries of a block follow those of the one before. Inputs come in pairs: u16, where their bytes are in a tile, and
 * FACTORS behind those 4 B their q: [q r q r] as bytes, or, for products of 16 bits, [q r]; an odd one is its own partner, times zero.
 *
 * Sums of a block must fit 16 bits: quants less their middle are 16 at most for 5 bits (15 for 4 as they are), 32 for 6, so sum |x| must
 * not be above 2047, or 1023. Where it is, which takes large x throughout, the unit is there twice, each with half of every block's inputs.
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
  /** Behind its blocks. */
  end: usize;
  /** Superblocks: the scale of x, and the sums of x of 8 blocks, pairs of i16. */
  s: f32;
  sums0: i32; sums1: i32; sums2: i32; sums3: i32;
}

@unmanaged export class BlockRecord {
  /** Entries, from .. to; the sum of their q. */
  first: usize; end: usize; sum: i32;
  /** What the end of a block that stands alone wants of x, as behind a record of kernels/quantize: s and s * sum times 2^80, -8 sum. */
  tail: i32; scale: f32; pad: i32; min: f32; middle: i32;
}

/** Bytes from a pair to its factors: of a unit's inputs, and of a zero to make those of each of its blocks even. */
export const FACTORS: usize = 560;

/** Bytes of scratch for the list of `cols` inputs. */
export function columnsScratch(cols: i32): usize {
  return offsetof<ListRecord>() + <usize>((cols + 255) >> 8) * (2 * (offsetof<UnitRecord>() + 16 * offsetof<BlockRecord>()) + 2 * FACTORS);
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

/**
 * Lists `inputs` values at x, in units of 1 / `inverse`, from `list` on. In a tile their bytes lie from `place` on, `bytes` each. Returns
 * the sum of |q|.
 */
@inline function enter(block: BlockRecord, x: usize, inputs: i32, inverse: v128, list: usize, place: i32, bytes: i32): i32 {
  const zero = i32x4.splat(0);
  let e = list, total = zero, weights = zero;
  let at = i16x8.add(i16x8.mul(i16x8(0, 1, 2, 3, 0, 0, 0, 0), i16x8.splat(<i16>bytes)), i16x8.splat(<i16>place));
  for (const stop = x + (<usize>inputs << 2); x < stop; x += 16) {
    const q = roundedInt(rounded(f32x4.mul(v128.load(x), inverse))), kept = i32x4.bitmask(i32x4.ne(q, zero));
    total = i32x4.add(total, q);
    weights = i32x4.add(weights, i32x4.abs(q));
    pack4(i16x8.narrow_i32x4_s(q, q), kept, e + FACTORS);
    e = pack4(at, kept, e);
    at = i16x8.add(at, i16x8.splat(<i16>(bytes << 2)));
  }
  store<u16>(e, load<u16>(e - 2));
  store<u16>(e, 0, FACTORS);
  block.end = list + ((e - list + 2) & ~3);
  block.sum = hsumInt(total);
  return hsumInt(weights);
}

/** What a block's sum stands in for at its end, and in its unit's sums. */
@inline function settle(unit: UnitRecord, block: BlockRecord): void {
  block.min = block.scale * <f32>block.sum;
  block.middle = -8 * block.sum;
  const b = (changetype<usize>(block) - changetype<usize>(unit) - offsetof<UnitRecord>()) / offsetof<BlockRecord>();
  if (b < 8) store<i16>(changetype<usize>(unit) + (b << 1), <i16>block.sum, offsetof<UnitRecord>("sums0"));
}

/** Moves the later half of every block's entries from `unit` to `more`, whose record is still to be made. */
function cut(unit: UnitRecord, more: UnitRecord): void {
  const bytes = unit.end - changetype<usize>(unit), apart = changetype<usize>(more) - changetype<usize>(unit);
  memory.copy(changetype<usize>(more), changetype<usize>(unit), bytes);
  more.next = changetype<usize>(more) + bytes;
  more.end = more.next;
  for (let p = changetype<usize>(unit) + offsetof<UnitRecord>(); p < unit.end; p += offsetof<BlockRecord>()) {
    const block = changetype<BlockRecord>(p), later = changetype<BlockRecord>(p + apart);
    const from = block.first, middle = from + ((block.end - from) >> 3 << 2);
    let sum = 0;
    for (let e = from; e < middle; e += 2) sum += load<i16>(e + FACTORS);
    block.end = middle; later.first = middle;
    block.sum = sum; later.sum -= sum;
    settle(unit, block); settle(more, later);
  }
}

/** relaxed: the factors of a list as bytes. Apart from `enter`: what was written in pieces is read whole only when all have come. */
@inline function toBytes(list: usize, end: usize): void {
  const order = v128.load(BYTES);
  for (let p = list; p < end; p += 16) v128.store(p, swizzle(v128.load(p, FACTORS), order), FACTORS);
}

/** A unit's record for the n blocks of `inputs` at x. Returns where the next goes: there too where all are zero. */
@inline function listUnit(kind: i32, x: usize, n: i32, inputs: i32, unit: UnitRecord, top: i32, list: ListRecord): usize {
  const blocks = changetype<usize>(unit) + offsetof<UnitRecord>(), entries = blocks + <usize>n * offsetof<BlockRecord>();
  const most = inputs == 32 ? 2047 : 1023, bytes = <usize>inputs << 2, inputBytes = kind >> BYTES_SHIFT;
  let e = entries, s = reinterpret<f32>(top) / 127, inverse = f32x4.splat(<f32>127 / reinterpret<f32>(top)), heaviest = 0, place = 0;
  unit.s = s;
  unit.end = entries;
  memory.fill(blocks, 0, entries - blocks);
  for (let p = blocks; p < entries; p += offsetof<BlockRecord>(), x += bytes, place += inputs * inputBytes) {
    const block = changetype<BlockRecord>(p);
    block.first = e; block.end = e;
    if (!(kind & SUPER)) {
      const amax = reinterpret<f32>(peak(x, x + bytes));
      if (!(amax > 1e-30 && amax < Infinity)) { list.poison += amax * 0; continue; }
      s = amax / 127;
      inverse = f32x4.splat(<f32>127 / amax);
    }
    heaviest = max(heaviest, enter(block, x, inputs, inverse, e, place, inputBytes));
    block.scale = s * TWO80;
    settle(unit, block);
    e = block.end;
  }
  if (e == entries) return changetype<usize>(unit);
  let next = entries + 2 * FACTORS;
  unit.next = next;
  if (heaviest > most) {
    cut(unit, changetype<UnitRecord>(next));
    next = changetype<UnitRecord>(next).next;
  }
  if (ASC_FEATURE_RELAXED_SIMD && !(kind & PAIRS)) toBytes(entries, e);
  return next;
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
      to = listUnit(kind, x, <i32>(stop - x >> 2) / inputs, inputs, unit, top, list);
    }
    x = stop;
  }
  list.end = to;
}
