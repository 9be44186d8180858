/**
 * super.ts for Packed quants on base: a 16-bit lane holds two (dots.ts, addPairs).
 * Micro-operations of half a block of Q6_K: 18 to unpack, 8 to part, 16 products, 16 additions, 8 for scales: 66 on the vector pipes
 * (Zen 4: 16.5 cycles, 22 measured), 23 loads, 3 branches and 12 of addresses and the loop.
 */
import { quantsIn, the, unitBytes } from '../../layouts/kinds';
import { EVEN_SUMS, STARTS, superData, superStride } from '../quantize/superblocks';
import { addPairs } from './dots';
import { endOfStreams, groupsEach } from './streams';
import { addFirst, addLast, close, part, wideStart } from './superSums';

export function superWide<L>(w: usize, groups: i32, cols: i32, x0: usize, y: usize, streams: i32): void {
  const a = the<L>().mask, c = the<L>().third, halfBytes = the<L>().quantBytes >> 1;
  const xEnd = x0 + <usize>(cols >> 8) * superStride(), scaleBytes: usize = the<L>().halves ? 128 : 64;
  const each = groupsEach(groups, streams), across = <usize>each << 5, far = <usize>each * <usize>(cols >> 8) * unitBytes<L>();
  for (let g = 0; g < each; g++, y += 32) {
    const end = endOfStreams(y, g, groups, each);
    for (let x = x0; x < xEnd; x += superStride(), w += unitBytes<L>()) for (let v = w, out = y; out < end; v += far, out += across) {
      const b = the<L>().table(v), tail = x + superData();
      let s0 = i32x4.splat(0), s1 = s0, p = v + quantsIn<L>(), q = x, starts = tail + (the<L>().bits == 8 ? EVEN_SUMS : STARTS);
      for (let s = v, last = v + scaleBytes; s < last; s += 8, starts += 4) {
        let a0 = the<L>().bits == 8 ? v128.load32_splat(starts) : wideStart<L>(starts), a1 = a0;
        for (const stop = p + the<L>().quantBytes; ;) { // once, where halves have scales
          do { // branches that are never taken keep V8 from loading everything first and running out of registers
            let v0 = part<L>(0, p, 0), v1 = part<L>(0, p, 1), v2 = part<L>(0, p, 2);
            let v3 = part<L>(0, p, 3), v4 = part<L>(0, p, 4), v5 = part<L>(0, p, 5);
            let even = v128.load32_splat(q), odd = v128.load32_splat(q, 4);
            a0 = addPairs(a0, the<L>().vector(0, 0, v0, v1, v2, v3, v4, v5, a, b, c), even, odd);
            even = v128.load32_splat(q, 8); odd = v128.load32_splat(q, 12);
            a0 = addPairs(a0, the<L>().vector(0, 1, v0, v1, v2, v3, v4, v5, a, b, c), even, odd);
            if (p == 0) break;
            q += 16;
            even = v128.load32_splat(q); odd = v128.load32_splat(q, 4);
            a0 = addPairs(a0, the<L>().vector(0, 2, v0, v1, v2, v3, v4, v5, a, b, c), even, odd);
            even = v128.load32_splat(q, 8); odd = v128.load32_splat(q, 12);
            a0 = addPairs(a0, the<L>().vector(0, 3, v0, v1, v2, v3, v4, v5, a, b, c), even, odd);
            if (w == 0) break;
            v0 = part<L>(1, p, 0); v1 = part<L>(1, p, 1); v2 = part<L>(1, p, 2);
            v3 = part<L>(1, p, 3); v4 = part<L>(1, p, 4); v5 = part<L>(1, p, 5);
            a1 = addPairs(a1, the<L>().vector(1, 3, v0, v1, v2, v3, v4, v5, a, b, c), even, odd);
            even = v128.load32_splat(q); odd = v128.load32_splat(q, 4);
            a1 = addPairs(a1, the<L>().vector(1, 2, v0, v1, v2, v3, v4, v5, a, b, c), even, odd);
            if (q == 0) break;
            q -= 16;
            even = v128.load32_splat(q); odd = v128.load32_splat(q, 4);
            a1 = addPairs(a1, the<L>().vector(1, 0, v0, v1, v2, v3, v4, v5, a, b, c), even, odd);
            even = v128.load32_splat(q, 8); odd = v128.load32_splat(q, 12);
            a1 = addPairs(a1, the<L>().vector(1, 1, v0, v1, v2, v3, v4, v5, a, b, c), even, odd);
          } while (false);
          p += halfBytes; q += 32;
          if (the<L>().halves || p >= stop) break;
        }
        const k = the<L>().scales(s);
        s0 = addFirst(s0, a0, k);
        s1 = addLast(s1, a1, k);
      }
      const first = x == x0;
      v128.store(out, close<L>(v, 0, s0, tail, first ? f32x4.splat(0) : v128.load(out)));
      v128.store(out, close<L>(v, 1, s1, tail, first ? f32x4.splat(0) : v128.load(out, 16)), 16);
    }
  }
}
