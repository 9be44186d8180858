/**
 * mxfp4: value = 2^(e - 128) v[q], v a table of 16 signed bytes (ggml-common.h, kvalues_mxfp4: twice the values of E2M1). Scales of a
 * block: 8 u8 e.
 * In the file (ggml-common.h, block_mxfp4): e, 16 bytes of nibbles; byte i holds columns i and i + 16. An e of 255 is no number.
 */
import { madd, swizzle } from '../base/simd';
import { highNibbles, lowNibbles } from './lanes';
import { Codes, packedFormat, storePacked } from './packed';

// v + 16
const TABLE: usize = memory.data<u8>([16, 17, 18, 19, 20, 22, 24, 28, 16, 15, 14, 13, 12, 10, 8, 4], 16);

@unmanaged export class MXFP4 extends Codes {
  @inline get layout(): i32 { return 15; }
  @inline get format(): i32 { return packedFormat(); }
  @inline get bits(): i32 { return 5; }
  @inline get scaleBytes(): usize { return 8; }
  @inline get factorBytes(): usize { return 0; }
  @inline get middle(): i32 { return 16; }
  @inline get halves(): bool { return false; }
  @inline get mins(): bool { return false; }
  @inline table(w: usize): v128 { return v128.load(TABLE); }

  @inline vector(
    set: usize, i: usize, v0: v128, v1: v128, v2: v128, v3: v128, v4: v128, v5: v128, a: v128, b: v128, c: v128,
  ): v128 {
    return swizzle(b, this.code(set, i, v0, v1, v2, v3, a));
  }
  @inline stored(block: usize, lane: i32, k: usize, unit: usize): i32 { return load<u8>(TABLE + this.at(block, lane, k)); }

  /** Sums are multiplied by 2^32 at the end (kernels/matvec), so that scales are short of it; those below 2^-95 count as zero. */
  @inline add(block: usize, set: usize, dot: v128, tail: usize, f: v128): v128 {
    const e = i32x4.extend_low_i16x8_u(v128.load8x8_u(block + (128 + 4 * set)));
    const d = i32x4.shl(i32x4.max_s(i32x4.sub(e, i32x4.splat(33)), i32x4.splat(0)), 23);
    return madd(f32x4.convert_i32x4_s(dot), f32x4.mul(v128.load32_splat(tail), d), f);
  }

  @inline scale4(block: usize, set: usize): v128 {
    const e = i32x4.extend_low_i16x8_u(v128.load8x8_u(block + (128 + 4 * set)));
    return i32x4.shl(i32x4.max_s(i32x4.sub(e, i32x4.splat(33)), i32x4.splat(0)), 23);
  }

  @inline scale(block: usize, factors: usize, lane: i32, half: usize): f32 {
    const e = <u32>load<u8>(block + 128 + <usize>lane);
    return reinterpret<f32>(e < 2 ? 0x00200000 << e : (e - 1) << 23);
  }

  @inline get dtype(): i32 { return 39; }
  @inline get fileBytes(): usize { return 17; }

  @inline unpack(src: usize, dst: usize, lane: i32): i32 {
    const v = v128.load(src + 1), e = load<u8>(src);
    storePacked<MXFP4>(dst, lane, lowNibbles(v), highNibbles(v));
    store<u8>(dst + 128 + <usize>lane, e);
    return i32(e == 255);
  }
}
