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
import { toHalf } from '../../base/half';

/** Bytes of one head's keys (= of its values). */
@inline export function headBytes(kind: i32, headDim: i32, capacity: i32): usize {
  const cells = <usize>headDim * <usize>capacity;
  if (kind == KvKind.f32) return cells << 2;
  if (kind == KvKind.f16) return cells << 1;
  return cells + (<usize>capacity << 2);
}

/** Byte-less index of (position, dim) in a head's keys; q8 and floats differ in the innermost pair. */
@inline function keyCell(kind: i32, headDim: i32, position: i32, dim: i32): usize {
  const group = <usize>(position >> 3) * (<usize>headDim << 3), lane = <usize>(position & 7);
  if (kind == KvKind.q8) return group + (<usize>(dim >> 1) << 4) + (lane << 1) + <usize>(dim & 1);
  return group + (<usize>dim << 3) + lane;
}

@inline function valueCell(kind: i32, capacity: i32, position: i32, dim: i32): usize {
  const tile = <usize>(dim >> 4) * (<usize>capacity << 4), lane = <usize>(dim & 15);
  if (kind == KvKind.q8) return tile + (<usize>(position >> 1) << 5) + (lane << 1) + <usize>(position & 1);
  return tile + (<usize>position << 4) + lane;
}

@inline function peak(x: usize, headDim: i32): f32 {
  let m: f32 = 0;
  for (const end = x + (<usize>headDim << 2); x < end; x += 4) m = max(m, abs(load<f32>(x)));
  return m;
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
  for (let dim = 0; dim < headDim; dim++, x += 4) {
    const value = load<f32>(x);
    const cell = isKey ? keyCell(kind, headDim, position, dim) : valueCell(kind, capacity, position, dim);
    if (kind == KvKind.f32) store<f32>(head + (cell << 2), value);
    else if (kind == KvKind.f16) store<u16>(head + (cell << 1), toHalf(value));
    else store<i8>(head + cell, <i8>nearest<f32>(value * inverse));
  }
}

@inline function storeHeads(
  kind: i32, k: usize, v: usize, keys: usize, values: usize, kvHeads: i32, headDim: i32, capacity: i32, position: i32,
): void {
  const bytes = headBytes(kind, headDim, capacity);
  for (let h = 0; h < kvHeads; h++) {
    storeHead(kind, true, k, keys, headDim, capacity, position);
    storeHead(kind, false, v, values, headDim, capacity, position);
    k += <usize>headDim << 2; v += <usize>headDim << 2;
    keys += bytes; values += bytes;
  }
}

/** Writes k and v [kvHeads, headDim] f32 of one position into a layer's cache. */
export function storeKv(
  kind: i32, k: usize, v: usize, keys: usize, values: usize, kvHeads: i32, headDim: i32, capacity: i32, position: i32,
): void {
  if (kind == KvKind.f32) storeHeads(KvKind.f32, k, v, keys, values, kvHeads, headDim, capacity, position);
  else if (kind == KvKind.f16) storeHeads(KvKind.f16, k, v, keys, values, kvHeads, headDim, capacity, position);
  else storeHeads(KvKind.q8, k, v, keys, values, kvHeads, headDim, capacity, position);
}
