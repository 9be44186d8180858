/**
 * q2_k: value = (d sc) q - dmin mn, q of 2 bits. Superblocks; scales of a block: 8 u8 of columns 0..15, 8 u8 of columns 16..31, sc in the
 * low nibble and mn in the high one; factors: 8 f16 d, 8 f16 dmin.
 * In the file (ggml-common.h, block_q2_K): those 16 bytes of scales, 64 bytes of bit pairs, d, dmin.
 */
import { halfAt } from '../base/half';
import { half4Exact, madd } from '../base/simd';
import { copyHalf } from './lanes';
import { Twos, packedUnit, storePacked } from './packed';

/** Sixteen 2-bit values of block b. */
@inline function twoBits(v: v128, b: usize): v128 { return v128.and(i8x16.shr_u(v, <i32>((b & 3) << 1)), i8x16.splat(3)); }

@unmanaged export class Q2_K extends Twos {
  @inline get layout(): i32 { return 17; }
  @inline get scaleBytes(): usize { return 16; }
  @inline get factorBytes(): usize { return 32; }
  @inline get middle(): i32 { return 0; }
  @inline get halves(): bool { return true; }
  @inline get mins(): bool { return true; }

  @inline scales(p: usize): v128 { return v128.and(v128.load8x8_u(p), i16x8.splat(15)); }
  @inline minima(p: usize): v128 { return i16x8.shr_u(v128.load8x8_u(p), 4); }

  @inline add(block: usize, set: usize, dot: v128, tail: usize, f: v128): v128 {
    return madd(f32x4.convert_i32x4_s(dot), v128.load32_splat(tail), f);
  }

  /** h: the minima's sums times -32. */
  @inline close(factors: usize, set: usize, g: v128, h: v128, f: v128): v128 {
    const d = half4Exact(factors + 8 * set, packedUnit()), dmin = half4Exact(factors + (16 + 8 * set), packedUnit() / 32);
    return f32x4.add(f32x4.add(f, f32x4.mul(g, d)), f32x4.mul(h, dmin));
  }

  @inline scale(block: usize, factors: usize, lane: i32, half: usize): f32 {
    return halfAt(factors + (<usize>lane << 1)) * <f32>(load<u8>(block + 64 + (half << 3) + <usize>lane) & 15);
  }

  @inline shift(block: usize, factors: usize, lane: i32, half: usize): f32 {
    return -halfAt(factors + 16 + (<usize>lane << 1)) * <f32>(load<u8>(block + 64 + (half << 3) + <usize>lane) >> 4);
  }

  @inline get dtype(): i32 { return 10; }
  @inline get fileBytes(): usize { return 84; }

  @inline unpack(src: usize, dst: usize, lane: i32): i32 {
    for (let b: usize = 0; b < 8; b++, dst += 80) {
      const quants = src + 16 + ((b >> 2) << 5), scales = dst + 64 + <usize>lane;
      storePacked<Q2_K>(dst, lane, twoBits(v128.load(quants), b), twoBits(v128.load(quants, 16), b));
      store<u8>(scales, load<u8>(src + (b << 1)));
      store<u8>(scales, load<u8>(src + (b << 1), 1), 8);
    }
    dst += <usize>lane << 1;
    return copyHalf(dst, src + 80) + copyHalf(dst + 16, src + 82);
  }
}
