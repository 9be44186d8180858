/**
 * Products with planes of q8_0 (planes.ts), relaxed.
 *   firstEights  from the first plane alone: sum of d s (16 (n - 8) + 7.5) x, and its deviation, the square root of the sum over blocks of
 *                d^2 |x|^2 times the row's mean square of what is left
 *   bothEights   from both, the same bits as kernels/matvec/bytes.ts: a block's sums are integers, whichever way they are added up
 * Sums of nibbles, and the branches that are never taken: kernels/matvec/nibbles.ts.
 * Test: test/kernels/planes.test.ts.
 */
import { half4, madd, nibbleMask, ones16, times32 } from '../../base/simd';
import { dotNibbles } from '../matvec/dots';
import { EIGHT_HEAD, EIGHT_REST, EIGHT_UNIT } from './planes';
import { MEANS, NORMS } from './records';

/** Bytes of an X4 record, and of its data. */
const RECORD: usize = 64, DATA: usize = 32;

@inline function add(a: v128, sum: v128): v128 { return i16x8.add(a, sum); }

export function firstEights(w: usize, groups: i32, cols: i32, x0: usize, y: usize, dev: usize): void {
  if (!ASC_FEATURE_RELAXED_SIMD) return;
  const low = nibbleMask(), one = ones16(), xEnd = x0 + <usize>(cols >> 5) * RECORD;
  for (const end = y + (<usize>groups << 5); y < end; y += 32, dev += 32) {
    let f0 = f32x4.splat(0), f1 = f0, e0 = f0, e1 = f0;
    const head = w;
    w += EIGHT_HEAD;
    for (let x = x0; x < xEnd; x += RECORD, w += EIGHT_UNIT) {
      const tail = x + DATA;
      let a0: v128, a1: v128;
      do {
        let v = v128.load(w), u = v128.load(w, 16), xa = v128.load32_splat(x), xb = v128.load32_splat(x, 4);
        a0 = dotNibbles(v, xa, xb, low); a1 = dotNibbles(u, xa, xb, low);
        if (w == 0) break;
        v = v128.load(w, 32); u = v128.load(w, 48); xa = v128.load32_splat(x, 8); xb = v128.load32_splat(x, 12);
        a0 = add(a0, dotNibbles(v, xa, xb, low)); a1 = add(a1, dotNibbles(u, xa, xb, low));
        if (x == 0) break;
        v = v128.load(w, 64); u = v128.load(w, 80); xa = v128.load32_splat(x, 16); xb = v128.load32_splat(x, 20);
        a0 = add(a0, dotNibbles(v, xa, xb, low)); a1 = add(a1, dotNibbles(u, xa, xb, low));
        if (y == 0) break;
        v = v128.load(w, 96); u = v128.load(w, 112); xa = v128.load32_splat(x, 24); xb = v128.load32_splat(x, 28);
        a0 = add(a0, dotNibbles(v, xa, xb, low)); a1 = add(a1, dotNibbles(u, xa, xb, low));
      } while (false);
      const s = v128.load32_splat(tail, 4), means = v128.load32_splat(tail, MEANS), norm = v128.load32_splat(tail, NORMS);
      const d0 = half4(w + 128), d1 = half4(w + 136), n0 = f32x4.mul(d0, norm), n1 = f32x4.mul(d1, norm);
      f0 = madd(madd(f32x4.convert_i32x4_s(i32x4.dot_i16x8_s(a0, one)), s, means), d0, f0);
      f1 = madd(madd(f32x4.convert_i32x4_s(i32x4.dot_i16x8_s(a1, one)), s, means), d1, f1);
      e0 = madd(n0, n0, e0);
      e1 = madd(n1, n1, e1);
    }
    const sixteen = f32x4.splat(68719476736), back = f32x4.splat(4096); // 2^36, 2^12
    v128.store(y, f32x4.mul(f0, sixteen));
    v128.store(y, f32x4.mul(f1, sixteen), 16);
    v128.store(dev, f32x4.mul(f32x4.sqrt(e0), f32x4.mul(v128.load(head), back)));
    v128.store(dev, f32x4.mul(f32x4.sqrt(e1), f32x4.mul(v128.load(head, 16), back)), 16);
  }
}

/** A block's sums of 4 rows: quants are 16 (n - 8) + r. */
@inline function whole(a: v128, b: v128, one: v128): v128 {
  return i32x4.add(i32x4.dot_i16x8_s(a, i16x8.splat(16)), i32x4.dot_i16x8_s(b, one));
}

export function bothEights(w: usize, rest: usize, groups: i32, cols: i32, x0: usize, y: usize): void {
  if (!ASC_FEATURE_RELAXED_SIMD) return;
  const low = nibbleMask(), one = ones16(), xEnd = x0 + <usize>(cols >> 5) * RECORD;
  for (const end = y + (<usize>groups << 5); y < end; y += 32) {
    let f0 = f32x4.splat(0), f1 = f0;
    w += EIGHT_HEAD;
    for (let x = x0; x < xEnd; x += RECORD, w += EIGHT_UNIT, rest += EIGHT_REST) {
      const tail = x + DATA;
      let a0 = v128.load32_splat(tail, 20), a1 = a0, b0 = i32x4.splat(0), b1 = b0;
      for (let p = w, r = rest, q = x; q < tail; p += 32, r += 32, q += 8) {
        const xa = v128.load32_splat(q), xb = v128.load32_splat(q, 4);
        a0 = add(a0, dotNibbles(v128.load(p), xa, xb, low)); a1 = add(a1, dotNibbles(v128.load(p, 16), xa, xb, low));
        b0 = add(b0, dotNibbles(v128.load(r), xa, xb, low)); b1 = add(b1, dotNibbles(v128.load(r, 16), xa, xb, low));
      }
      const s = v128.load32_splat(tail, 4);
      f0 = madd(f32x4.convert_i32x4_s(whole(a0, b0, one)), f32x4.mul(s, half4(w + 128)), f0);
      f1 = madd(f32x4.convert_i32x4_s(whole(a1, b1, one)), f32x4.mul(s, half4(w + 136)), f1);
    }
    v128.store(y, times32(f0));
    v128.store(y, times32(f1), 16);
  }
}
