/**
 * What the forms that leave out neurons are made from, said once for every quantised layout: value = d (q - centre) + m, q the `bits` bits of
 * the file (8: signed). Factors of superblocks are multiplied into d and m, a product rounded once as in the layout's dequant. Units in
 * which forms hold d and m: units.ts.
 */
import { halfAt } from '../../base/half';
import { blockBytes, hasMin, isFloat, isNibbles, isSuper, the, unitBytes } from '../../layouts/kinds';
import { laneOffset } from '../../layouts/lanes';

/** Bits of a quant. */
@inline export function bitsOf<L>(): i32 { return isNibbles<L>() ? 4 : the<L>().halves ? 6 : isSuper<L>() ? 5 : 8; }

/** What a form's quants are above the values' zero, where there is no minimum. */
@inline export function centreOf<L>(): i32 { return withMin<L>() || bitsOf<L>() == 8 ? 0 : 1 << (bitsOf<L>() - 1); }

/** A block has a minimum, whoever multiplies it. */
@inline export function withMin<L>(): bool { return hasMin<L>() || isSuper<L>() && !the<L>().halves; }

/** Columns under one scale. */
@inline export function scaleCols<L>(): i32 {
  if (isFloat<L>()) return 32;
  return the<L>().halves ? 16 : 32;
}

/** Block b of the group of rows at `w`, and the factors of its superblock. */
@inline export function blockAt<L>(w: usize, b: i32): usize {
  if (isSuper<L>()) return w + <usize>(b >> 3) * unitBytes<L>() + <usize>(b & 7) * blockBytes<L>();
  return w + <usize>b * blockBytes<L>();
}
@inline export function factorsAt<L>(w: usize, b: i32): usize { return w + <usize>(b >> 3) * unitBytes<L>() + 8 * blockBytes<L>(); }

/** q of columns 4c .. 4c + 3 of a row's block as bytes; signed where `bitsOf` is 8. */
@inline export function unitAt<L>(block: usize, lane: i32, c: i32): u32 {
  if (isNibbles<L>()) {
    const pair = load<u32>(block + laneOffset(lane) + (<usize>(c >> 1) << 5));
    return (c & 1 ? pair >> 4 : pair) & 0x0f0f0f0f;
  }
  const unit = load<u32>(block + laneOffset(lane) + (<usize>c << 5)) ^ 0x00800080; // even columns are offset-binary
  return the<L>().halves ? unit & 0x3f3f3f3f ^ 0x20202020 : unit;
}

/** d of a row's block; of its columns 0..15 or 16..31 (`half`) where those differ. */
@inline export function scaleAt<L>(block: usize, factors: usize, lane: i32, half: i32): f32 {
  const scales = block + the<L>().quantBytes;
  if (!isSuper<L>()) return halfAt(scales + (<usize>lane << 1));
  const d = halfAt(factors + (<usize>lane << 1));
  return d * (the<L>().halves ? <f32>load<i8>(scales + <usize>(8 * half + lane)) : <f32>load<u8>(scales + <usize>lane));
}

/** m of a row's block. */
@inline export function minAt<L>(block: usize, factors: usize, lane: i32): f32 {
  if (!withMin<L>()) return 0;
  const scales = block + the<L>().quantBytes;
  if (!isSuper<L>()) return halfAt(scales + 16 + (<usize>lane << 1));
  return -halfAt(factors + 16 + (<usize>lane << 1)) * <f32>load<u8>(scales + 8 + <usize>lane);
}
