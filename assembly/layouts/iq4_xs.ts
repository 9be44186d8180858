/**
 * iq4_xs: value = (d sc) v[q], v as in iq4_nl. Superblocks; scales: 8 i8 sc of each block; factors: 8 f16 d.
 * In the file (ggml-common.h, block_iq4_xs): d, 8 high bit pairs and 8 low nibbles of sc + 32, 128 bytes of nibbles: byte i of a block's 16
 * holds columns i and i + 16.
 */
import { halfAt } from '../base/half';
import { evenSigns, half4Exact, madd, swizzle } from '../base/simd';
import { TABLE } from './iq4_nl';
import { copyHalf, highNibbles, lowNibbles } from './lanes';
import { Codes, storePacked } from './packed';

@unmanaged export class IQ4_XS extends Codes {
  @inline get bits(): i32 { return 8; }
  @inline get middle(): i32 { return 0; }
  @inline get halves(): bool { return false; }
  @inline get mins(): bool { return false; }
  @inline table(w: usize): v128 { return v128.load(TABLE); }
  /** Signed bytes; on base their even columns are offset-binary, as in the Bytes kind. */
  @inline vector(
    set: usize, i: usize, v0: v128, v1: v128, v2: v128, v3: v128, v4: v128, v5: v128, a: v128, b: v128, c: v128,
  ): v128 {
    const v = swizzle(b, this.code(set, i, v0, v1, v2, v3, a));
    return ASC_FEATURE_RELAXED_SIMD ? v : v128.xor(v, evenSigns());
  }
  @inline stored(block: usize, lane: i32, k: usize, unit: usize): i32 { return load<i8>(TABLE + this.at(block, lane, k)); }

  @inline get layout(): i32 { return 14; }
  @inline get scaleBytes(): usize { return 64; }
  @inline get factorBytes(): usize { return 16; }

  @inline scales(p: usize): v128 { return v128.load8x8_s(p); }

  @inline factor4(factors: usize, set: usize): v128 { return half4Exact(factors + 8 * set); }

  @inline close(factors: usize, set: usize, sums: v128, mins: v128, s: v128, f: v128): v128 {
    return madd(f32x4.mul(f32x4.convert_i32x4_s(sums), half4Exact(factors + 8 * set)), s, f);
  }

  @inline scale(block: usize, unit: usize, lane: i32, half: usize): f32 {
    return halfAt(unit + 64 + (<usize>lane << 1)) * <f32>load<i8>(unit + ((block - unit - 80) / 128 << 3) + <usize>lane);
  }

  @inline get dtype(): i32 { return 23; }
  @inline get fileBytes(): usize { return 136; }

  @inline unpack(src: usize, dst: usize, lane: i32): i32 {
    const high = <u32>load<u16>(src, 2), low = load<u32>(src, 4);
    for (let b: usize = 0; b < 8; b++) {
      const v = v128.load(src + 8 + (b << 4)), shift = <u32>b << 1;
      storePacked<IQ4_XS>(dst + 80 + (b << 7), lane, lowNibbles(v), highNibbles(v));
      store<u8>(dst + (b << 3) + <usize>lane, <u8>((low >> (shift << 1) & 15 | (high >> shift & 3) << 4) - 32));
    }
    return copyHalf(dst + 64 + (<usize>lane << 1), src);
  }
}
