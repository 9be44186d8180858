/**
 * Weights made ready for tile.ts, once for all tokens: a few blocks of a group of 8 rows, each its quants in the order in which the tile
 * reads them and then f32 scales of 8 rows and (mins) minima, 2^-112 of their values as in kernels/matvec.
 *   narrow  per 4 columns: [set 0: 4 rows x 4 bytes][set 1], as they are stored, below 128
 *   wide    per 4 columns: columns 4i and 4i + 2 as i16 pairs, [set 0: 4 rows][set 1], then 4i + 1 and 4i + 3; values
 */
import { half4Exact, mask00ff, nibbleMask } from '../../base/simd';
import { blockBytes, isBytes, isFlipped, isNibbles, isPacked, isSuper, quantsIn, the } from '../../layouts/kinds';
import { partOf } from '../../layouts/packed';
import { firstTwice, lastTwice } from '../matvec/superSums';
import { isLifted, isNarrow, sumPairs } from './ready';

/** Bytes of a block's quants, made ready. */
@inline function readyQuants(narrow: bool): usize { return narrow ? 256 : 512; }
/** Bytes of a block that stands alone, made ready. */
@inline function readyBytes<L>(): usize { return readyQuants(isNarrow<L>()) + (the<L>().mins ? 64 : 32); }

/** 4 columns of both sets, made ready at `dst`; `low` is mask00ff(), k and l the scales of a superblock's rows, each twice (wide). */
@inline function put<L>(dst: usize, v: v128, u: v128, low: v128, k: v128, l: v128): void {
  if (isNarrow<L>()) {
    v128.store(dst, v); v128.store(dst, u, 16);
    return;
  }
  // kinds.ts: bytes are signed, even columns offset; but those of superblocks on `relaxed`
  const signed = isBytes<L>() || isPacked<L>() && the<L>().bits == 8, plain = signed && isSuper<L>() && ASC_FEATURE_RELAXED_SIMD;
  const middle = i16x8.splat(<i16>the<L>().middle), even = signed ? i16x8.splat(128) : middle;
  let v0 = plain ? i16x8.shr_s(i16x8.shl(v, 8), 8) : i16x8.sub(v128.and(v, low), even);
  let u0 = plain ? i16x8.shr_s(i16x8.shl(u, 8), 8) : i16x8.sub(v128.and(u, low), even);
  let v1 = signed ? i16x8.shr_s(v, 8) : i16x8.sub(i16x8.shr_u(v, 8), middle);
  let u1 = signed ? i16x8.shr_s(u, 8) : i16x8.sub(i16x8.shr_u(u, 8), middle);
  if (isSuper<L>()) { v0 = i16x8.mul(v0, k); u0 = i16x8.mul(u0, l); v1 = i16x8.mul(v1, k); u1 = i16x8.mul(u1, l); }
  v128.store(dst, v0); v128.store(dst, u0, 16); v128.store(dst, v1, 32); v128.store(dst, u1, 48);
}

/** Where 4 more columns go. */
@inline function four<L>(): usize { return isNarrow<L>() ? 32 : 64; }

/** Half a block at p; constants a, b and c as layouts/packed.ts has them. */
@inline function unpackHalf<L>(p: usize, dst: usize, a: v128, b: v128, c: v128, low: v128, k: v128, l: v128): void {
  if (isNibbles<L>()) {
    for (const end = p + 64; p < end; p += 32, dst += 2 * four<L>()) {
      let v = v128.load(p), u = v128.load(p, 16);
      if (isFlipped<L>()) { v = v128.xor(v, i32x4.splat(0x80008000)); u = v128.xor(u, i32x4.splat(0x80008000)); }
      put<L>(dst, v128.and(v, a), v128.and(u, a), low, k, l);
      put<L>(dst + four<L>(), v128.and(i16x8.shr_u(v, 4), a), v128.and(i16x8.shr_u(u, 4), a), low, k, l);
    }
  } else if (isBytes<L>()) {
    for (const end = p + 128; p < end; p += 32, dst += four<L>()) put<L>(dst, v128.load(p), v128.load(p, 16), low, k, l);
  } else {
    const v0 = partOf<L>(p, 0), v1 = partOf<L>(p, 1), v2 = partOf<L>(p, 2);
    const v3 = partOf<L>(p, 3), v4 = partOf<L>(p, 4), v5 = partOf<L>(p, 5);
    put<L>(dst, the<L>().vector(0, 0, v0, v1, v2, v3, v4, v5, a, b, c), the<L>().vector(1, 0, v0, v1, v2, v3, v4, v5, a, b, c), low, k, l);
    dst += four<L>();
    put<L>(dst, the<L>().vector(0, 1, v0, v1, v2, v3, v4, v5, a, b, c), the<L>().vector(1, 1, v0, v1, v2, v3, v4, v5, a, b, c), low, k, l);
    dst += four<L>();
    put<L>(dst, the<L>().vector(0, 2, v0, v1, v2, v3, v4, v5, a, b, c), the<L>().vector(1, 2, v0, v1, v2, v3, v4, v5, a, b, c), low, k, l);
    dst += four<L>();
    put<L>(dst, the<L>().vector(0, 3, v0, v1, v2, v3, v4, v5, a, b, c), the<L>().vector(1, 3, v0, v1, v2, v3, v4, v5, a, b, c), low, k, l);
  }
}

