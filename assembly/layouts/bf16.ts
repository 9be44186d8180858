/** The upper half of an f32, per column 8 values. */
import { brain4 } from '../base/simd';
import { Floats } from './kinds';

@unmanaged export class BF16 extends Floats {
  @inline get layout(): i32 { return 4; }
  @inline get dtype(): i32 { return 30; }
  @inline get fileBytes(): usize { return 2; }

  @inline four(p: usize): v128 { return brain4(p); }
  @inline value(p: usize): f32 { return reinterpret<f32>(<u32>load<u16>(p) << 16); }

  @inline unpack(src: usize, dst: usize, lane: i32): i32 {
    const bits = load<u16>(src);
    store<u16>(dst + (<usize>lane << 1), bits);
    return i32((bits & 0x7f80) == 0x7f80);
  }
}
