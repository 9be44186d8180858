/** q8_1: value = d q + m. Scales of a block: 8 f16 d, 8 f16 m. No dtype of weights: what q5_1 is held in. */
import { halfAt } from '../base/half';
import { half4, madd } from '../base/simd';
import { Bytes } from './kinds';
import { byteOf } from './lanes';

@unmanaged export class Q8_1 extends Bytes {
  @inline get layout(): i32 { return 8; }
  @inline get scaleBytes(): usize { return 32; }
  @inline get factorBytes(): usize { return 0; }
  @inline get halves(): bool { return false; }

  @inline add(block: usize, set: usize, half: usize, dot: v128, tail: usize, f: v128): v128 {
    const g = madd(v128.load32_splat(tail, 12), half4(block + (272 + 8 * set)), f);
    return madd(f32x4.convert_i32x4_s(dot), f32x4.mul(v128.load32_splat(tail, 4), half4(block + (256 + 8 * set))), g);
  }

  @inline dequant(block: usize, factors: usize, lane: i32, dst: usize): void {
    const scales = block + 256 + (<usize>lane << 1), d = halfAt(scales), m = halfAt(scales + 16);
    for (let k: usize = 0; k < 32; k++) store<f32>(dst + (k << 2), d * byteOf(block, lane, k) + m);
  }
}