/** `nBlocks` blocks that stand alone. */
function unpackBlocks<L>(w: usize, nBlocks: usize, dst: usize): void {
  const low = mask00ff(), a = isPacked<L>() ? the<L>().mask : nibbleMask(), b = isPacked<L>() ? the<L>().table(w) : a;
  const c = isPacked<L>() ? the<L>().third : a;
  for (const end = dst + nBlocks * readyBytes<L>(); dst < end; w += blockBytes<L>()) {
    unpackHalf<L>(w, dst, a, b, c, low, a, a);
    unpackHalf<L>(w + (the<L>().quantBytes >> 1), dst + 4 * four<L>(), a, b, c, low, a, a);
    dst += 8 * four<L>();
    v128.store(dst, the<L>().scale4(w, 0)); v128.store(dst, the<L>().scale4(w, 1), 16);
    if (the<L>().mins) { v128.store(dst, the<L>().shift4(w, 0), 32); v128.store(dst, the<L>().shift4(w, 1), 48); }
    dst += the<L>().mins ? 64 : 32;
  }
}

/** Scales of blocks 2i and 2i + 1, of 4 rows, in pairs of i16. */
@inline function scalePairs<L>(scales: usize, i: usize, set: usize): v128 {
  const k = the<L>().scales(scales + (i << 4)), l = the<L>().scales(scales + (i << 4) + 8);
  return set ? i16x8.shuffle(k, l, 4, 12, 5, 13, 6, 14, 7, 15) : i16x8.shuffle(k, l, 0, 8, 1, 9, 2, 10, 3, 11);
}

/** A superblock. */
function unpackSuper<L>(w: usize, dst: usize): void {
  const low = mask00ff(), a = isPacked<L>() ? the<L>().mask : nibbleMask(), b = isPacked<L>() ? the<L>().table(w) : a;
  const c = isPacked<L>() ? the<L>().third : a, scales = w, factors = w + the<L>().scaleBytes;
  let s = scales;
  w += quantsIn<L>();
  for (let half = 0; half < 16; half++, w += the<L>().quantBytes >> 1) {
    const k = the<L>().scales(s), k0 = firstTwice(k), k1 = lastTwice(k);
    unpackHalf<L>(w, dst, a, b, c, low, k0, k1);
    dst += 4 * four<L>();
    if (the<L>().halves || half & 1) {
      s += 8;
      if (isNarrow<L>()) { v128.store(dst, k0); v128.store(dst, k1, 16); dst += 32; }
    }
  }
  v128.store(dst, the<L>().factor4(factors, 0)); v128.store(dst, the<L>().factor4(factors, 1), 16);
  dst += 32;
  if (the<L>().mins) {
    v128.store(dst, half4Exact(factors + 16)); v128.store(dst, half4Exact(factors + 24), 16);
    dst += 32;
    for (let i: usize = 0; i < sumPairs<L>(); i++, dst += 32) {
      v128.store(dst, the<L>().minima(scales, i, 0)); v128.store(dst, the<L>().minima(scales, i, 1), 16);
    }
  }
  if (isLifted<L>()) {
    for (let i: usize = 0; i < sumPairs<L>(); i++, dst += 32) {
      v128.store(dst, scalePairs<L>(scales, i, 0)); v128.store(dst, scalePairs<L>(scales, i, 1), 16);
    }
  }
}

/** `n` blocks, or a superblock. */
@inline export function unpack<L>(w: usize, n: usize, dst: usize): void {
  if (isSuper<L>()) unpackSuper<L>(w, dst);
  else unpackBlocks<L>(w, n, dst);
}
