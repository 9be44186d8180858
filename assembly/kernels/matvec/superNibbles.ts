/**
 * super.ts for 4 bits.
 */
import { mask00ff, nibbleMask } from '../../base/simd';
import { quantsIn, the, unitBytes } from '../../layouts/kinds';
import { superData, superStride } from '../quantize/superblocks';
import { addBytes, dotNibbles } from './dots';
import { addFirst, addLast, close, firstTwice, lastTwice } from './superSums';

export function superNibbles<L>(w: usize, groups: i32, cols: i32, x0: usize, y: usize): void {
  const low = nibbleMask(), xEnd = x0 + <usize>(cols >> 8) * superStride();
  for (const end = y + (<usize>groups << 5); y < end; y += 32) {
    let f0 = f32x4.splat(0), f1 = f0;
    for (let x = x0; x < xEnd; x += superStride(), w += unitBytes<L>()) {
      let s0 = i32x4.splat(0), s1 = s0, p = w + quantsIn<L>(), q = x;
      for (let s = w, last = s + 64; s < last; s += 8) {
        let a0 = i32x4.splat(0), a1 = a0;
        if (ASC_FEATURE_RELAXED_SIMD) {
          do {
            let xa = v128.load32_splat(q), xb = v128.load32_splat(q, 4);
            a0 = dotNibbles(v128.load(p), xa, xb, low);
            a1 = dotNibbles(v128.load(p, 16), xa, xb, low);
            xa = v128.load32_splat(q, 8); xb = v128.load32_splat(q, 12);
            a0 = i16x8.add(a0, dotNibbles(v128.load(p, 32), xa, xb, low));
            a1 = i16x8.add(a1, dotNibbles(v128.load(p, 48), xa, xb, low));
            q += 16;
            if (p == 0) break;
            xa = v128.load32_splat(q); xb = v128.load32_splat(q, 4);
            a0 = i16x8.add(a0, dotNibbles(v128.load(p, 64), xa, xb, low));
            a1 = i16x8.add(a1, dotNibbles(v128.load(p, 80), xa, xb, low));
            xa = v128.load32_splat(q, 8); xb = v128.load32_splat(q, 12);
            a0 = i16x8.add(a0, dotNibbles(v128.load(p, 96), xa, xb, low));
            a1 = i16x8.add(a1, dotNibbles(v128.load(p, 112), xa, xb, low));
          } while (false);
          p += 128; q += 16;
          const k = the<L>().scales(s);
          s0 = i32x4.add(s0, i32x4.dot_i16x8_s(a0, firstTwice(k)));
          s1 = i32x4.add(s1, i32x4.dot_i16x8_s(a1, lastTwice(k)));
        } else {
          const mask = mask00ff();
          for (const stop = p + 128; p < stop; p += 32, q += 16) {
            const v = v128.load(p), u = v128.load(p, 16), xa = v128.load32_splat(q), xb = v128.load32_splat(q, 4);
            const xc = v128.load32_splat(q, 8), xd = v128.load32_splat(q, 12);
            a0 = addBytes(addBytes(a0, v128.and(v, low), xa, xb, mask), v128.and(i16x8.shr_u(v, 4), low), xc, xd, mask);
            a1 = addBytes(addBytes(a1, v128.and(u, low), xa, xb, mask), v128.and(i16x8.shr_u(u, 4), low), xc, xd, mask);
          }
          const k = the<L>().scales(s);
          s0 = addFirst(s0, a0, k);
          s1 = addLast(s1, a1, k);
        }
      }
      f0 = close<L>(w, 0, s0, x + superData(), f0);
      f1 = close<L>(w, 1, s1, x + superData(), f1);
    }
    v128.store(y, f0);
    v128.store(y, f1, 16);
  }
}
