/**
 * kernels/matvec for Bytes whose blocks stand alone. Of a cache line (8 rows x 8 columns): 4 loads of weights, 4 of x, 4 masks, 8 products,
 * 8 additions; faster than memory. The loop over a block's chunks stays a loop: written out, V8 loads all of x first, runs out of registers
 * and is a fifth slower.
 * Test: test/kernels/matvec.test.ts.
 */
import { mask00ff } from '../../base/simd';
import { blockBytes, the } from '../../layouts/kinds';
import { recordData, recordStride } from '../quantize/quantize';
import { addBytes } from './dots';

/** As `nibbles`. */
@inline export function bytes<L>(w: usize, x0: usize, xEnd: usize, y: usize, first: bool): void {
  const mask = mask00ff();
  let f0 = f32x4.splat(0), f1 = f0;
  if (!first) { f0 = v128.load(y); f1 = v128.load(y, 16); }
  for (let x = x0; x < xEnd; x += recordStride<L>(), w += blockBytes<L>()) {
    const tail = x + recordData<L>();
    let a0 = i32x4.add(v128.load32_splat(tail, 16), v128.load32_splat(tail, 20)), a1 = a0;
    for (let p = w, q = x; q < tail; p += 32, q += 8) {
      const v = v128.load(p), u = v128.load(p, 16), odd = v128.load32_splat(q), even = v128.load32_splat(q, 4);
      a0 = addBytes(a0, v, odd, even, mask);
      a1 = addBytes(a1, u, odd, even, mask);
    }
    f0 = the<L>().add(w, 0, a0, tail, f0);
    f1 = the<L>().add(w, 1, a1, tail, f1);
  }
  v128.store(y, f0);
  v128.store(y, f1, 16);
}
