/**
 * y[rows] = W x for W in any interleaved layout. Lanes are rows; integer parts are exact (dots.ts), f32 parts add one term a block, in
 * block order.
 *   quants  x as the records that the layout wants (kernels/quantize)
 *   floats  x f32 (floats.ts)
 * The loop over a block's chunks stays a loop: written out, V8 loads all of x first, runs out of registers and is a fifth slower.
 * Preconditions: cols a multiple of the layout's unit; W has `groups` groups of 8 rows; y has room for all of them.
 * Error: quants: that of the activations' rounding; f32 rounding about (cols / 32) * 6e-8 relative to the sum of magnitudes; floats: cols *
 * 6e-8 of it.
 * Test: test/kernels/matvec.test.ts.
 */
import { mask00ff, nibbleMask, ones16, times32 } from '../../base/simd';
import { blockBytes, isFloat, isNibbles, isPacked, isSuper, the } from '../../layouts/kinds';
import { forLayout } from '../../layouts/table';
import { recordData, recordStride } from '../quantize/quantize';
import { addBytes, addChunk, sums32 } from './dots';
import { floats } from './floats';
import { packed } from './packed';
import { superMatvec } from './super';

function quants<L>(w: usize, groups: i32, cols: i32, x0: usize, y: usize): void {
  const mask = isNibbles<L>() ? nibbleMask() : mask00ff(), one = isNibbles<L>() ? ones16() : mask;
  const nBlocks = cols >> 5;
  for (const end = y + (<usize>groups << 5); y < end; y += 32) {
    let f0 = f32x4.splat(0), f1 = f0, g0 = f0, g1 = f0, h0 = f0, h1 = f0; // g and h: of the superblock under way
    let x = x0;
    for (let iBlock = 0; iBlock < nBlocks; iBlock++) {
      let a0: v128, a1: v128, p = w, q = x, tail: usize;
      if (isNibbles<L>()) {
        a0 = i32x4.splat(0); a1 = a0;
        for (const stop = w + 128; p < stop; p += 32) {
          const v = v128.load(p), u = v128.load(p, 16), xa = v128.load32_splat(q), xb = v128.load32_splat(q, 4);
          if (ASC_FEATURE_RELAXED_SIMD) {
            a0 = addChunk(a0, v, xa, xb, xa, xb, mask);
            a1 = addChunk(a1, u, xa, xb, xa, xb, mask);
            q += 8;
          } else {
            const xc = v128.load32_splat(q, 8), xd = v128.load32_splat(q, 12);
            a0 = addChunk(a0, v, xa, xb, xc, xd, mask);
            a1 = addChunk(a1, u, xa, xb, xc, xd, mask);
            q += 16;
          }
        }
        a0 = sums32(a0, one); a1 = sums32(a1, one);
        tail = x + recordData<L>();
      } else {
        tail = x + recordData<L>();
        a0 = v128.load32_splat(tail, 16); a1 = a0;
        for (const stop = w + 128; p < stop; p += 32, q += 8) {
          const v = v128.load(p), u = v128.load(p, 16), odd = v128.load32_splat(q), even = v128.load32_splat(q, 4);
          a0 = addBytes(a0, v, odd, even, mask);
          a1 = addBytes(a1, u, odd, even, mask);
        }
        const second = v128.load32_splat(tail, 20);
        a0 = i32x4.add(a0, second); a1 = i32x4.add(a1, second);
        for (const stop = w + 256; p < stop; p += 32, q += 8) {
          const v = v128.load(p), u = v128.load(p, 16), odd = v128.load32_splat(q), even = v128.load32_splat(q, 4);
          a0 = addBytes(a0, v, odd, even, mask);
          a1 = addBytes(a1, u, odd, even, mask);
        }
      }
      if (isSuper<L>()) {
        g0 = the<L>().add(w, 0, a0, tail, g0);
        g1 = the<L>().add(w, 1, a1, tail, g1);
        if (the<L>().mins) {
          h0 = the<L>().addMin(w, 0, tail, h0);
          h1 = the<L>().addMin(w, 1, tail, h1);
        }
      } else {
        f0 = the<L>().add(w, 0, a0, tail, f0);
        f1 = the<L>().add(w, 1, a1, tail, f1);
      }
      w += blockBytes<L>();
      x += recordStride<L>();
      if (isSuper<L>()) {
        if ((iBlock & 7) == 7) {
          f0 = the<L>().close(w, 0, g0, h0, f0);
          f1 = the<L>().close(w, 1, g1, h1, f1);
          g0 = f32x4.splat(0); g1 = g0; h0 = g0; h1 = g0;
          w += the<L>().factorBytes;
        }
      }
    }
    v128.store(y, isSuper<L>() ? f0 : times32(f0));
    v128.store(y, isSuper<L>() ? f1 : times32(f1), 16);
  }
}

@unmanaged class Matvec {
  @inline on<L>(w: usize, groups: usize, cols: usize, x: usize, y: usize, _f: usize, _g: usize, _h: usize, _i: usize): usize {
    if (isFloat<L>()) floats<L>(w, <i32>groups, <i32>cols, x, y);
    else if (isSuper<L>()) superMatvec<L>(w, <i32>groups, <i32>cols, x, y);
    else if (isPacked<L>()) packed<L>(w, <i32>groups, <i32>cols, x, y);
    else quants<L>(w, <i32>groups, <i32>cols, x, y);
    return 0;
  }
}

export function matvec(layout: i32, w: usize, groups: i32, cols: i32, x: usize, y: usize): void {
  forLayout<Matvec>(layout, w, groups, cols, x, y);
}
