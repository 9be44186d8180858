/**
 * super.ts for Packed quants on relaxed.
 */
import { quantsIn, the, unitBytes } from '../../layouts/kinds';
import { STARTS, superData, superStride } from '../quantize/superblocks';
import { endOfStreams, groupsEach } from './streams';
import { close, firstTwice, lastTwice, narrowStart, part } from './superSums';

@inline function dot(x: v128, v: v128): v128 { return i16x8.relaxed_dot_i8x16_i7x16_s(x, v); }

/** Up to 6 bits: start + the sums of half a block, of 4 rows in pairs of columns; xa..xd x's columns. */
@inline function halfOf<L>(set: usize, p: usize, start: v128, xa: v128, xb: v128, xc: v128, xd: v128, a: v128, b: v128, c: v128): v128 {
  const v0 = part<L>(set, p, 0), v1 = part<L>(set, p, 1), v2 = part<L>(set, p, 2);
  const v3 = part<L>(set, p, 3), v4 = part<L>(set, p, 4), v5 = part<L>(set, p, 5);
  const first = dot(xa, the<L>().vector(set, 0, v0, v1, v2, v3, v4, v5, a, b, c));
  const second = dot(xb, the<L>().vector(set, 1, v0, v1, v2, v3, v4, v5, a, b, c));
  const third = dot(xc, the<L>().vector(set, 2, v0, v1, v2, v3, v4, v5, a, b, c));
  const near = i16x8.add(the<L>().middle ? i16x8.add(first, start) : first, second);
  return i16x8.add(near, i16x8.add(third, dot(xd, the<L>().vector(set, 3, v0, v1, v2, v3, v4, v5, a, b, c))));
}

/** 7 and 8 bits: the sums of one vector, of which no second one fits into i16. */
@inline function pairs<L>(v: v128, x: v128): v128 {
  if (the<L>().bits == 7) return dot(x, v);
  const near = i8x16.max_s(x, i32x4.splat(0));
  return i16x8.sub(dot(v, near), dot(v, i8x16.sub(near, x)));
}

/** 7 and 8 bits: sums + those of half a block times its scales k. */
@inline function addHalf<L>(set: usize, p: usize, sums: v128, xa: v128, xb: v128, xc: v128, xd: v128, k: v128, a: v128, b: v128): v128 {
  const v0 = part<L>(set, p, 0), v1 = part<L>(set, p, 1), v2 = part<L>(set, p, 2), v3 = part<L>(set, p, 3), none = v0;
  const first = i32x4.dot_i16x8_s(pairs<L>(the<L>().vector(set, 0, v0, v1, v2, v3, none, none, a, b, a), xa), k);
  const second = i32x4.dot_i16x8_s(pairs<L>(the<L>().vector(set, 1, v0, v1, v2, v3, none, none, a, b, a), xb), k);
  const third = i32x4.dot_i16x8_s(pairs<L>(the<L>().vector(set, 2, v0, v1, v2, v3, none, none, a, b, a), xc), k);
  const fourth = i32x4.dot_i16x8_s(pairs<L>(the<L>().vector(set, 3, v0, v1, v2, v3, none, none, a, b, a), xd), k);
  return i32x4.add(sums, i32x4.add(i32x4.add(first, second), i32x4.add(third, fourth)));
}

export function superNarrow<L>(w: usize, groups: i32, cols: i32, x0: usize, y: usize, streams: i32): void {
  const a = the<L>().mask, c = the<L>().third, halfBytes = the<L>().quantBytes >> 1, short = the<L>().bits < 7;
  const xEnd = x0 + <usize>(cols >> 8) * superStride(), scaleBytes: usize = the<L>().halves ? 128 : 64;
  const each = groupsEach(groups, streams), across = <usize>each << 5, far = <usize>each * <usize>(cols >> 8) * unitBytes<L>();
  for (let g = 0; g < each; g++, y += 32) {
    const end = endOfStreams(y, g, groups, each);
    for (let x = x0; x < xEnd; x += superStride(), w += unitBytes<L>()) for (let v = w, out = y; out < end; v += far, out += across) {
      const b = the<L>().table(v), tail = x + superData();
      let s0 = i32x4.splat(0), s1 = s0, p = v + quantsIn<L>(), q = x, starts = tail + STARTS;
      for (let s = v, last = v + scaleBytes; s < last; s += 8) {
        let k0 = i32x4.splat(0), k1 = k0;
        if (!short || !the<L>().halves) { const k = the<L>().scales(s); k0 = firstTwice(k); k1 = lastTwice(k); }
        for (const stop = p + the<L>().quantBytes; ;) { // once, where halves have scales
          const xa = v128.load32_splat(q), xb = v128.load32_splat(q, 4), xc = v128.load32_splat(q, 8), xd = v128.load32_splat(q, 12);
          if (short) {
            let a0 = i32x4.splat(0), a1 = a0;
            do { // branches that are never taken keep V8 from loading both sets first and running out of registers
              a0 = halfOf<L>(0, p, narrowStart<L>(starts), xa, xb, xc, xd, a, b, c);
              a1 = a0;
              if (p == 0) break;
              a1 = halfOf<L>(1, p, narrowStart<L>(starts), xa, xb, xc, xd, a, b, c);
            } while (false);
            if (the<L>().halves) { const k = the<L>().scales(s); k0 = firstTwice(k); k1 = lastTwice(k); }
            s0 = i32x4.add(s0, i32x4.dot_i16x8_s(a0, k0));
            s1 = i32x4.add(s1, i32x4.dot_i16x8_s(a1, k1));
          } else {
            do {
              s0 = addHalf<L>(0, p, s0, xa, xb, xc, xd, k0, a, b);
              if (p == 0) break;
              s1 = addHalf<L>(1, p, s1, xa, xb, xc, xd, k1, a, b);
            } while (false);
          }
          p += halfBytes; q += 16;
          if (the<L>().middle) starts += 4;
          if (the<L>().halves || p >= stop) break;
        }
      }
      const first = x == x0;
      v128.store(out, close<L>(v, 0, s0, tail, first ? f32x4.splat(0) : v128.load(out)));
      v128.store(out, close<L>(v, 1, s1, tail, first ? f32x4.splat(0) : v128.load(out, 16)), 16);
    }
  }
}
