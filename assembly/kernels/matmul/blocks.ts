/**
 * kernels/matmul for quantised layouts: x is made ready (panel.ts) for as many columns as the scratch holds; then, group by group of 8
 * rows, 256 columns of weights are made ready (unpack.ts) and meet all tokens, 4 at a time (tile.ts). What is made ready of the weights
 * stays in the first cache, x in the second. Sums lie in `sums`, 32 B a token, and between spans of columns in y.
 */
import { times32 } from '../../base/simd';
import { blockBytes, groupBytes, the } from '../../layouts/kinds';
import { packX, panelBytes } from './panel';
import { Four, Lifted, Narrow, NarrowMin, One, Three, Two, Wide, WideMin, tile } from './tile';
import { isLifted, isNarrow, readyBytes, unpack } from './unpack';

/** Bytes of x made ready; more where 256 columns of all tokens are more. */
export const PANELS: usize = 384 * 1024;
/** Blocks of weights made ready at a time, and room for them. */
const BLOCKS: usize = 8, READY: usize = BLOCKS * (512 + 64);

@inline function tiles<U>(w: usize, x: usize, xStride: usize, nTokens: usize, nBlocks: usize, f: usize): void {
  for (; nTokens > 3; nTokens -= 4, x += xStride, f += 128) tile<U, Four>(w, x, nBlocks, f);
  if (nTokens == 3) tile<U, Three>(w, x, nBlocks, f);
  else if (nTokens == 2) tile<U, Two>(w, x, nBlocks, f);
  else if (nTokens == 1) tile<U, One>(w, x, nBlocks, f);
}

@inline function tilesOf<L>(w: usize, x: usize, xStride: usize, nTokens: usize, nBlocks: usize, f: usize): void {
  if (isLifted<L>()) tiles<Lifted>(w, x, xStride, nTokens, nBlocks, f);
  else if (isNarrow<L>()) {
    if (the<L>().mins) tiles<NarrowMin>(w, x, xStride, nTokens, nBlocks, f);
    else tiles<Narrow>(w, x, xStride, nTokens, nBlocks, f);
  } else if (the<L>().mins) tiles<WideMin>(w, x, xStride, nTokens, nBlocks, f);
  else tiles<Wide>(w, x, xStride, nTokens, nBlocks, f);
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

export function blocks<L>(
  w0: usize, groups: usize, cols: usize, x: usize, xStride: usize, nTokens: usize, y: usize, yStride: usize, scratch: usize,
): void {
  const nBlocks = cols >> 5, nPanels = (nTokens + 3) >> 2, perBlock = panelBytes(isNarrow<L>());
  const span = max(BLOCKS, PANELS / (nPanels * perBlock) & ~(BLOCKS - 1));
  const sums = scratch + READY, panels = sums + (nPanels << 7);
  for (let from: usize = 0; from < nBlocks; from += span) {
    const to = min(from + span, nBlocks), stride = (to - from) * perBlock;
    packX<L>(x, xStride, nTokens, from, to, panels);
    let w = w0 + from * blockBytes<L>();
    for (let at = y, end = y + (groups << 5); at < end; at += 32, w += groupBytes<L>(<i32>cols)) {
      if (from) load8(at, yStride, nTokens, sums);
      else memory.fill(sums, 0, nTokens << 5);
      let p = w, q = panels;
      for (let b = from; b < to; b += BLOCKS, p += BLOCKS * blockBytes<L>(), q += BLOCKS * perBlock) {
        const n = min(BLOCKS, to - b);
        unpack<L>(p, n, scratch);
        tilesOf<L>(scratch, q, stride, nTokens, n, sums);
      }
      store8(at, yStride, nTokens, sums, to == nBlocks);
    }
  }
}
