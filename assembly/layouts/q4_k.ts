/**
 * q4_k: value = (d sc) q - dmin mn. Superblocks; scales of a block: 8 u8 sc, 8 u8 mn; factors: 8 f16 d, 8 f16 dmin.
 * In the file (ggml-common.h, block_q4_K): d, dmin, 12 bytes of 6-bit sc and mn (sixbits.ts), 128 bytes of nibbles: 32 bytes hold block 2i
 * (low) and 2i + 1 (high). The 6-bit numbers become bytes, nothing is multiplied out.
 */
import { halfAt } from '../base/half';
import { bytes4u, half4Exact, madd } from '../base/simd';
import { Nibbles } from './kinds';
import { copyHalf, laneOffset, storeNibbles } from './lanes';
import { minOf, nibblesOf, scaleOf } from './sixbits';

@unmanaged export class Q4_K extends Nibbles {
  @inline get layout(): i32 { return 9; }
  @inline get scaleBytes(): usize { return 16; }
  @inline get factorBytes(): usize { return 32; }
  @inline get middle(): i32 { return 0; }
  @inline get halves(): bool { return false; }
  @inline get mins(): bool { return true; }

  @inline add(block: usize, set: usize, dot: v128, tail: usize, f: v128): v128 {
    return madd(f32x4.convert_i32x4_s(dot), f32x4.mul(v128.load32_splat(tail), bytes4u(block + (128 + 4 * set))), f);
  }

  @inline addMin(block: usize, set: usize, tail: usize, h: v128): v128 {
    return madd(v128.load32_splat(tail, 8), bytes4u(block + (136 + 4 * set)), h);
  }

  @inline close(factors: usize, set: usize, g: v128, h: v128, f: v128): v128 {
    const d = half4Exact(factors + 8 * set), dmin = half4Exact(factors + (16 + 8 * set));
    return f32x4.add(f, f32x4.sub(f32x4.mul(g, d), f32x4.mul(h, dmin)));
  }

  @inline scale(block: usize, factors: usize, lane: i32, half: usize): f32 {
    return halfAt(factors + (<usize>lane << 1)) * <f32>load<u8>(block + 128 + <usize>lane);
  }

  @inline shift(block: usize, factors: usize, lane: i32, half: usize): f32 {
    return -halfAt(factors + 16 + (<usize>lane << 1)) * <f32>load<u8>(block + 136 + <usize>lane);
  }

  @inline get dtype(): i32 { return 12; }
  @inline get fileBytes(): usize { return 144; }

  @inline unpack(src: usize, dst: usize, lane: i32): i32 {
    for (let b: usize = 0; b < 8; b++, dst += 144) {
      const quants = src + 16 + ((b >> 1) << 5), scales = dst + 128 + <usize>lane;
      storeNibbles(dst + laneOffset(lane), nibblesOf(v128.load(quants), b), nibblesOf(v128.load(quants, 16), b));
      store<u8>(scales, scaleOf(src + 4, b));
      store<u8>(scales + 8, minOf(src + 4, b));
    }
    dst += <usize>lane << 1;
    return copyHalf(dst, src) + copyHalf(dst + 16, src + 2);
  }
}
