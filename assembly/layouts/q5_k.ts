/**
 * q5_k: value = (d sc) q - dmin mn, q of 5 bits. Superblocks; scales: 8 u8 sc of each block, u8 mn of pairs of blocks; factors: 8 f16 d,
 * 8 f16 dmin.
 * In the file (ggml-common.h, block_q5_K): d, dmin, 12 bytes of 6-bit sc and mn (sixbits.ts), 32 bytes whose bit b belongs to block b,
 * nibbles as in q4_k. The 6-bit numbers become bytes, nothing is multiplied out.
 */
import { halfAt } from '../base/half';
import { half4Exact, madd } from '../base/simd';
import { copyHalf } from './lanes';
import { Fives, storePacked } from './packed';
import { minOf, nibblesOf, scaleOf } from './sixbits';

/** Bit b of each byte, as 16. */
@inline function bitOf(v: v128, b: usize): v128 {
  return i8x16.shl(v128.and(i8x16.shr_u(v, <i32>b), i8x16.splat(1)), 4);
}

@unmanaged export class Q5_K extends Fives {
  @inline get layout(): i32 { return 10; }
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
    const sc = unit + ((block - unit - 160) / 160 << 3) + <usize>lane;
    return halfAt(unit + 128 + (<usize>lane << 1)) * <f32>load<u8>(sc);
  }

  @inline shift(block: usize, unit: usize, lane: i32, half: usize): f32 {
    const b = (block - unit - 160) / 160, mn = unit + 64 + (b >> 1 << 4) + (b & 1);
    return -halfAt(unit + 144 + (<usize>lane << 1)) * <f32>load<u8>(mn + (<usize>lane << 1));
  }

  @inline get dtype(): i32 { return 13; }
  @inline get fileBytes(): usize { return 176; }

  @inline unpack(src: usize, dst: usize, lane: i32): i32 {
    const bits = v128.load(src, 16), more = v128.load(src, 32);
    for (let b: usize = 0; b < 8; b++) {
      const quants = src + 48 + ((b >> 1) << 5), scales = dst + <usize>lane;
      const first = v128.or(nibblesOf(v128.load(quants), b), bitOf(bits, b));
      const second = v128.or(nibblesOf(v128.load(quants, 16), b), bitOf(more, b));
      storePacked<Q5_K>(dst + 160 + b * 160, lane, first, second);
      store<u8>(scales + (b << 3), scaleOf(src + 4, b));
      store<u8>(scales + (b >> 1 << 4) + (b & 1) + <usize>lane, minOf(src + 4, b), 64);
    }
    dst += 128 + (<usize>lane << 1);
    return copyHalf(dst, src) + copyHalf(dst + 16, src + 2);
  }
}
