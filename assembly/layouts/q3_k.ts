/**
 * q3_k: value = (d sc) (q - 4), q of 3 bits. Superblocks; scales: 8 i8 sc of each half of a block;
 * factors: 8 f16 d.
 * In the file (ggml-common.h, block_q3_K): 32 bytes whose bit b is the third of block b's quants, 64 of low bit pairs, 12 of 6-bit sc + 32
 * (one each 16 columns), d.
 */
import { halfAt } from '../base/half';
import { half4Exact, madd } from '../base/simd';
import { copyHalf } from './lanes';
import { Threes, storePacked } from './packed';

/** Scale i (0..15) of the 12 bytes: low nibbles of 8, high ones of 8, and pairs of bits (ggml-quants.c, dequantize_row_q3_K). */
@inline function scaleOf(packed: usize, i: usize): u8 {
  const low = <u32>load<u8>(packed + (i & 7)) >> (i & 8 ? 4 : 0) & 15;
  return <u8>((low | (<u32>load<u8>(packed + 8 + (i & 3)) >> <u32>(i >> 2 << 1) & 3) << 4) - 32);
}

/** Sixteen 3-bit values of block b. */
@inline function threeBits(low: v128, high: v128, b: usize): v128 {
  const pair = v128.and(i8x16.shr_u(low, <i32>((b & 3) << 1)), i8x16.splat(3));
  return v128.or(pair, i8x16.shl(v128.and(i8x16.shr_u(high, <i32>b), i8x16.splat(1)), 2));
}

@unmanaged export class Q3_K extends Threes {
  @inline get layout(): i32 { return 16; }
  @inline get scaleBytes(): usize { return 128; }
  @inline get factorBytes(): usize { return 16; }
  @inline get middle(): i32 { return 4; }
  @inline get halves(): bool { return true; }
  @inline get mins(): bool { return false; }

  @inline scales(p: usize): v128 { return v128.load8x8_s(p); }

  @inline factor4(factors: usize, set: usize): v128 { return half4Exact(factors + 8 * set); }

  @inline close(factors: usize, set: usize, sums: v128, mins: v128, s: v128, f: v128): v128 {
    return madd(f32x4.mul(f32x4.convert_i32x4_s(sums), half4Exact(factors + 8 * set)), s, f);
  }

  @inline scale(block: usize, unit: usize, lane: i32, half: usize): f32 {
    const sc = unit + ((block - unit - 144) / 96 << 4) + (half << 3);
    return halfAt(unit + 128 + (<usize>lane << 1)) * <f32>load<i8>(sc + <usize>lane);
  }

  @inline get dtype(): i32 { return 11; }
  @inline get fileBytes(): usize { return 110; }

  @inline unpack(src: usize, dst: usize, lane: i32): i32 {
    for (let b: usize = 0; b < 8; b++) {
      const low = src + 32 + ((b >> 2) << 5), scales = dst + (b << 4) + <usize>lane;
      storePacked<Q3_K>(
        dst + 144 + b * 96, lane, threeBits(v128.load(low), v128.load(src), b), threeBits(v128.load(low, 16), v128.load(src, 16), b),
      );
      store<u8>(scales, scaleOf(src + 96, b << 1));
      store<u8>(scales + 8, scaleOf(src + 96, (b << 1) + 1));
    }
    return copyHalf(dst + 128 + (<usize>lane << 1), src + 108);
  }
}
