/**
 * q5_k: value = (d sc) q - dmin mn, q of 5 bits. Superblocks; scales of a block: 8 u8 sc, 8 u8 mn; factors: 8 f16 d, 8 f16 dmin.
 * In the file (ggml-common.h, block_q5_K): d, dmin, 12 bytes of 6-bit sc and mn (sixbits.ts), 32 bytes whose bit b belongs to block b,
 * nibbles as in q4_k. The 6-bit numbers become bytes, nothing is multiplied out.
 */
import { halfAt } from '../base/half';
import { bytes4u, half4Exact, madd } from '../base/simd';
import { copyHalf } from './lanes';
import { Fives, storePacked } from './packed';
import { minOf, nibblesOf, scaleOf } from './sixbits';

/** Bit b of each byte, as 16. */
@inline function bitOf(v: v128, b: usize): v128 {
  return i8x16.shl(v128.and(i8x16.shr_u(v, <i32>b), i8x16.splat(1)), 4);
}

@unmanaged export class Q5_K extends Fives {
  @inline get layout(): i32 { return 10; }
  @inline get scaleBytes(): usize { return 16; }
  @inline get factorBytes(): usize { return 32; }
  @inline get middle(): i32 { return 0; }
  @inline get halves(): bool { return false; }
  @inline get mins(): bool { return true; }

  @inline add(block: usize, set: usize, dot: v128, tail: usize, f: v128): v128 {
    return madd(f32x4.convert_i32x4_s(dot), f32x4.mul(v128.load32_splat(tail), bytes4u(block + (160 + 4 * set))), f);
  }

  @inline addMin(block: usize, set: usize, tail: usize, h: v128): v128 {
    return madd(v128.load32_splat(tail, 8), bytes4u(block + (168 + 4 * set)), h);
  }

  @inline close(factors: usize, set: usize, g: v128, h: v128, f: v128): v128 {
    const d = half4Exact(factors + 8 * set), dmin = half4Exact(factors + (16 + 8 * set));
    return f32x4.sub(f32x4.add(f, f32x4.mul(g, d)), f32x4.mul(h, dmin));
  }

  @inline scale(block: usize, factors: usize, lane: i32, half: usize): f32 {
    return halfAt(factors + (<usize>lane << 1)) * <f32>load<u8>(block + 160 + <usize>lane);
  }

  @inline shift(block: usize, factors: usize, lane: i32, half: usize): f32 {
    return -halfAt(factors + 16 + (<usize>lane << 1)) * <f32>load<u8>(block + 168 + <usize>lane);
  }

  @inline get dtype(): i32 { return 13; }
  @inline get fileBytes(): usize { return 176; }

  @inline unpack(src: usize, dst: usize, lane: i32): i32 {
    const bits = v128.load(src, 16), more = v128.load(src, 32);
    for (let b: usize = 0; b < 8; b++, dst += 176) {
      const quants = src + 48 + ((b >> 1) << 5), scales = dst + 160 + <usize>lane;
      const first = v128.or(nibblesOf(v128.load(quants), b), bitOf(bits, b));
      const second = v128.or(nibblesOf(v128.load(quants, 16), b), bitOf(more, b));
      storePacked<Q5_K>(dst, lane, first, second);
      store<u8>(scales, scaleOf(src + 4, b));
      store<u8>(scales + 8, minOf(src + 4, b));
    }
    dst += <usize>lane << 1;
    return copyHalf(dst, src) + copyHalf(dst + 16, src + 2);
  }
}
