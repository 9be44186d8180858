/**
 * Groups of a layout into two planes (planes.ts) and back: `split` while weights stream in, `joinPlanes` for whoever wants the layout's own
 * kernels, which then see every bit as it was. Test: test/kernels/planes.test.ts.
 */
import { toHalf4 } from '../../base/half';
import { half4Exact } from '../../base/simd';
import { groupBytes } from '../../layouts/kinds';
import { Q6_K } from '../../layouts/q6_k';
import {
  EIGHT_HEAD, EIGHT_REST, EIGHT_UNIT, SIX_QUANTS, SIX_REST, SIX_RMS, SIX_UNIT, firstBytes, isEights, secondBytes, wholeBytes,
} from './planes';

@inline function signs(): v128 { return i16x8.splat(-0x8000); }
@inline function lows(): v128 { return i8x16.splat(15); }

/** Of each i32 lane, the sum of the squares of its four signed bytes. */
@inline function squares(v: v128): v128 {
  const odd = i16x8.shr_s(v, 8), even = i16x8.shr_s(i16x8.shl(v, 8), 8);
  return i32x4.add(i32x4.dot_i16x8_s(odd, odd), i32x4.dot_i16x8_s(even, even));
}

/** 4 rows x 4 columns: what is left of r in 0 .. s - 1 at its mean, doubled. */
@inline function left(r: v128, s: i32): v128 { return i8x16.sub(i8x16.add(r, r), i8x16.splat(<i8>(s - 1))); }

/** Whether all of 4 are finite. */
@inline function finite(v: v128): bool { return !v128.any_true(f32x4.ne(f32x4.sub(v, v), f32x4.splat(0))); }

function splitEights(src: usize, first: usize, second: usize, cols: i32): bool {
  const head = first, end = src + <usize>(cols >> 5) * 272;
  let r0 = f32x4.splat(0), r1 = r0, d0 = r0, d1 = r0;
  for (first += EIGHT_HEAD; src < end; src += 272, first += EIGHT_UNIT, second += EIGHT_REST) {
    let s0 = i32x4.splat(0), s1 = s0;
    for (let c: usize = 0; c < 128; c += 16) { // chunks of 8 columns, either set
      const p = src + ((c >> 5) << 6) + (c & 16);
      const near = v128.xor(v128.load(p), signs()), far = v128.xor(v128.load(p, 32), signs());
      const rNear = v128.and(near, lows()), rFar = v128.and(far, lows());
      v128.store(first + c, v128.or(i8x16.shr_u(near, 4), v128.xor(far, rFar)));
      v128.store(second + c, v128.or(rNear, i8x16.shl(rFar, 4)));
      const sum = i32x4.add(squares(left(rNear, 16)), squares(left(rFar, 16)));
      if (c & 16) s1 = i32x4.add(s1, sum); else s0 = i32x4.add(s0, sum);
    }
    v128.store(first + 128, v128.load(src + 256));
    const a = half4Exact(src + 256), b = half4Exact(src + 264), aa = f32x4.mul(a, a), bb = f32x4.mul(b, b);
    r0 = f32x4.add(r0, f32x4.mul(aa, f32x4.convert_i32x4_s(s0)));
    r1 = f32x4.add(r1, f32x4.mul(bb, f32x4.convert_i32x4_s(s1)));
    d0 = f32x4.add(d0, aa); d1 = f32x4.add(d1, bb);
  }
  const tiny = f32x4.splat(1e-37), part = f32x4.splat(1.0 / 128); // doubled quants, 32 columns; a row of zeros is exact
  const a = f32x4.sqrt(f32x4.mul(f32x4.div(r0, f32x4.max(d0, tiny)), part));
  const b = f32x4.sqrt(f32x4.mul(f32x4.div(r1, f32x4.max(d1, tiny)), part));
  v128.store(head, a);
  v128.store(head, b, 16);
  return finite(a) && finite(b);
}

function joinEights(first: usize, second: usize, cols: i32, dst: usize): void {
  const end = dst + <usize>(cols >> 5) * 272;
  for (first += EIGHT_HEAD; dst < end; dst += 272, first += EIGHT_UNIT, second += EIGHT_REST) {
    for (let c: usize = 0; c < 128; c += 16) {
      const n = v128.load(first + c), r = v128.load(second + c), p = dst + ((c >> 5) << 6) + (c & 16);
      const nNear = v128.and(n, lows()), rNear = v128.and(r, lows());
      v128.store(p, v128.xor(v128.or(i8x16.shl(nNear, 4), rNear), signs()));
      v128.store(p, v128.xor(v128.or(v128.xor(n, nNear), i8x16.shr_u(r, 4)), signs()), 32);
    }
    v128.store(dst + 256, v128.load(first + 128));
  }
}

/** Vector i of a set of half a block of Q6_K. */
@inline function six(p: usize, set: usize, i: usize): v128 {
  const t = v128.load(p + (set << 4)), u = v128.load(p + (set << 4), 32), v = v128.load(p + (set << 4), 64);
  return the6().vector(set, i, t, t, u, u, v, v, the6().mask, the6().mask, the6().mask);
}
@inline function the6(): Q6_K { return changetype<Q6_K>(0); }

