/**
 * q6_k: value = (d sc) (q - 32), q of 6 bits. Superblocks; scales: 8 i8 sc of each half of a block;
 * factors: 8 f16 d.
 * In the file (ggml-common.h, block_q6_K): 128 bytes of low nibbles, 64 of high bit pairs, 16 i8 scales (one each 16 columns), d.
 */
import { halfAt } from '../base/half';
import { half4Exact, madd } from '../base/simd';
import { copyHalf } from './lanes';
import { Sixes, storePacked } from './packed';

/** Sixteen 6-bit values of block b. */
@inline function sixBits(low: v128, high: v128, b: usize): v128 {
  const nibble = b & 2 ? i8x16.shr_u(low, 4) : v128.and(low, i8x16.splat(15));
  const pair = v128.and(i8x16.shr_u(high, <i32>((b & 3) << 1)), i8x16.splat(3));
  return v128.or(nibble, i8x16.shl(pair, 4));
}

@unmanaged export class Q6_K extends Sixes {
  @inline get layout(): i32 { return 11; }
  @inline get scaleBytes(): usize { return 128; }
  @inline get factorBytes(): usize { return 16; }
  @inline get middle(): i32 { return 32; }
  @inline get halves(): bool { return true; }
  @inline get mins(): bool { return false; }

  @inline scales(p: usize): v128 { return v128.load8x8_s(p); }

  @inline factor4(factors: usize, set: usize): v128 { return half4Exact(factors + 8 * set); }

  @inline close(factors: usize, set: usize, sums: v128, mins: v128, s: v128, f: v128): v128 {
    return madd(f32x4.mul(f32x4.convert_i32x4_s(sums), half4Exact(factors + 8 * set)), s, f);
  }

  @inline scale(block: usize, unit: usize, lane: i32, half: usize): f32 {
    const sc = unit + ((block - unit - 144) / 192 << 4) + (half << 3);
    return halfAt(unit + 128 + (<usize>lane << 1)) * <f32>load<i8>(sc + <usize>lane);
  }

  @inline get dtype(): i32 { return 14; }
  @inline get fileBytes(): usize { return 210; }

  @inline unpack(src: usize, dst: usize, lane: i32): i32 {
    const d = src + 208;
    for (let b: usize = 0; b < 8; b++) {
      const low = src + ((b >> 2) << 6) + ((b & 1) << 5), high = src + 128 + ((b >> 2) << 5), scales = dst + (b << 4) + <usize>lane;
      const from = src + 192 + (b << 1);
      storePacked<Q6_K>(
        dst + 144 + b * 192, lane, sixBits(v128.load(low), v128.load(high), b), sixBits(v128.load(low, 16), v128.load(high, 16), b),
      );
      store<u8>(scales, load<u8>(from));
      store<u8>(scales + 8, load<u8>(from + 1));
    }
    return copyHalf(dst + 128 + (<usize>lane << 1), d);
  }
}
