/** IEEE half precision, per column 8 values. */
import { halfAt } from '../base/half';
import { half4Exact } from '../base/simd';
import { Floats } from './kinds';
import { copyHalf } from './lanes';

@unmanaged export class F16 extends Floats {
  @inline get layout(): i32 { return 3; }
  @inline get dtype(): i32 { return 1; }
  @inline get fileBytes(): usize { return 2; }

  @inline four(p: usize): v128 { return half4Exact(p); }
  @inline value(p: usize): f32 { return halfAt(p); }

  @inline unpack(src: usize, dst: usize, lane: i32): i32 { return copyHalf(dst + (<usize>lane << 1), src); }
}
