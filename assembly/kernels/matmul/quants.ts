/**
 * kernels/matmul for quantised layouts: x is made ready (panel.ts) for as many columns as the scratch holds; then, group by group of 8
 * rows, 256 columns of weights are made ready (unpack.ts) and meet all tokens, 4 at a time (tile.ts, superTile.ts). What is made ready of
 * the weights stays in the first cache, x in the second. Sums lie in `sums`, 32 B a token, and between spans of columns in y.
 * Test: test/kernels/matmul.test.ts.
 */
import { times32 } from '../../base/simd';
import { groupBytes, isSuper, the, unitBytes } from '../../layouts/kinds';
import { packX, panelBytes, panelQuants } from './panel';
import { BLOCKS, isLifted, isNarrow } from './ready';
import { SuperBlocks, SuperHalves, SuperHalvesMin, SuperLifted, SuperWide, SuperWideHalvesMin, SuperWideMin, superTile } from './superTile';
import { Four, Lifted, Narrow, NarrowMin, Three, Two, Wide, WideMin, tile } from './tile';
import { unpack } from './unpack';

/** Bytes of x made ready; more where 256 columns of all tokens are more. */
const PANELS: usize = 384 * 1024;
/** Room for weights made ready, and for the integer sums of 4 tokens (superTile.ts). */
const READY: usize = 8 * 1024, SUMS: usize = 384;

/** Bytes that matmul needs beside its arguments, for any layout. */
export function matmulScratch(cols: i32, nTokens: i32): usize {
  const panels = <usize>nTokens + 3 >> 2, perBlock = panels * (panelQuants(false) + 64);
  return READY + SUMS + (panels << 8) + min(max(PANELS, BLOCKS * perBlock), (<usize>cols + 31 >> 5) * perBlock);
}

@inline function tiles<U>(w: usize, x: usize, xStride: usize, nTokens: usize, n: usize, f: usize): void {
  for (; nTokens > 3; nTokens -= 4, x += xStride, f += 128) tile<U, Four>(w, x, n, f);
  if (nTokens == 3) tile<U, Three>(w, x, n, f);
  else if (nTokens > 0) tile<U, Two>(w, x, n, f); // of one, too: the other's sums are not read
}

@inline function superTiles<U>(w: usize, x: usize, xStride: usize, nTokens: usize, f: usize, g: usize): void {
  for (; nTokens > 3; nTokens -= 4, x += xStride, f += 128) superTile<U, Four>(w, x, f, g);
  if (nTokens == 3) superTile<U, Three>(w, x, f, g);
  else if (nTokens > 0) superTile<U, Two>(w, x, f, g);
}

/** What is ready at w times all tokens; n blocks, or a superblock. */
@inline function tilesOf<L>(w: usize, x: usize, xStride: usize, nTokens: usize, n: usize, f: usize, g: usize): void {
  if (isSuper<L>()) {
    if (isLifted<L>()) superTiles<SuperLifted>(w, x, xStride, nTokens, f, g);
    else if (!isNarrow<L>()) {
      if (!the<L>().mins) superTiles<SuperWide>(w, x, xStride, nTokens, f, g);
      else if (the<L>().halves) superTiles<SuperWideHalvesMin>(w, x, xStride, nTokens, f, g);
      else superTiles<SuperWideMin>(w, x, xStride, nTokens, f, g);
    } else if (!the<L>().halves) superTiles<SuperBlocks>(w, x, xStride, nTokens, f, g);
    else if (the<L>().mins) superTiles<SuperHalvesMin>(w, x, xStride, nTokens, f, g);
    else superTiles<SuperHalves>(w, x, xStride, nTokens, f, g);
  } else if (isLifted<L>()) tiles<Lifted>(w, x, xStride, nTokens, n, f);
  else if (isNarrow<L>()) {
    if (the<L>().mins) tiles<NarrowMin>(w, x, xStride, nTokens, n, f);
    else tiles<Narrow>(w, x, xStride, nTokens, n, f);
  } else if (the<L>().mins) tiles<WideMin>(w, x, xStride, nTokens, n, f);
  else tiles<Wide>(w, x, xStride, nTokens, n, f);
}

function load8(y: usize, yStride: usize, nTokens: usize, f: usize): void {
  for (const end = f + (nTokens << 5); f < end; f += 32, y += yStride) { v128.store(f, v128.load(y)); v128.store(f, v128.load(y, 16), 16); }
}

function store8(y: usize, yStride: usize, nTokens: usize, f: usize, last: bool): void {
  for (const end = f + (nTokens << 5); f < end; f += 32, y += yStride) {
    const a = v128.load(f), b = v128.load(f, 16);
    v128.store(y, last ? times32(a) : a); v128.store(y, last ? times32(b) : b, 16);
  }
}

export function quants<L>(
  w0: usize, groups: usize, cols: usize, x: usize, xStride: usize, nTokens: usize, y: usize, yStride: usize, scratch: usize,
): void {
  const count = cols >> (isSuper<L>() ? 8 : 5), atOnce: usize = isSuper<L>() ? 1 : BLOCKS; // in units, blocks or superblocks
  const span = max(atOnce, PANELS / ((nTokens + 3 >> 2) * panelBytes<L>()) & ~(atOnce - 1));
  const g = scratch + READY, sums = g + SUMS, panels = sums + (nTokens + 3 >> 2 << 7);
  for (let from: usize = 0; from < count; from += span) {
    const to = min(from + span, count), stride = (to - from) * panelBytes<L>();
    packX<L>(x, xStride, nTokens, from, to, panels);
    let w = w0 + from * unitBytes<L>();
    for (let at = y, end = y + (groups << 5); at < end; at += 32, w += groupBytes<L>(<i32>cols)) {
      if (from) load8(at, yStride, nTokens, sums);
      else memory.fill(sums, 0, nTokens << 5);
      let p = w, q = panels;
      for (let u = from; u < to; u += atOnce, p += atOnce * unitBytes<L>(), q += atOnce * panelBytes<L>()) {
        const n = min(atOnce, to - u);
        unpack<L>(p, n, scratch);
        tilesOf<L>(scratch, q, stride, nTokens, n, sums, g);
      }
      store8(at, yStride, nTokens, sums, !isSuper<L>() && to == count);
    }
  }
}
