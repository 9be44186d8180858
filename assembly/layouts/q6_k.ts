/**
 * q6_k: value = (d sc) (q - 32), q of 6 bits. Superblocks; scales of a block: 8 i8 sc of columns 0..15, 8 i8 sc of columns 16..31;
 * factors: 8 f16 d.
 * In the file (ggml-common.h, block_q6_K): 128 bytes of low nibbles, 64 of high bit pairs, 16 i8 scales (one each 16 columns), d.
 */
import { halfAt } from '../base/half';
import { half4Exact, madd } from '../base/simd';
import { copyHalf } from './lanes';
import { Sixes, packedUnit, storePacked } from './packed';

/** Sixteen 6-bit values of block b. */
@inline function sixBits(low: v128, high: v128, b: usize): v128 {
  const nibble = b & 2 ? i8x16.shr_u(low, 4) : v128.and(low, i8x16.splat(15));
  const pair = v128.and(i8x16.shr_u(high, <i32>((b & 3) << 1)), i8x16.splat(3));
  return v128.or(nibble, i8x16.shl(pair, 4));
}

@unmanaged export class Q6_K extends Sixes {
  @inline get layout(): i32 { return 11; }
  @inline get scaleBytes(): usize { return 16; }
  @inline get factorBytes(): usize { return 16; }
  @inline get middle(): i32 { return 32; }
  @inline get halves(): bool { return true; }
  @inline get mins(): bool { return false; }

  @inline scales(p: usize): v128 { return v128.load8x8_s(p); }

  @inline add(block: usize, set: usize, dot: v128, tail: usize, f: v128): v128 {
    return madd(f32x4.convert_i32x4_s(dot), v128.load32_splat(tail), f);
  }

  @inline close(factors: usize, set: usize, g: v128, h: v128, f: v128): v128 {
    return f32x4.add(f, f32x4.mul(g, half4Exact(factors + 8 * set, packedUnit())));
  }

  @inline scale(block: usize, factors: usize, lane: i32, half: usize): f32 {
    return halfAt(factors + (<usize>lane << 1)) * <f32>load<i8>(block + 192 + (half << 3) + <usize>lane);
  }

  @inline get dtype(): i32 { return 14; }
  @inline get fileBytes(): usize { return 210; }

  @inline unpack(src: usize, dst: usize, lane: i32): i32 {
    const d = src + 208;
    for (let b: usize = 0; b < 8; b++, dst += 208) {
      const low = src + ((b >> 2) << 6) + ((b & 1) << 5), high = src + 128 + ((b >> 2) << 5), scales = dst + 192 + <usize>lane;
      const from = src + 192 + (b << 1);
      storePacked<Q6_K>(dst, lane, sixBits(v128.load(low), v128.load(high), b), sixBits(v128.load(low, 16), v128.load(high, 16), b));
      store<u8>(scales, load<u8>(from));
      store<u8>(scales + 8, load<u8>(from + 1));
    }
    return copyHalf(dst + (<usize>lane << 1), d);
  }
}
