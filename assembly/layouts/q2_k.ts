/**
 * q2_k: value = (d sc) q - dmin mn, q of 2 bits. Superblocks; scales: 8 u8 of each half of a block, sc in the low nibble and mn
 * in the high one; factors: 8 f16 d, 8 f16 dmin.
 * In the file (ggml-common.h, block_q2_K): those 16 bytes of scales, 64 bytes of bit pairs, d, dmin.
 */
import { halfAt } from '../base/half';
import { half4Exact, madd } from '../base/simd';
import { copyHalf } from './lanes';
import { Twos, storePacked } from './packed';

/** Sixteen 2-bit values of block b. */
@inline function twoBits(v: v128, b: usize): v128 { return v128.and(i8x16.shr_u(v, <i32>((b & 3) << 1)), i8x16.splat(3)); }

@unmanaged export class Q2_K extends Twos {
  @inline get layout(): i32 { return 17; }
  @inline get scaleBytes(): usize { return 128; }
  @inline get factorBytes(): usize { return 32; }
  @inline get middle(): i32 { return 0; }
  @inline get halves(): bool { return true; }
  @inline get mins(): bool { return true; }

  @inline scales(p: usize): v128 { return v128.and(v128.load8x8_u(p), i16x8.splat(15)); }
  @inline minima(scales: usize, i: usize, set: usize): v128 {
    const p = scales + (i << 4), first = i16x8.shr_u(v128.load8x8_u(p), 4), second = i16x8.shr_u(v128.load8x8_u(p, 8), 4);
    return set ? i16x8.shuffle(first, second, 4, 12, 5, 13, 6, 14, 7, 15) : i16x8.shuffle(first, second, 0, 8, 1, 9, 2, 10, 3, 11);
  }

  @inline factor4(factors: usize, set: usize): v128 { return half4Exact(factors + 8 * set); }

  @inline close(factors: usize, set: usize, sums: v128, mins: v128, s: v128, f: v128): v128 {
    const scaled = f32x4.mul(f32x4.convert_i32x4_s(sums), half4Exact(factors + 8 * set));
    return madd(f32x4.sub(scaled, f32x4.mul(f32x4.convert_i32x4_s(mins), half4Exact(factors + (16 + 8 * set)))), s, f);
  }

  @inline byteAt(block: usize, unit: usize, lane: i32, half: usize): u32 {
    return load<u8>(unit + ((block - unit - 160) / 64 << 4) + (half << 3) + <usize>lane);
  }

  @inline scale(block: usize, unit: usize, lane: i32, half: usize): f32 {
    return halfAt(unit + 128 + (<usize>lane << 1)) * <f32>(this.byteAt(block, unit, lane, half) & 15);
  }

  @inline shift(block: usize, unit: usize, lane: i32, half: usize): f32 {
    return -halfAt(unit + 144 + (<usize>lane << 1)) * <f32>(this.byteAt(block, unit, lane, half) >> 4);
  }

  @inline get dtype(): i32 { return 10; }
  @inline get fileBytes(): usize { return 84; }

  @inline unpack(src: usize, dst: usize, lane: i32): i32 {
    for (let b: usize = 0; b < 8; b++) {
      const quants = src + 16 + ((b >> 2) << 5), scales = dst + (b << 4) + <usize>lane;
      storePacked<Q2_K>(dst + 160 + (b << 6), lane, twoBits(v128.load(quants), b), twoBits(v128.load(quants, 16), b));
      store<u8>(scales, load<u8>(src + (b << 1)));
      store<u8>(scales, load<u8>(src + (b << 1), 1), 8);
    }
    dst += 128 + (<usize>lane << 1);
    return copyHalf(dst, src + 80) + copyHalf(dst + 16, src + 82);
  }
}
