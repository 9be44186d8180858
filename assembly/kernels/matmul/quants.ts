/**
 * kernels/matmul for quantised layouts: x is made ready (panel.ts) for as many columns as the scratch holds; then, group by group of 8
 * rows, 256 columns of weights are made ready (unpack.ts) and meet all tokens, 4 at a time (tile.ts, superTile.ts). What is made ready of
 * the weights stays in the first cache, x in the second. Sums lie in `sums`, 32 B a token, and between spans of columns in y.
 * Tokens beyond the last of a panel are computed and not read.
 * Test: test/kernels/matmul.test.ts.
 */
import { times32 } from '../../base/simd';
import { groupBytes, isSuper, the, unitBytes } from '../../layouts/kinds';
import { packX, panelBytes, panelQuants } from './panel';
import { BLOCKS, isLifted, isNarrow } from './ready';
import { SuperBlocks, SuperHalves, SuperHalvesMin, SuperLifted, SuperWide, SuperWideHalvesMin, SuperWideMin, superTile } from './superTile';
import { Lifted, Narrow, NarrowMin, Wide, WideMin, tile } from './tile';
import { unpack } from './unpack';

/** Bytes of x made ready; more where 256 columns of all tokens are more. */
const PANELS: usize = 384 * 1024;
/** Room for weights made ready, and for the integer sums of 4 tokens (superTile.ts). */
const READY: usize = 8 * 1024, SUMS: usize = 384;

/** Bytes of all of x made ready, for any layout. */
export function panelsBytes(cols: i32, nTokens: i32): usize {
  return (<usize>nTokens + 3 >> 2) * (panelQuants(false) + 64) * (<usize>cols + 31 >> 5);
}

/** Bytes that matmul needs beside its arguments, for any layout. */
export function matmulScratch(cols: i32, nTokens: i32): usize {
  const panels = <usize>nTokens + 3 >> 2, perBlock = panels * (panelQuants(false) + 64);
  return READY + SUMS + (panels << 8) + min(max(PANELS, BLOCKS * perBlock), (<usize>cols + 31 >> 5) * perBlock);
}

@inline function tiles<U>(w: usize, x: usize, xStride: usize, nTokens: usize, n: usize, f: usize): void {
  for (const end = f + (nTokens << 5); f < end; f += 128, x += xStride) tile<U>(w, x, n, f);
}

@inline function superTiles<U>(w: usize, x: usize, xStride: usize, nTokens: usize, f: usize, g: usize): void {
  for (const end = f + (nTokens << 5); f < end; f += 128, x += xStride) superTile<U>(w, x, f, g);
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

/** Units (blocks or superblocks) of x that are made ready at a time, of which `unpack` takes `atOnce`. */
@inline function spanOf<L>(nTokens: usize): usize {
  return max(atOnce<L>(), PANELS / ((nTokens + 3 >> 2) * panelBytes<L>()) & ~(atOnce<L>() - 1));
}
@inline function atOnce<L>(): usize { return isSuper<L>() ? 1 : BLOCKS; }
@inline function unitsOf<L>(cols: usize): usize { return cols >> (isSuper<L>() ? 8 : 5); }

/** Panels first .. last - 1 of x, whole, into `dst`: what `quants` reads in the place of x where it has no stride. */
export function wholePanels<L>(cols: usize, x: usize, xStride: usize, nTokens: usize, first: usize, last: usize, dst: usize): void {
  const count = unitsOf<L>(cols), span = spanOf<L>(nTokens), bytes = (nTokens + 3 >> 2) * panelBytes<L>(), t = first << 2;
  for (let from: usize = 0; from < count; from += span) {
    const to = min(from + span, count);
    packX<L>(x + t * xStride, xStride, min(last << 2, nTokens) - t, from, to, dst + from * bytes + first * (to - from) * panelBytes<L>());
  }
}

export function quants<L>(
  w0: usize, groups: usize, cols: usize, x: usize, xStride: usize, nTokens: usize, y: usize, yStride: usize, scratch: usize,
): void {
  const count = unitsOf<L>(cols), span = spanOf<L>(nTokens), g = scratch + READY, sums = g + SUMS;
  let panels = sums + (nTokens + 3 >> 2 << 7);
  for (let from: usize = 0; from < count; from += span) {
    const to = min(from + span, count), stride = (to - from) * panelBytes<L>();
    if (ASC_FEATURE_THREADS && !xStride) panels = x + from * (nTokens + 3 >> 2) * panelBytes<L>();
    else packX<L>(x, xStride, nTokens, from, to, panels);
    let w = w0 + from * unitBytes<L>();
    for (let at = y, end = y + (groups << 5); at < end; at += 32, w += groupBytes<L>(<i32>cols)) {
      if (from) load8(at, yStride, nTokens, sums);
      else memory.fill(sums, 0, nTokens + 3 >> 2 << 7);
      let p = w, q = panels;
      for (let u = from; u < to; u += atOnce<L>(), p += atOnce<L>() * unitBytes<L>(), q += atOnce<L>() * panelBytes<L>()) {
        const n = min(atOnce<L>(), to - u);
        unpack<L>(p, n, scratch);
        tilesOf<L>(scratch, q, stride, nTokens, n, sums, g);
      }
      store8(at, yStride, nTokens, sums, !isSuper<L>() && to == count);
    }
  }
}
