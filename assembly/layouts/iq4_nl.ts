/**
 * iq4_nl: value = d v[q], v a table of 16 signed bytes (ggml-common.h, kvalues_iq4nl). Scales of a block: 8 f16 d.
 * In the file (ggml-common.h, block_iq4_nl): d, 16 bytes of nibbles; byte i holds columns i and i + 16.
 */
import { halfAt } from '../base/half';
import { evenSigns, half4, madd, swizzle } from '../base/simd';
import { Format } from './kinds';
import { copyHalf, highNibbles, lowNibbles } from './lanes';
import { Codes, storePacked } from './packed';

export const TABLE: usize = memory.data<i8>([-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113], 16);

/** Codes for that table: they become bytes as the Bytes kind has them (kinds.ts), and multiply as those do. */
@unmanaged export class ByteCodes extends Codes {
  @inline get format(): i32 { return Format.x8; }
  @inline get bits(): i32 { return 8; }
  @inline get middle(): i32 { return 0; }
  @inline get halves(): bool { return false; }
  @inline get mins(): bool { return false; }
  @inline table(w: usize): v128 { return v128.load(TABLE); }
  @inline vector(
    set: usize, i: usize, v0: v128, v1: v128, v2: v128, v3: v128, v4: v128, v5: v128, a: v128, b: v128, c: v128,
  ): v128 {
    return v128.xor(swizzle(b, this.code(set, i, v0, v1, v2, v3, a)), evenSigns());
  }
  @inline stored(block: usize, lane: i32, k: usize, unit: usize): i32 { return load<i8>(TABLE + this.at(block, lane, k)); }
}

@unmanaged export class IQ4_NL extends ByteCodes {
  @inline get layout(): i32 { return 13; }
  @inline get scaleBytes(): usize { return 16; }
  @inline get factorBytes(): usize { return 0; }

  @inline add(block: usize, set: usize, dot: v128, tail: usize, f: v128): v128 {
    return madd(f32x4.convert_i32x4_s(dot), f32x4.mul(v128.load32_splat(tail, 4), half4(block + (128 + 8 * set))), f);
  }

  @inline scale4(block: usize, set: usize): v128 { return half4(block + (128 + 8 * set)); }
  @inline scale(block: usize, factors: usize, lane: i32, half: usize): f32 { return halfAt(block + 128 + (<usize>lane << 1)); }

  @inline get dtype(): i32 { return 20; }
  @inline get fileBytes(): usize { return 18; }

  @inline unpack(src: usize, dst: usize, lane: i32): i32 {
    const v = v128.load(src + 2);
    storePacked<IQ4_NL>(dst, lane, lowNibbles(v), highNibbles(v));
    return copyHalf(dst + 128 + (<usize>lane << 1), src);
  }
}
