/**
 * IEEE half precision. As f32 the values are short of 2^112: a kernel lifts x by half of that, and its sums by the other half, so that
 * neither x up to 2^71 nor a product above 2^-70 leaves what an f32 can hold.
 */
import { halfAt } from '../base/half';
import { TWO56, evenHalves, half4, halfMask, halfOf, shiftedMask } from '../base/simd';
import { Halves } from './kinds';
import { copyHalf } from './lanes';

@unmanaged export class F16 extends Halves {
  @inline get layout(): i32 { return 3; }
  @inline get dtype(): i32 { return 1; }
  @inline get lift(): f32 { return TWO56; }

  @inline get mask(): v128 { return halfMask(); }
  @inline get first(): v128 { return evenHalves(); }
  @inline get second(): v128 { return shiftedMask(); }
  @inline even(pairs: v128, first: v128, mask: v128): v128 { return halfOf(pairs, first, mask); }
  @inline odd(pairs: v128, second: v128, mask: v128): v128 { return v128.and(i32x4.shr_s(pairs, 3), second); }
  @inline four(p: usize): v128 { return half4(p); }
  @inline value(p: usize): f32 { return halfAt(p); }

  @inline unpack(src: usize, dst: usize, lane: i32): i32 { return copyHalf(dst + (<usize>lane << 1), src); }
}
