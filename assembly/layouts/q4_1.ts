/**
 * q4_1: value = d q + m. Scales of a block: 8 f16 d, 8 f16 m.
 * In the file (ggml-common.h, block_q4_1): d, m, 16 bytes of nibbles; byte i holds columns i and i + 16.
 */
import { halfAt } from '../base/half';
import { half4, madd } from '../base/simd';
import { Nibbles } from './kinds';
import { copyHalf, highNibbles, laneOffset, lowNibbles, storeNibbles } from './lanes';

@unmanaged export class Q4_1 extends Nibbles {
  @inline get layout(): i32 { return 6; }
  @inline get scaleBytes(): usize { return 32; }
  @inline get factorBytes(): usize { return 0; }
  @inline get middle(): i32 { return 0; }
  @inline get halves(): bool { return false; }
  @inline get mins(): bool { return true; }

  @inline add(block: usize, set: usize, dot: v128, tail: usize, f: v128): v128 {
    const g = madd(v128.load32_splat(tail, 12), half4(block + (144 + 8 * set)), f);
    return madd(f32x4.convert_i32x4_s(dot), f32x4.mul(v128.load32_splat(tail, 4), half4(block + (128 + 8 * set))), g);
  }

  @inline scale4(block: usize, set: usize): v128 { return half4(block + (128 + 8 * set)); }
  @inline shift4(block: usize, set: usize): v128 { return half4(block + (144 + 8 * set)); }
  @inline scale(block: usize, factors: usize, lane: i32, half: usize): f32 { return halfAt(block + 128 + (<usize>lane << 1)); }
  @inline shift(block: usize, factors: usize, lane: i32, half: usize): f32 { return halfAt(block + 144 + (<usize>lane << 1)); }

  @inline get dtype(): i32 { return 3; }
  @inline get fileBytes(): usize { return 20; }

  @inline unpack(src: usize, dst: usize, lane: i32): i32 {
    const v = v128.load(src + 4), scales = dst + 128 + (<usize>lane << 1);
    storeNibbles(dst + laneOffset(lane), lowNibbles(v), highNibbles(v));
    return copyHalf(scales, src) + copyHalf(scales + 16, src + 2);
  }
}
