/**
 * Attention of consecutive tokens of a sequence over its cache (arXiv 1706.03762), heads grouped over fewer key/value heads
 * (arXiv 2305.13245):
 *   out_h = sum_t softmax_t(scale * q_h . k_t) v_t,   t = first .. the token's position,   scores bent to stay within `cap` where that
 *                                                                                          is not 0
 * The cache is laid out so that neither product sums across lanes (kv.ts). All queries that look at one key/value head, of all tokens, are
 * rows; four of them walk over the positions together, a stretch at a time (arXiv 2205.14135): scores, weights, values mixed. What is
 * kept of a stretch lies in L1 whatever the depth, and a cache line serves four rows. Stretches lie at fixed positions and a row's numbers
 * are its own, so a token's result is the same bits alone, in a chunk of any cut, in any tile.
 * q8: q goes to i16, weights times the values' scales to i16 per stretch; both sums are exact integers, the error that of the 8-bit cache.
 * Test: test/kernels/attention.test.ts.
 */
import { KvKind } from '../../abi/enums';
import { scale as times, softCap } from '../activation/activation';
import { headBytes } from './kv';
import { mix } from './mix';
import { cellBytes, enterRow, scores } from './scores';
import { PEAK, ROW, ROWS, ROWS_F16, ROWS_F32, SCORES, STRETCH, SUM, TOUCHED } from './scratch';
import { weigh } from './weights';

/** Scores are in units of ln 2. */
const LOG2E: f32 = 1.4426950408889634;

@inline function firstOf(window: i32, position: i32): i32 { return window ? max(0, position + 1 - window) : 0; }

/**
 * Rows `iRow` .. of one key/value head: row r is head r % perKv of token r / perKv. q and out: of the head group's first row.
 * `keysAfter`: the keys of the next tile.
 */
@inline function attendTile(
  kind: i32, iRow: i32, rows: i32, q: usize, stride: usize, keys: usize, values: usize, perKv: i32, headDim: i32, capacity: i32,
  position: i32, window: i32, scale: f32, cap: f32, tile: usize, out: usize, keysAfter: usize,
): void {
  const bytes = <usize>headDim << 2, cell = cellBytes(kind);
  let o0: usize = 0, o1: usize = 0, o2: usize = 0, o3: usize = 0;
  for (let r = 0; r < rows; r++) {
    const i = iRow + r, row = tile + <usize>r * ROW, at = <usize>(i / perKv) * stride + <usize>(i % perKv) * bytes, o = out + at;
    enterRow(kind, q + at, headDim, cap ? scale : scale * LOG2E, row);
    store<f32>(row, -Infinity, PEAK);
    store<f32>(row, 0, SUM);
    memory.fill(o, 0, bytes);
    if (r == 0) o0 = o; else if (r == 1) o1 = o; else if (r == 2) o2 = o; else o3 = o;
  }
  const firstToken = position + iRow / perKv, lastToken = position + (iRow + rows - 1) / perKv, end = lastToken + 1;
  const cells = <usize>headDim * <usize>capacity * cell;
  const begin = firstOf(window, firstToken) & ~7;
  for (let base = begin; base < end; base = (base & -STRETCH) + STRETCH) {
    const stop = min((base & -STRETCH) + STRETCH, end), count = stop - base, padded = (count + 7) & ~7;
    const at = cells + (<usize>base << 2);
    const v = values + (<usize>base << 4) * cell, tileStride = (<usize>capacity << 4) * cell;
    scores(kind, rows, tile, keys + <usize>base * <usize>headDim * cell, keys + at, headDim, padded, v, tileStride, values + at);
    for (let r = 0; r < rows; r++) {
      const row = tile + <usize>r * ROW, own = position + (iRow + r) / perKv;
      if (cap) {
        softCap(row + SCORES, cap, padded);
        times(row + SCORES, LOG2E, padded);
      }
      weigh(kind, row, max(0, firstOf(window, own) - base), min(count, own + 1 - base), padded, values + at);
    }
    // of q8 what comes next is touched: as many positions as here, within the capacity
    const next = <usize>(stop < end ? min(stop, capacity - padded) : begin), from = stop < end ? keys : keysAfter;
    if (kind == KvKind.q8) {
      const lines = from + cells + (next << 2);
      let touched = 0;
      for (let p = lines, last = lines + (<usize>padded << 2); p < last; p += 64) touched |= load<i32>(p);
      store<i32>(tile, touched, TOUCHED);
    }
    const ahead = from + next * <usize>headDim * cell;
    mix(kind, rows, tile, v, tileStride, headDim, kind == KvKind.q8 ? padded : count, o0, o1, o2, o3, ahead);
  }
  for (let r = 0; r < rows; r++) {
    const norm = <f32>1 / load<f32>(tile + <usize>r * ROW, SUM);
    times(r == 0 ? o0 : r == 1 ? o1 : r == 2 ? o2 : o3, norm, headDim);
  }
}

/**
 * Output [nTokens][heads * headDim] of tokens at `position`, position + 1, …, whose keys and values are in the cache already, for `nKv`
 * key/value heads from `firstKv` on: their query heads are read and written, nothing else. q and out f32, rows `stride` bytes apart; keys
 * and values: of the layer's first key/value head. `perKv`: query heads of each. `window`: positions that are seen, 0 for all.
 * `scratch`: SCRATCH bytes (scratch.ts). Entries of the cache behind the last token may hold anything.
 */
export function attend(
  kind: i32, nTokens: i32, position: i32, q: usize, stride: usize, keys: usize, values: usize, firstKv: i32, nKv: i32, perKv: i32,
  headDim: i32, capacity: i32, window: i32, scale: f32, cap: f32, scratch: usize, out: usize,
): void {
  const most = kind == KvKind.q8 ? ROWS : kind == KvKind.f16 ? ROWS_F16 : ROWS_F32;
  const bytes = headBytes(kind, headDim, capacity), nRows = nTokens * perKv, group = <usize>(perKv * headDim) << 2;
  for (let kv = <usize>firstKv, end = kv + <usize>nKv; kv < end; kv++) {
    for (let iRow = 0; iRow < nRows; iRow += most) {
      const after = keys + (iRow + most < nRows || kv + 1 == end ? kv : kv + 1) * bytes;
      attendTile(
        kind, iRow, min(most, nRows - iRow), q + kv * group, stride, keys + kv * bytes, values + kv * bytes, perKv, headDim, capacity,
        position, window, scale, cap, scratch, out + kv * group, after,
      );
    }
  }
}
