/**
 * The key/value cache of one layer, and writing one position into it. Per key/value head, one after the other:
 *
 *   keys    f32, f16  [capacity/8][headDim][8 tokens]              lanes are tokens: scores need no sum across lanes
 *           q8        [capacity/8][headDim/2][8 tokens][2] i8, then f32 scale [capacity]
 *   values  f32, f16  [headDim/16][capacity][16]                   four vectors of output stay in registers over all tokens
 *           q8        [headDim/16][capacity/2][16][2 tokens] i8, then f32 scale [capacity]
 *
 * q8: one scale a position and head, scale = amax / 127. headDim a multiple of 16, capacity of 8. f16 clamps at 65504.
 * Test: test/kernels/attention.test.ts.
 */
import { KvKind } from '../../abi/enums';
import { toHalf4 } from '../../base/half';
import { hmax, rounded, roundedInt } from '../../base/simd';

/** Bytes of one head's keys (= of its values). */
@inline export function headBytes(kind: i32, headDim: i32, capacity: i32): usize {
  const cells = <usize>headDim * <usize>capacity;
  if (kind == KvKind.f32) return cells << 2;
  if (kind == KvKind.f16) return cells << 1;
  return cells + (<usize>capacity << 2);
}

@inline function peak(x: usize, headDim: i32): f32 {
  let m = f32x4.splat(0);
  for (const end = x + (<usize>headDim << 2); x < end; x += 16) m = f32x4.max(m, f32x4.abs(v128.load(x)));
  return hmax(m);
}

/** 16 values as i8, after a multiplication. */
@inline function bytes16(x: usize, f: v128): v128 {
  const a = roundedInt(rounded(f32x4.mul(v128.load(x), f))), b = roundedInt(rounded(f32x4.mul(v128.load(x, 16), f)));
  const c = roundedInt(rounded(f32x4.mul(v128.load(x, 32), f))), d = roundedInt(rounded(f32x4.mul(v128.load(x, 48), f)));
  return i8x16.narrow_i16x8_s(i16x8.narrow_i32x4_s(a, b), i16x8.narrow_i32x4_s(c, d));
}

/** 8 values as f16. */
@inline function halves8(x: usize): v128 { return i16x8.narrow_i32x4_u(toHalf4(v128.load(x)), toHalf4(v128.load(x, 16))); }

@inline function storeKey(kind: i32, x: usize, f: v128, head: usize, headDim: i32, position: i32): void {
  const end = x + (<usize>headDim << 2), cell: usize = kind == KvKind.f32 ? 4 : kind == KvKind.f16 ? 2 : 1;
  let p = head + (<usize>(position >> 3) * (<usize>headDim << 3) + (<usize>(position & 7) << i32(kind == KvKind.q8))) * cell;
  for (; x < end; x += 64, p += 128 * cell) {
    if (kind == KvKind.q8) {
      const b = bytes16(x, f);
      v128.store16_lane(p, b, 0); v128.store16_lane(p, b, 1, 16); v128.store16_lane(p, b, 2, 32); v128.store16_lane(p, b, 3, 48);
      v128.store16_lane(p, b, 4, 64); v128.store16_lane(p, b, 5, 80); v128.store16_lane(p, b, 6, 96); v128.store16_lane(p, b, 7, 112);
    } else if (kind == KvKind.f16) {
      for (let i: usize = 0; i < 2; i++) {
        const h = halves8(x + 32 * i), to = p + 128 * i;
        v128.store16_lane(to, h, 0); v128.store16_lane(to, h, 1, 16); v128.store16_lane(to, h, 2, 32); v128.store16_lane(to, h, 3, 48);
        v128.store16_lane(to, h, 4, 64); v128.store16_lane(to, h, 5, 80); v128.store16_lane(to, h, 6, 96); v128.store16_lane(to, h, 7, 112);
      }
    } else {
      for (let i: usize = 0; i < 16; i++) store<f32>(p + 32 * i, load<f32>(x + 4 * i));
    }
  }
}

@inline function storeValue(kind: i32, x: usize, f: v128, head: usize, headDim: i32, capacity: i32, position: i32): void {
  const end = x + (<usize>headDim << 2), cell: usize = kind == KvKind.f32 ? 4 : kind == KvKind.f16 ? 2 : 1, odd = position & 1;
  const kept = i16x8.splat(odd ? 0x00ff : -0x0100); // of q8 a position has every second byte
  let p = head + (<usize>(kind == KvKind.q8 ? position & ~1 : position) << 4) * cell;
  for (; x < end; x += 64, p += (<usize>capacity << 4) * cell) {
    if (kind == KvKind.q8) {
      const b = bytes16(x, f), low = i16x8.extend_low_i8x16_u(b), high = i16x8.extend_high_i8x16_u(b);
      v128.store(p, v128.or(v128.and(v128.load(p), kept), i16x8.shl(low, odd << 3)));
      v128.store(p, v128.or(v128.and(v128.load(p, 16), kept), i16x8.shl(high, odd << 3)), 16);
    } else if (kind == KvKind.f16) {
      v128.store(p, halves8(x)); v128.store(p, halves8(x + 32), 16);
    } else memory.copy(p, x, 64);
  }
}

@inline function storeHead(kind: i32, isKey: bool, x: usize, head: usize, headDim: i32, capacity: i32, position: i32): void {
  let inverse: f32 = 0;
  if (kind == KvKind.q8) {
    const amax = peak(x, headDim);
    const live = amax > 1e-30 && amax < Infinity;
    inverse = live ? <f32>127 / amax : 0;
    // NaN where a value is not finite
    store<f32>(head + <usize>headDim * <usize>capacity + (<usize>position << 2), live ? amax / 127 : amax * 0);
  }
  if (isKey) storeKey(kind, x, f32x4.splat(inverse), head, headDim, position);
  else storeValue(kind, x, f32x4.splat(inverse), head, headDim, capacity, position);
}

@inline function storeHeads(
  kind: i32, nTokens: i32, position: i32, k: usize, v: usize, stride: usize, keys: usize, values: usize, kvHeads: i32, headDim: i32,
  capacity: i32,
): void {
  const bytes = headBytes(kind, headDim, capacity);
  for (const end = position + nTokens; position < end; position++, k += stride, v += stride) {
    for (let h: usize = 0; h < <usize>kvHeads; h++) {
      const at = (h * <usize>headDim) << 2;
      storeHead(kind, true, k + at, keys + h * bytes, headDim, capacity, position);
      storeHead(kind, false, v + at, values + h * bytes, headDim, capacity, position);
    }
  }
}

/** Writes k and v [nTokens][kvHeads, headDim] f32, rows `stride` bytes apart, of the positions from `position` on into a layer's cache. */
export function storeKv(
  kind: i32, nTokens: i32, position: i32, k: usize, v: usize, stride: usize, keys: usize, values: usize, kvHeads: i32, headDim: i32,
  capacity: i32,
): void {
  if (kind == KvKind.f32) storeHeads(KvKind.f32, nTokens, position, k, v, stride, keys, values, kvHeads, headDim, capacity);
  else if (kind == KvKind.f16) storeHeads(KvKind.f16, nTokens, position, k, v, stride, keys, values, kvHeads, headDim, capacity);
  else storeHeads(KvKind.q8, nTokens, position, k, v, stride, keys, values, kvHeads, headDim, capacity);
}
