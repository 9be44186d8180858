/** f32, per column 8 values. */
import { Floats } from './kinds';

@unmanaged export class F32 extends Floats {
  @inline get layout(): i32 { return 2; }
  @inline get dtype(): i32 { return 0; }
  @inline get fileBytes(): usize { return 4; }

  @inline get lift(): f32 { return 1; }
  @inline get mask(): v128 { return f32x4.splat(0); }
  @inline get first(): v128 { return f32x4.splat(0); }
  @inline get second(): v128 { return f32x4.splat(0); }

  @inline four(p: usize): v128 { return v128.load(p); }
  @inline value(p: usize): f32 { return load<f32>(p); }

  @inline unpack(src: usize, dst: usize, lane: i32): i32 {
    const bits = load<u32>(src);
    store<u32>(dst + (<usize>lane << 2), bits);
    return i32((bits & 0x7f800000) == 0x7f800000);
  }
}
