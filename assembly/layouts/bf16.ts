/** The upper half of an f32. */
import { brain4, upperMask } from '../base/simd';
import { Halves } from './kinds';

@unmanaged export class BF16 extends Halves {
  @inline get layout(): i32 { return 4; }
  @inline get dtype(): i32 { return 30; }
  @inline get lift(): f32 { return 1; }

  @inline get mask(): v128 { return upperMask(); }
  @inline get first(): v128 { return upperMask(); }
  @inline get second(): v128 { return upperMask(); }
  @inline even(pairs: v128, first: v128, mask: v128): v128 { return i32x4.shl(pairs, 16); }
  @inline odd(pairs: v128, second: v128, mask: v128): v128 { return v128.and(pairs, mask); }
  @inline four(p: usize): v128 { return brain4(p); }
  @inline value(p: usize): f32 { return reinterpret<f32>(<u32>load<u16>(p) << 16); }

  @inline unpack(src: usize, dst: usize, lane: i32): i32 {
    const bits = load<u16>(src);
    store<u16>(dst + (<usize>lane << 1), bits);
    return i32((bits & 0x7f80) == 0x7f80);
  }
}
