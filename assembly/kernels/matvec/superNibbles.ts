/**
 * super.ts for 4 bits. base: of 16 bits, four weights, three operations make what four products need (dots.ts, addNibbles); sums are 16
 * times too large until the superblock's end.
 * Micro-operations a block of base (8 rows x 32 columns, 2 cache lines and a quarter): 8 loads of weights, 17 of x, 3 of their addresses,
 * 24 to part, 32 products, 32 additions, 3 branches, 8 for scales and 7 of the loop: 134, of them 96 on the four vector pipes (Zen 4: 24
 * cycles where products, which have two of the pipes, meet no addition there; measured 32, with the superblock's end).
 */
import { mask000f, nibbleMask } from '../../base/simd';
import { quantsIn, the, unitBytes } from '../../layouts/kinds';
import { NIBBLES, superData, superStride } from '../quantize/superblocks';
import { addNibbles, dotNibbles } from './dots';
import { endOfStreams, groupsEach } from './streams';
import { addFirst, addLast, close, firstTwice, lastTwice } from './superSums';

export function superNibbles<L>(w: usize, groups: i32, cols: i32, x0: usize, y: usize, streams: i32): void {
  const low = ASC_FEATURE_RELAXED_SIMD ? nibbleMask() : mask000f(), xEnd = x0 + <usize>(cols >> 8) * superStride();
  const each = groupsEach(groups, streams), across = <usize>each << 5, far = <usize>each * <usize>(cols >> 8) * unitBytes<L>();
  for (let g = 0; g < each; g++, y += 32) {
    const end = endOfStreams(y, g, groups, each);
    for (let x = x0; x < xEnd; x += superStride(), w += unitBytes<L>()) for (let v = w, out = y; out < end; v += far, out += across) {
      let s0 = i32x4.splat(0), s1 = s0, p = v + quantsIn<L>(), q = ASC_FEATURE_RELAXED_SIMD ? x : x + superData() + NIBBLES;
      for (let s = v, last = s + 64; s < last; s += 8) {
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
          a0 = v128.load32_splat(q); a1 = a0;
          do {
            let xa = v128.load32_splat(q, 4), xb = v128.load32_splat(q, 8), xc = v128.load32_splat(q, 12), xd = v128.load32_splat(q, 16);
            a0 = addNibbles(a0, v128.load(p), xa, xb, xc, xd, low); a1 = addNibbles(a1, v128.load(p, 16), xa, xb, xc, xd, low);
            if (p == 0) break;
            q += 16;
            xa = v128.load32_splat(q, 4); xb = v128.load32_splat(q, 8); xc = v128.load32_splat(q, 12); xd = v128.load32_splat(q, 16);
            a0 = addNibbles(a0, v128.load(p, 32), xa, xb, xc, xd, low); a1 = addNibbles(a1, v128.load(p, 48), xa, xb, xc, xd, low);
            if (w == 0) break;
            q += 16;
            xa = v128.load32_splat(q, 4); xb = v128.load32_splat(q, 8); xc = v128.load32_splat(q, 12); xd = v128.load32_splat(q, 16);
            a0 = addNibbles(a0, v128.load(p, 64), xa, xb, xc, xd, low); a1 = addNibbles(a1, v128.load(p, 80), xa, xb, xc, xd, low);
            if (x == 0) break;
            q += 16;
            xa = v128.load32_splat(q, 4); xb = v128.load32_splat(q, 8); xc = v128.load32_splat(q, 12); xd = v128.load32_splat(q, 16);
            a0 = addNibbles(a0, v128.load(p, 96), xa, xb, xc, xd, low); a1 = addNibbles(a1, v128.load(p, 112), xa, xb, xc, xd, low);
          } while (false);
          p += 128; q += 20;
          const k = the<L>().scales(s);
          s0 = addFirst(s0, a0, k);
          s1 = addLast(s1, a1, k);
        }
      }
      if (!ASC_FEATURE_RELAXED_SIMD) { s0 = i32x4.shr_s(s0, 4); s1 = i32x4.shr_s(s1, 4); }
      const first = x == x0;
      v128.store(out, close<L>(v, 0, s0, x + superData(), first ? f32x4.splat(0) : v128.load(out)));
      v128.store(out, close<L>(v, 1, s1, x + superData(), first ? f32x4.splat(0) : v128.load(out, 16)), 16);
    }
  }
}
