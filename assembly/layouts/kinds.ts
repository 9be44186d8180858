/**
 * How the arena holds a matrix of `rows` outputs x `cols` inputs, and what a file of this folder says about one layout.
 *
 * All layouts interleave 8 rows ("a group"; the last group is padded with zero rows), because then SIMD lanes are rows, no kernel ever sums
 * across lanes, and a group is one strictly sequential stream of bytes. Row r of a group lives in set s = r >> 2, lane r & 3. (`VECTOR` in
 * table.ts is not interleaved: a plain f32 array [rows, cols] for norms, biases, position tables.)
 *
 *   Floats   per column: 8 values, one a row. Those of 2 bytes (Halves) two columns at a time, [set 0: 16 B][set 1: 16 B]: lane r & 3 holds
 *            both values of row r, so that a shift or a mask makes four of a column; an odd last column is 8 values again
 *   Nibbles  per block of 32 columns: 128 B of 4-bit quants, then the block's scales
 *            quants: 4 chunks c of 8 columns, [set 0: 16 B][set 1: 16 B]; lane r & 3 holds 4 bytes j = 0..3 of row r: low nibble = column
 *            8c + j, high nibble = column 8c + 4 + j; stored unsigned 0..15, as in the file (but see `isFlipped`)
 *   Bytes    per block of 32 columns: 256 B of 8-bit quants, then the block's scales
 *            quants: 8 chunks c of 4 columns, [set 0: 16 B][set 1: 16 B]; lane r & 3 holds 4 bytes j = 0..3 of row r, column 4c + j;
 *            odd j two's complement, even j offset-binary (value + 128), which is what the i16 dot product wants (kernels/matvec/dots.ts)
 *   Packed   per block of 32 columns: 32 B for each bit of a quant, then the block's scales
 *            quants: each half (16 columns) as many vectors of 16 B as they have bits, from which shifts and masks make eight, four a set
 *            (packed.ts): vector i holds column 4i + j of row r as byte j of lane r & 3, unsigned; or codes, for values in a table
 *
 * A block's scales are arrays [8 rows]: f16 d and perhaps f16 m (mxfp4: exponents). Where eight blocks make a superblock of 256 columns,
 * it begins with 8-bit scales [8 rows] of each block or half of one, perhaps minima [8 rows][2] of pairs of blocks, and the factors that
 * multiply them, f16 arrays [8 rows]; then come the quants of its blocks, which memory reads on to anyway while scales are met first.
 * All that a superblock adds up before the factors is integers (kernels/matvec/super.ts).
 *
 * A layout is a class without fields, never instantiated: templates (kernels/) take it as their type parameter L and ask `the<L>()`;
 * everything it says is inlined and folded. One class inherits from its kind and overrides nothing, or calls would become indirect. It
 * says, all literals:
 *   layout        its number, which records and the host know (src/model/layouts.ts)
 *   scaleBytes    of a block or superblock         (Floats: none)
 *   factorBytes   of a superblock; 0: blocks stand alone
 *   middle        what is stored for a quant of value 0
 *   halves        Packed, superblocks: columns 0..15 and 16..31 of a block have a scale each
 *   mins          a block has a minimum
 * and in functions, where `block`, `unit` (the superblock that it is in) and `factors` are addresses and `set` is 0 or 1:
 *   add           f + a block's term for 4 rows, of which `dot` are the integer sums; `tail` are the constants of x (kernels/quantize)
 *   scales        superblocks: 8 scales from `p` on as i16
 *   minima        superblocks with minima, and of 7 bits: those (the scales) of blocks 2i and 2i + 1, or halves, of 4 rows, in pairs of i16
 *   close         superblocks: f + s times the factored sums, of products with scales and with minima (i32), of 4 rows
 *   scale, shift  row `lane`'s scale of a block, or of its half `half`, and (mins) what is added: a value is scale * quant + shift, the
 *                 same f32 as ggml's dequantize, each operation rounded once. The quant is `quantOf`, for every kind
 *   four, value   Floats in place of all these: 4 rows of a column at `p` as f32, and one of them
 *   even, odd     Halves: 4 rows of either column of a vector of pairs as f32, with the constants `first`, `second` and `mask`, loaded once
 *   lift          Floats: the square root of what `even`, `odd` and `four` are short of
 * A dtype of the file says: `dtype`, GGML's number; `fileBytes` of a block of the file; `unpack`, which writes a block at `src` as row
 * `lane` of the layout's block (superblock, column) at `dst` and returns how many of its scales are not finite. Quants and scales are kept
 * bit for bit. A layout that is named after a dtype is that dtype too; those of coded_iq.ts and coded_tq.ts are dtypes only.
 */
import { laneOffset } from './lanes';

