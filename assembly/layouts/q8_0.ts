/**
 * q8_0: value = d q. Scales of a block: 8 f16 d.
 * In the file (ggml-common.h, block_q8_0): d, 32 i8.
 */
import { halfAt } from '../base/half';
import { half4, madd } from '../base/simd';
import { Bytes } from './kinds';
import { copyHalf, laneOffset, storeBytes } from './lanes';

@unmanaged export class Q8_0 extends Bytes {
  @inline get layout(): i32 { return 7; }
  @inline get scaleBytes(): usize { return 16; }
  @inline get factorBytes(): usize { return 0; }
  @inline get middle(): i32 { return 0; }
  @inline get halves(): bool { return false; }
  @inline get mins(): bool { return false; }

  @inline add(block: usize, set: usize, dot: v128, tail: usize, f: v128): v128 {
    return madd(f32x4.convert_i32x4_s(dot), f32x4.mul(v128.load32_splat(tail, 4), half4(block + (256 + 8 * set))), f);
  }

  @inline scale4(block: usize, set: usize): v128 { return half4(block + (256 + 8 * set)); }
  @inline scale(block: usize, factors: usize, lane: i32, half: usize): f32 { return halfAt(block + 256 + (<usize>lane << 1)); }

  @inline get dtype(): i32 { return 8; }
  @inline get fileBytes(): usize { return 34; }

  @inline unpack(src: usize, dst: usize, lane: i32): i32 {
    storeBytes(dst + laneOffset(lane), v128.load(src + 2), v128.load(src + 18));
    return copyHalf(dst + 256 + (<usize>lane << 1), src);
  }
}
