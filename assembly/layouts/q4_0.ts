/**
 * q4_0: value = d (q - 8). Scales of a block: 8 f16 d.
 * In the file (ggml-common.h, block_q4_0): d, 16 bytes of nibbles; byte i holds columns i and i + 16.
 */
import { halfAt } from '../base/half';
import { half4, madd } from '../base/simd';
import { Nibbles } from './kinds';
import { copyHalf, highNibbles, laneOffset, lowNibbles, storeNibbles } from './lanes';

@unmanaged export class Q4_0 extends Nibbles {
  @inline get layout(): i32 { return 5; }
  @inline get scaleBytes(): usize { return 16; }
  @inline get factorBytes(): usize { return 0; }
  @inline get middle(): i32 { return 8; }
  @inline get halves(): bool { return false; }
  @inline get mins(): bool { return false; }

  @inline add(block: usize, set: usize, dot: v128, tail: usize, f: v128): v128 {
    const sum = i32x4.add(dot, v128.load32_splat(tail, 16));
    return madd(f32x4.convert_i32x4_s(sum), f32x4.mul(v128.load32_splat(tail, 4), half4(block + (128 + 8 * set))), f);
  }

  @inline scale4(block: usize, set: usize): v128 { return half4(block + (128 + 8 * set)); }
  @inline scale(block: usize, factors: usize, lane: i32, half: usize): f32 { return halfAt(block + 128 + (<usize>lane << 1)); }

  @inline get dtype(): i32 { return 2; }
  @inline get fileBytes(): usize { return 18; }

  @inline unpack(src: usize, dst: usize, lane: i32): i32 {
    const v = v128.load(src + 2);
    storeNibbles(dst + laneOffset(lane), lowNibbles(v), highNibbles(v));
    return copyHalf(dst + 128 + (<usize>lane << 1), src);
  }
}