/** What x has to be for a layout, as bits: f32 as it is, or quantised records (kernels/quantize). */
export const enum Format { f32 = 0, x4 = 1, x8 = 2, xk = 4 }

export const enum Kind { floats, nibbles, bytes, packed }

@unmanaged export class Floats {
  @inline get kind(): i32 { return Kind.floats; }
  @inline get format(): i32 { return Format.f32; }
  @inline get quantBytes(): usize { return 0; }
  @inline get scaleBytes(): usize { return 0; }
  @inline get factorBytes(): usize { return 0; }
}

@unmanaged export class Halves extends Floats {
  @inline get fileBytes(): usize { return 2; }
}

@unmanaged export class Nibbles {
  @inline get kind(): i32 { return Kind.nibbles; }
  @inline get format(): i32 { return Format.x4; }
  @inline get quantBytes(): usize { return 128; }

  @inline stored(block: usize, lane: i32, k: usize, unit: usize): i32 {
    const byte = <i32>load<u8>(block + laneOffset(lane) + ((k >> 3) << 5) + (k & 3));
    return k & 4 ? byte >> 4 : byte & 15;
  }
}

@unmanaged export class Bytes {
  @inline get kind(): i32 { return Kind.bytes; }
  @inline get format(): i32 { return Format.x8; }
  @inline get quantBytes(): usize { return 256; }

  @inline stored(block: usize, lane: i32, k: usize, unit: usize): i32 {
    const byte = <i32>load<i8>(block + laneOffset(lane) + ((k >> 2) << 5) + (k & 3));
    return k & 1 ? byte : <i32>(<i8>(byte ^ 0x80));
  }
}

@inline export function the<L>(): L { return changetype<L>(0); }

@inline export function isFloat<L>(): bool { return the<L>().kind == Kind.floats; }
@inline export function isNibbles<L>(): bool { return the<L>().kind == Kind.nibbles; }
@inline export function isBytes<L>(): bool { return the<L>().kind == Kind.bytes; }
@inline export function isPacked<L>(): bool { return the<L>().kind == Kind.packed; }

/** Floats of 2 bytes. */
@inline export function isHalf<L>(): bool { return isFloat<L>() && the<L>().fileBytes == 2; }

/** Floats: where a group of 8 rows and `cols` columns has the value of row `lane` and column `col`. */
@inline export function valueAt<L>(lane: usize, col: usize, cols: usize): usize {
  if (!isHalf<L>() || (col ^ 1) >= cols) return col * unitBytes<L>() + lane * the<L>().fileBytes;
  return (col >> 1 << 5) + (lane >> 2 << 4) + ((lane & 3) << 2) + ((col & 1) << 1);
}

/** Eight blocks make a superblock. */
@inline export function isSuper<L>(): bool { return the<L>().factorBytes != 0; }

/** Blocks that stand alone and have an m. */
@inline export function hasMin<L>(): bool { return !isSuper<L>() && the<L>().mins; }

/** The value of column k (0..31) of row `lane` of a block, before scale and minimum. */
@inline export function quantOf<L>(block: usize, lane: i32, k: usize, unit: usize = 0): i32 {
  const quant = the<L>().stored(block, lane, k, unit);
  return (isFlipped<L>() && (k & 5) == 5 ? quant ^ 8 : quant) - the<L>().middle;
}

/** Nibbles whose top one of 16 bits is stored with its own top bit flipped, so that it is q - 8 where 16 bits are a signed number. */
@inline export function isFlipped<L>(): bool { return !ASC_FEATURE_RELAXED_SIMD && isNibbles<L>() && isSuper<L>(); }

/** Columns that cannot be parted: 1, 32 or 256. */
@inline export function unitCols<L>(): i32 { return isFloat<L>() ? 1 : isSuper<L>() ? 256 : 32; }

/** The Format of the x that a layout multiplies. */
@inline export function formatFor<L>(): i32 { return isSuper<L>() ? Format.xk : the<L>().format; }

/** Bytes of 8 rows of a block; of superblocks, of its quants. */
@inline export function blockBytes<L>(): usize { return the<L>().quantBytes + (isSuper<L>() ? 0 : the<L>().scaleBytes); }

/** Where a superblock's quants begin: behind its scales and factors. */
@inline export function quantsIn<L>(): usize { return the<L>().scaleBytes + the<L>().factorBytes; }

/** Bytes of 8 rows of a unit. */
@inline export function unitBytes<L>(): usize {
  return isFloat<L>() ? 8 * the<L>().fileBytes : isSuper<L>() ? quantsIn<L>() + 8 * blockBytes<L>() : blockBytes<L>();
}

/** Bytes of a group of 8 rows. */
@inline export function groupBytes<L>(cols: i32): usize {
  return <usize>(cols >> (isFloat<L>() ? 0 : isSuper<L>() ? 8 : 5)) * unitBytes<L>();
}
