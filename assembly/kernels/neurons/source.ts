/**
 * What the forms that leave out neurons are made from, for every quantised layout: value = d (q - centre) + m, q of 4, 5 or 6 bits as
 * stored, or a signed byte. Factors of superblocks are multiplied into d and m, a product rounded once as in the layout's dequant. Units in
 * which forms hold d and m: units.ts. Test: test/kernels/rows.test.ts, test/kernels/columns.test.ts.
 */
import { blockBytes, isBytes, isFlipped, isFloat, isNibbles, isPacked, isSuper, quantsIn, the, unitBytes } from '../../layouts/kinds';
import { laneOffset } from '../../layouts/lanes';
import { forLayout } from '../../layouts/table';

/** Bits of a quant in a form. */
@inline export function bitsOf<L>(): i32 {
  if (isNibbles<L>()) return 4;
  if (isPacked<L>()) return the<L>().bits;
  return 8;
}

/** What a form's quants of fewer than 8 bits are above the values' zero. */
@inline export function centreOf<L>(): i32 { return bitsOf<L>() == 8 ? 0 : the<L>().middle; }

/** Columns under one scale. */
@inline export function scaleCols<L>(): i32 {
  if (isFloat<L>()) return 32;
  return the<L>().halves ? 16 : 32;
}

/** There are forms: of 4, 8, and, packed as they are in the file, 5 and 6 bits. */
@inline export function hasForms<L>(): bool {
  if (isPacked<L>()) return the<L>().bits > 4 && the<L>().quantBytes == 32 * <usize>the<L>().bits;
  return isNibbles<L>() || isBytes<L>();
}

/** Block b of the group of rows at `w`, and the superblock that it is in. */
@inline export function superAt<L>(w: usize, b: i32): usize { return w + <usize>(b >> 3) * unitBytes<L>(); }
@inline export function blockAt<L>(w: usize, b: i32): usize {
  if (isSuper<L>()) return superAt<L>(w, b) + quantsIn<L>() + <usize>(b & 7) * blockBytes<L>();
  return w + <usize>b * blockBytes<L>();
}

/** q of columns 4c .. 4c + 3 of a row's block as bytes. */
export function unitAt<L>(block: usize, lane: i32, c: i32): u32 {
  if (isNibbles<L>()) {
    const pair = load<u32>(block + laneOffset(lane) + (<usize>(c >> 1) << 5)) ^ (isFlipped<L>() ? 0x80008000 : 0);
    return (c & 1 ? pair >> 4 : pair) & 0x0f0f0f0f;
  }
  if (isBytes<L>()) return load<u32>(block + laneOffset(lane) + (<usize>c << 5)) ^ 0x00800080; // even columns are offset-binary
  return the<L>().word(block + <usize>(c >> 2) * (the<L>().quantBytes >> 1), lane, <usize>(c & 3));
}

@unmanaged class ScaleCols {
  @inline on<L>(_a: usize, _b: usize, _c: usize, _d: usize, _e: usize, _f: usize, _g: usize, _h: usize, _i: usize): usize {
    return scaleCols<L>();
  }
}

/** Columns under one scale. */
export function neuronsOfScale(layout: i32): i32 { return <i32>forLayout<ScaleCols>(layout); }
