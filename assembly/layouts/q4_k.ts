/**
 * q4_k: value = (d sc) q - dmin mn. Superblocks; scales: 8 u8 sc of each block, u8 mn of pairs of blocks; factors: 8 f16 d,
 * 8 f16 dmin.
 * In the file (ggml-common.h, block_q4_K): d, dmin, 12 bytes of 6-bit sc and mn (sixbits.ts), 128 bytes of nibbles: 32 bytes hold block 2i
 * (low) and 2i + 1 (high). The 6-bit numbers become bytes, nothing is multiplied out.
 */
import { halfAt } from '../base/half';
import { half4Exact, madd } from '../base/simd';
import { Nibbles, isFlipped } from './kinds';
import { copyHalf, laneOffset, storeNibbles } from './lanes';
import { minOf, nibblesOf, scaleOf } from './sixbits';

@unmanaged export class Q4_K extends Nibbles {
  @inline get layout(): i32 { return 9; }
  @inline get scaleBytes(): usize { return 128; }
  @inline get factorBytes(): usize { return 32; }
  @inline get middle(): i32 { return 0; }
  @inline get halves(): bool { return false; }
  @inline get mins(): bool { return true; }

  @inline scales(p: usize): v128 { return v128.load8x8_u(p); }
  @inline minima(scales: usize, i: usize, set: usize): v128 { return v128.load8x8_u(scales + (i << 4) + 8 * set, 64); }

  @inline factor4(factors: usize, set: usize): v128 { return half4Exact(factors + 8 * set); }

  @inline close(factors: usize, set: usize, sums: v128, mins: v128, s: v128, f: v128): v128 {
    const scaled = f32x4.mul(f32x4.convert_i32x4_s(sums), half4Exact(factors + 8 * set));
    return madd(f32x4.sub(scaled, f32x4.mul(f32x4.convert_i32x4_s(mins), half4Exact(factors + (16 + 8 * set)))), s, f);
  }

  @inline scale(block: usize, unit: usize, lane: i32, half: usize): f32 {
    const sc = unit + ((block - unit - 160) / 128 << 3) + <usize>lane;
    return halfAt(unit + 128 + (<usize>lane << 1)) * <f32>load<u8>(sc);
  }

  @inline shift(block: usize, unit: usize, lane: i32, half: usize): f32 {
    const b = (block - unit - 160) / 128, mn = unit + 64 + (b >> 1 << 4) + (b & 1);
    return -halfAt(unit + 144 + (<usize>lane << 1)) * <f32>load<u8>(mn + (<usize>lane << 1));
  }

  @inline get dtype(): i32 { return 12; }
  @inline get fileBytes(): usize { return 144; }

  @inline unpack(src: usize, dst: usize, lane: i32): i32 {
    const flips = i64x2.splat(isFlipped<Q4_K>() ? 0x0800080000000000 : 0); // columns 5 and 7
    for (let b: usize = 0; b < 8; b++) {
      const quants = src + 16 + ((b >> 1) << 5), scales = dst + <usize>lane;
      const first = nibblesOf(v128.load(quants), b), second = nibblesOf(v128.load(quants, 16), b);
      storeNibbles(dst + 160 + (b << 7) + laneOffset(lane), v128.xor(first, flips), v128.xor(second, flips));
      store<u8>(scales + (b << 3), scaleOf(src + 4, b));
      store<u8>(scales + (b >> 1 << 4) + (b & 1) + <usize>lane, minOf(src + 4, b), 64);
    }
    dst += 128 + (<usize>lane << 1);
    return copyHalf(dst, src) + copyHalf(dst + 16, src + 2);
  }
}