function splitSixes(src: usize, first: usize, second: usize, cols: i32): bool {
  let sound = true;
  const three = i8x16.splat(3);
  for (const end = src + groupBytes<Q6_K>(cols); src < end; src += 1680, first += SIX_UNIT, second += SIX_REST) {
    memory.copy(first, src, 144);
    for (let set: usize = 0; set < 2; set++) {
      let sum = f32x4.splat(0);
      for (let h: usize = 0; h < 16; h++) {
        const p = src + 144 + h * 96, n = first + SIX_QUANTS + (h << 6) + (set << 4), r = second + (h << 5) + (set << 4);
        const a = six(p, set, 0), b = six(p, set, 1), c = six(p, set, 2), d = six(p, set, 3);
        const ra = v128.and(a, three), rb = v128.and(b, three), rc = v128.and(c, three), rd = v128.and(d, three);
        v128.store(n, v128.or(i8x16.shr_u(a, 2), i8x16.shl(i8x16.shr_u(b, 2), 4)));
        v128.store(n, v128.or(i8x16.shr_u(c, 2), i8x16.shl(i8x16.shr_u(d, 2), 4)), 32);
        v128.store(r, v128.or(v128.or(ra, i8x16.shl(rb, 2)), v128.or(i8x16.shl(rc, 4), i8x16.shl(rd, 6))));
        const near = i32x4.add(squares(left(ra, 4)), squares(left(rb, 4)));
        const all = f32x4.convert_i32x4_s(i32x4.add(near, i32x4.add(squares(left(rc, 4)), squares(left(rd, 4)))));
        const sc = v128.load8x8_s(src + (h << 3));
        const k = f32x4.convert_i32x4_s(set ? i32x4.extend_high_i16x8_s(sc) : i32x4.extend_low_i16x8_s(sc));
        sum = f32x4.add(sum, f32x4.mul(f32x4.mul(k, k), all));
      }
      const d = f32x4.abs(half4Exact(src + 128 + (set << 3)));
      const rms = f32x4.mul(d, f32x4.sqrt(f32x4.mul(sum, f32x4.splat(1.0 / 1024)))); // doubled quants, 256 columns
      sound = sound && finite(rms);
      const half = toHalf4(rms);
      v128.store64_lane(first + SIX_RMS + (set << 3), i16x8.shuffle(half, half, 0, 2, 4, 6, 0, 2, 4, 6), 0);
    }
  }
  return sound;
}

function joinSixes(first: usize, second: usize, cols: i32, dst: usize): void {
  const three = i8x16.splat(3), fifteen = i8x16.splat(60);
  for (const end = dst + groupBytes<Q6_K>(cols); dst < end; dst += 1680, first += SIX_UNIT, second += SIX_REST) {
    memory.copy(dst, first, 144);
    for (let at: usize = 0; at < 32; at++) { // halves of blocks, either set
      const set = at & 1, h = at >> 1, p = dst + 144 + h * 96 + (set << 4);
      const n = first + SIX_QUANTS + (h << 6) + (set << 4), r = v128.load(second + (h << 5) + (set << 4));
      const u = v128.load(n), v = v128.load(n, 32);
      const a = v128.or(v128.and(i16x8.shl(u, 2), fifteen), v128.and(r, three));
      const b = v128.or(v128.and(i16x8.shr_u(u, 2), fifteen), v128.and(i16x8.shr_u(r, 2), three));
      const c = v128.or(v128.and(i16x8.shl(v, 2), fifteen), v128.and(i16x8.shr_u(r, 4), three));
      const d = v128.or(v128.and(i16x8.shr_u(v, 2), fifteen), i8x16.shr_u(r, 6));
      // as Sixes.put, all lanes at once
      const rest = v128.xor(v128.xor(d, i16x8.shr_u(a, 2)), v128.xor(i16x8.shr_u(b, 4), i16x8.shr_u(c, 6)));
      v128.store(p, v128.or(a, i16x8.shl(v128.and(rest, i8x16.splat(0x30)), 2)));
      v128.store(p, v128.or(b, i16x8.shl(v128.and(rest, i8x16.splat(0x0c)), 4)), 32);
      v128.store(p, v128.or(c, i16x8.shl(v128.and(rest, i8x16.splat(0x03)), 6)), 64);
    }
  }
}

/**
 * `groups` groups of q8_0 or q6_k (by number) at `src` into the two planes, each where its first group goes. 0 where what is left of some
 * row has no finite norm.
 */
export function splitPlanes(layout: i32, src: usize, groups: i32, cols: i32, first: usize, second: usize): i32 {
  const whole = wholeBytes(layout, cols), one = firstBytes(layout, cols), two = secondBytes(layout, cols);
  let sound = true;
  for (let g = 0; g < groups; g++, src += whole, first += one, second += two) {
    sound = (isEights(layout) ? splitEights(src, first, second, cols) : splitSixes(src, first, second, cols)) && sound;
  }
  return sound ? 1 : 0;
}

/** Back: `groups` groups as `repack` made them. */
export function joinPlanes(layout: i32, first: usize, second: usize, groups: i32, cols: i32, dst: usize): void {
  const whole = wholeBytes(layout, cols), one = firstBytes(layout, cols), two = secondBytes(layout, cols);
  for (let g = 0; g < groups; g++, dst += whole, first += one, second += two) {
    if (isEights(layout)) joinEights(first, second, cols, dst);
    else joinSixes(first, second, cols, dst);
  }
}
