/**
 * iq4_xs: value = (d sc) v[q], v as in iq4_nl. Superblocks; scales of a block: 8 i8 sc; factors: 8 f16 d.
 * In the file (ggml-common.h, block_iq4_xs): d, 8 high bit pairs and 8 low nibbles of sc + 32, 128 bytes of nibbles: byte i of a block's 16
 * holds columns i and i + 16.
 */
import { halfAt } from '../base/half';
import { bytes4s, half4Exact, madd } from '../base/simd';
import { ByteCodes } from './iq4_nl';
import { copyHalf, highNibbles, lowNibbles } from './lanes';
import { storePacked } from './packed';

@unmanaged export class IQ4_XS extends ByteCodes {
  @inline get layout(): i32 { return 14; }
  @inline get scaleBytes(): usize { return 8; }
  @inline get factorBytes(): usize { return 16; }

  @inline add(block: usize, set: usize, dot: v128, tail: usize, f: v128): v128 {
    return madd(f32x4.convert_i32x4_s(dot), f32x4.mul(v128.load32_splat(tail), bytes4s(block + (128 + 4 * set))), f);
  }

  @inline close(factors: usize, set: usize, g: v128, h: v128, f: v128): v128 {
    return f32x4.add(f, f32x4.mul(g, half4Exact(factors + 8 * set)));
  }

  @inline scale(block: usize, factors: usize, lane: i32, half: usize): f32 {
    return halfAt(factors + (<usize>lane << 1)) * <f32>load<i8>(block + 128 + <usize>lane);
  }

  @inline get dtype(): i32 { return 23; }
  @inline get fileBytes(): usize { return 136; }

  @inline unpack(src: usize, dst: usize, lane: i32): i32 {
    const high = <u32>load<u16>(src, 2), low = load<u32>(src, 4);
    for (let b = 0; b < 8; b++, dst += 136) {
      const v = v128.load(src + 8 + (<usize>b << 4));
      storePacked<IQ4_XS>(dst, lane, lowNibbles(v), highNibbles(v));
      store<u8>(dst + 128 + <usize>lane, <u8>((low >> (4 * b) & 15 | (high >> (2 * b) & 3) << 4) - 32));
    }
    return copyHalf(dst + (<usize>lane << 1), src);
  }
}
