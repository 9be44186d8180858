/**
 * Weights made ready for tile.ts, once for all tokens: a few blocks of a group of 8 rows, each its quants in the order in which the tile
 * reads them and then f32 scales of 8 rows and (mins) minima, 2^-112 of their values as in kernels/matvec.
 *   narrow  per 4 columns: [set 0: 4 rows x 4 bytes][set 1], as they are stored, below 128
 *   wide    per 4 columns: columns 4i and 4i + 2 as i16 pairs, [set 0: 4 rows][set 1], then 4i + 1 and 4i + 3; values
 */
import { half4, mask00ff, nibbleMask } from '../../base/simd';
import { Format, isBytes, isNibbles, isPacked, the } from '../../layouts/kinds';
import { partOf } from '../../layouts/packed';

/** Products of bytes; else of pairs of 16-bit numbers. */
@inline export function isNarrow<L>(): bool { return ASC_FEATURE_RELAXED_SIMD && the<L>().format == Format.x4; }

/** Quants of 5 bits that have no middle are multiplied as if they had: sums of 32 columns would not fit into i16. */
@inline export function isLifted<L>(): bool { return isNarrow<L>() && isPacked<L>() && the<L>().bits == 5 && the<L>().middle == 0; }

/** Bytes of a block's quants, made ready. */
@inline export function readyQuants(narrow: bool): usize { return narrow ? 256 : 512; }
/** Bytes of a block, made ready. */
@inline export function readyBytes<L>(): usize { return readyQuants(isNarrow<L>()) + (the<L>().mins ? 64 : 32); }

/** 4 columns of both sets, made ready at `dst`; `low` is mask00ff(). */
@inline function put<L>(dst: usize, v: v128, u: v128, low: v128): void {
  if (isNarrow<L>()) {
    v128.store(dst, v); v128.store(dst, u, 16);
    return;
  }
  const bytes = isBytes<L>() || isPacked<L>() && the<L>().bits == 8, middle = i16x8.splat(<i16>the<L>().middle);
  const even = bytes ? i16x8.splat(128) : middle; // kinds.ts: even columns are offset
  v128.store(dst, i16x8.sub(v128.and(v, low), even)); v128.store(dst, i16x8.sub(v128.and(u, low), even), 16);
  v128.store(dst, bytes ? i16x8.shr_s(v, 8) : i16x8.sub(i16x8.shr_u(v, 8), middle), 32);
  v128.store(dst, bytes ? i16x8.shr_s(u, 8) : i16x8.sub(i16x8.shr_u(u, 8), middle), 48);
}

/** Where 4 more columns go. */
@inline function four<L>(): usize { return isNarrow<L>() ? 32 : 64; }

@inline function unpackQuants<L>(w: usize, dst: usize): void {
  const low = mask00ff(), end = w + the<L>().quantBytes;
  if (isNibbles<L>()) {
    const mask = nibbleMask();
    for (; w < end; w += 32, dst += 2 * four<L>()) {
      const v = v128.load(w), u = v128.load(w, 16);
      put<L>(dst, v128.and(v, mask), v128.and(u, mask), low);
      put<L>(dst + four<L>(), v128.and(i16x8.shr_u(v, 4), mask), v128.and(i16x8.shr_u(u, 4), mask), low);
    }
  } else if (isBytes<L>()) {
    for (; w < end; w += 32, dst += four<L>()) put<L>(dst, v128.load(w), v128.load(w, 16), low);
  } else {
    const a = the<L>().mask, b = the<L>().table(w), c = the<L>().third;
    for (; w < end; w += the<L>().quantBytes >> 1, dst += 4 * four<L>()) {
      const v0 = partOf<L>(w, 0), v1 = partOf<L>(w, 1), v2 = partOf<L>(w, 2);
      const v3 = partOf<L>(w, 3), v4 = partOf<L>(w, 4), v5 = partOf<L>(w, 5);
      put<L>(dst, the<L>().vector(0, 0, v0, v1, v2, v3, v4, v5, a, b, c), the<L>().vector(1, 0, v0, v1, v2, v3, v4, v5, a, b, c), low);
      put<L>(dst + four<L>(), the<L>().vector(0, 1, v0, v1, v2, v3, v4, v5, a, b, c), the<L>().vector(1, 1, v0, v1, v2, v3, v4, v5, a, b, c), low);
      put<L>(dst + 2 * four<L>(), the<L>().vector(0, 2, v0, v1, v2, v3, v4, v5, a, b, c), the<L>().vector(1, 2, v0, v1, v2, v3, v4, v5, a, b, c), low);
      put<L>(dst + 3 * four<L>(), the<L>().vector(0, 3, v0, v1, v2, v3, v4, v5, a, b, c), the<L>().vector(1, 3, v0, v1, v2, v3, v4, v5, a, b, c), low);
    }
  }
}

/** `nBlocks` blocks that stand alone. */
export function unpack<L>(w: usize, nBlocks: usize, dst: usize): void {
  for (const end = dst + nBlocks * readyBytes<L>(); dst < end; dst += readyBytes<L>()) {
    unpackQuants<L>(w, dst);
    const at = dst + readyQuants(isNarrow<L>());
    v128.store(at, the<L>().scale4(w, 0)); v128.store(at, the<L>().scale4(w, 1), 16);
    if (the<L>().mins) { v128.store(at, the<L>().shift4(w, 0), 32); v128.store(at, the<L>().shift4(w, 1), 48); }
    w += the<L>().quantBytes + the<L>().scaleBytes;
  }
}
