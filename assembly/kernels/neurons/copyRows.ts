/**
 * Rows of an interleaved matrix (any layout) into another of as many columns, one by one or as a list says (copies.ts).
 * Test: test/kernels/compact.test.ts.
 */
import { blockBytes, groupBytes, isFloat, isHalf, isPacked, isSuper, quantsIn, the, unitBytes, valueAt } from '../../layouts/kinds';
import { laneOffset } from '../../layouts/lanes';
import { forLayout } from '../../layouts/table';
import { scaleCols } from './source';

/** The f16 of row `from` in each of the arrays [8 rows] of `bytes` bytes at p → row `to` of those at q. */
@inline function copyHalves(bytes: usize, p: usize, from: i32, q: usize, to: i32): void {
  for (let a: usize = 0; a < bytes; a += 16) store<u16>(q + a + (<usize>to << 1), load<u16>(p + a + (<usize>from << 1)));
}

/** Lane `from` of a block at p → lane `to` at q: quants, and scales where they are the block's. */
function copyBlock<L>(p: usize, from: i32, q: usize, to: i32): void {
  const scales = the<L>().quantBytes;
  if (isPacked<L>()) {
    for (let c: usize = 0; c < scales; c += scales >> 1) {
      const s = p + c, first = the<L>().word(s, from, 0), second = the<L>().word(s, from, 1);
      the<L>().put(q + c, to, first, second, the<L>().word(s, from, 2), the<L>().word(s, from, 3));
    }
  } else {
    const source = p + laneOffset(from), target = q + laneOffset(to);
    for (let c: usize = 0; c < scales; c += 32) store<u32>(target + c, load<u32>(source + c));
  }
  if (isSuper<L>()) return;
  if (the<L>().scaleBytes == 8) {
    for (let a = scales; a < blockBytes<L>(); a += 8) store<u8>(q + a + to, load<u8>(p + a + from));
  } else copyHalves(the<L>().scaleBytes, p + scales, from, q + scales, to);
}

/** The same of a superblock's scales, minima and factors, which lie at p and q. */
function copyScales<L>(p: usize, from: i32, q: usize, to: i32): void {
  const bytes = <usize>(scaleCols<L>() < 32 ? 128 : 64), factors = the<L>().scaleBytes;
  for (let a: usize = 0; a < bytes; a += 8) store<u8>(q + a + to, load<u8>(p + a + from));
  copyHalves(factors - bytes, p + bytes, from, q + bytes, to);
  copyHalves(min(the<L>().factorBytes, <usize>32), p + factors, from, q + factors, to);
  if (the<L>().factorBytes > 32) v128.store(q + factors, v128.load(p + factors, 32), 32); // a table for all rows
}

function copyRowIn<L>(p: usize, from: i32, q: usize, to: i32, cols: i32): void {
  const end = p + groupBytes<L>(cols);
  if (isFloat<L>()) {
    for (let col: usize = 0; col < <usize>cols; col++) {
      const a = q + valueAt<L>(<usize>to, col, <usize>cols), b = p + valueAt<L>(<usize>from, col, <usize>cols);
      if (isHalf<L>()) store<u16>(a, load<u16>(b));
      else store<u32>(a, load<u32>(b));
    }
    return;
  }
  for (; p < end; p += unitBytes<L>(), q += unitBytes<L>()) {
    if (isSuper<L>()) {
      copyScales<L>(p, from, q, to);
      for (let b = quantsIn<L>(); b < unitBytes<L>(); b += blockBytes<L>()) copyBlock<L>(p + b, from, q + b, to);
    } else {
      copyBlock<L>(p, from, q, to);
    }
  }
}

@unmanaged class CopyRow {
  @inline on<L>(p: usize, from: usize, q: usize, to: usize, cols: usize, _f: usize, _g: usize, _h: usize, _i: usize): usize {
    copyRowIn<L>(p, <i32>from, q, <i32>to, <i32>cols);
    return 0;
  }
}

/** Row `from` (0..7) of the group of 8 rows at p → row `to` of the group at q. */
export function copyRow(layout: i32, p: usize, from: i32, q: usize, to: i32, cols: i32): void {
  forLayout<CopyRow>(layout, p, from, q, to, cols);
}

@unmanaged class CompactRows {
  @inline on<L>(w: usize, cols: usize, list: usize, n: usize, dst: usize, _f: usize, _g: usize, _h: usize, _i: usize): usize {
    const group = groupBytes<L>(<i32>cols);
    if (n & 7) memory.fill(dst + (n >> 3) * group, 0, group);
    for (let k: usize = 0; k < n; k++, list += 2) {
      const row = <usize>load<u16>(list);
      copyRowIn<L>(w + (row >> 3) * group, <i32>row & 7, dst + (k >> 3) * group, <i32>k & 7, <i32>cols);
    }
    return 0;
  }
}

/** The listed rows of an interleaved matrix [any rows, cols] as one of n rows at `dst` [layoutBytes(layout, n, cols)]. */
export function compactRows(layout: i32, w: usize, cols: i32, list: usize, n: i32, dst: usize): void {
  forLayout<CompactRows>(layout, w, cols, list, n, dst);
}
