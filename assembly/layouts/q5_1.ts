/**
 * q5_1: value = d q + m, q of 5 bits. Scales of a block: 8 f16 d, 8 f16 m.
 * In the file (ggml-common.h, block_q5_1): d, m, 32 fifth bits, 16 bytes of nibbles; byte i holds columns i and i + 16.
 */
import { halfAt } from '../base/half';
import { half4, madd } from '../base/simd';
import { copyHalf, fifthBits, highNibbles, lowNibbles } from './lanes';
import { Fives, storePacked } from './packed';

@unmanaged export class Q5_1 extends Fives {
  @inline get layout(): i32 { return 8; }
  @inline get scaleBytes(): usize { return 32; }
  @inline get factorBytes(): usize { return 0; }
  @inline get middle(): i32 { return 0; }
  @inline get halves(): bool { return false; }
  @inline get mins(): bool { return true; }

  @inline add(block: usize, set: usize, dot: v128, tail: usize, f: v128): v128 {
    const g = madd(v128.load32_splat(tail, 12), half4(block + (176 + 8 * set)), f);
    return madd(f32x4.convert_i32x4_s(dot), f32x4.mul(v128.load32_splat(tail, 4), half4(block + (160 + 8 * set))), g);
  }

  @inline scale4(block: usize, set: usize): v128 { return half4(block + (160 + 8 * set)); }
  @inline shift4(block: usize, set: usize): v128 { return half4(block + (176 + 8 * set)); }
  @inline scale(block: usize, factors: usize, lane: i32, half: usize): f32 { return halfAt(block + 160 + (<usize>lane << 1)); }
  @inline shift(block: usize, factors: usize, lane: i32, half: usize): f32 { return halfAt(block + 176 + (<usize>lane << 1)); }

  @inline get dtype(): i32 { return 7; }
  @inline get fileBytes(): usize { return 24; }

  @inline unpack(src: usize, dst: usize, lane: i32): i32 {
    const v = v128.load(src + 8), scales = dst + 160 + (<usize>lane << 1);
    const first = v128.or(lowNibbles(v), fifthBits(load<u16>(src + 4)));
    const second = v128.or(highNibbles(v), fifthBits(load<u16>(src + 6)));
    storePacked<Q5_1>(dst, lane, first, second);
    return copyHalf(scales, src) + copyHalf(scales + 16, src + 2);
  }
}
