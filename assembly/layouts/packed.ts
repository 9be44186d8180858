/**
 * The Packed kinds (kinds.ts): quants of b bits in vectors of bytes. The first ones lie in the low bits of a vector each; the last ones are
 * spread over the high bits that these leave free, so that no vector costs more than a mask and the last ones a few shifts. (A plane of
 * nibbles and a plane of fifth or sixth bits takes the same room, and half as many instructions again.)
 *   vector   vector i of the set at `p`, 0..7, a literal: 4 columns of 4 rows
 *   pack     32 quants of a row, columns 0..15 and 16..31 as bytes, into the block at `dst` (lane offset included)
 *   stored   column k of the row at `p` (lane offset included)
 */
import { mask1f, mask20, mask3f, maskc0 } from '../base/simd';
import { Format, Kind } from './kinds';
import { laneOffset } from './lanes';

/** Packed quants meet x as signed bytes where there is a dot product of bytes, else as pairs of 16-bit numbers. */
@inline function packedFormat(): i32 { return ASC_FEATURE_RELAXED_SIMD ? Format.x4 : Format.x8; }

/** What the sums of Packed layouts with halves are short of: x's constants (kernels/quantize) expect them 256 times too large on base. */
@inline export function packedUnit(): f32 { return ASC_FEATURE_RELAXED_SIMD ? 1 : 256; }

/** Vectors 0..4 hold quants 0..4. Quant 5 is in the high bits of 0 and 1, 6 in those of 2 and 3, 7 in those of 4 and one bit of 1 and 3. */
@unmanaged export class Fives {
  @inline get kind(): i32 { return Kind.packed; }
  @inline get format(): i32 { return packedFormat(); }
  @inline get quantBytes(): usize { return 160; }
  @inline get bits(): i32 { return 5; }

  @inline vector(p: usize, i: usize): v128 {
    if (i < 5) return v128.and(v128.load(p + 32 * i), mask1f());
    if (i < 7) {
      const a = v128.load(p + (64 * i - 320)), b = v128.load(p + (64 * i - 288));
      return v128.or(i16x8.shr_u(v128.andnot(a, mask1f()), 3), i16x8.shr_u(v128.and(b, maskc0()), 6));
    }
    const one = v128.and(v128.load(p, 32), mask20()), two = i16x8.shr_u(v128.and(v128.load(p, 96), mask20()), 1);
    return v128.or(i16x8.shr_u(v128.andnot(v128.load(p, 128), mask1f()), 3), i16x8.shr_u(v128.or(one, two), 4));
  }

  @inline pack(dst: usize, first: v128, second: v128): void {
    const five = i32x4.extract_lane(second, 1), six = i32x4.extract_lane(second, 2), seven = i32x4.extract_lane(second, 3);
    store<u32>(dst, i32x4.extract_lane(first, 0) | (five & 0x1c1c1c1c) << 3);
    store<u32>(dst, i32x4.extract_lane(first, 1) | (five & 0x03030303) << 6 | (seven & 0x02020202) << 4, 32);
    store<u32>(dst, i32x4.extract_lane(first, 2) | (six & 0x1c1c1c1c) << 3, 64);
    store<u32>(dst, i32x4.extract_lane(first, 3) | (six & 0x03030303) << 6 | (seven & 0x01010101) << 5, 96);
    store<u32>(dst, i32x4.extract_lane(second, 0) | (seven & 0x1c1c1c1c) << 3, 128);
  }

  @inline stored(block: usize, lane: i32, k: usize): i32 {
    const p = block + laneOffset(lane) + (k & 3), i = k >> 2;
    if (i < 5) return load<u8>(p + (i << 5)) & 31;
    if (i < 7) return load<u8>(p + (i << 6) - 320) >> 5 << 2 | load<u8>(p + (i << 6) - 288) >> 6;
    return load<u8>(p, 128) >> 5 << 2 | (load<u8>(p, 32) >> 4 & 2) | (load<u8>(p, 96) >> 5 & 1);
  }
}

/** Three vectors hold four: quants 0..2 and 4..6, the others in the two high bits of those three. */
@unmanaged export class Sixes {
  @inline get kind(): i32 { return Kind.packed; }
  @inline get format(): i32 { return packedFormat(); }
  @inline get quantBytes(): usize { return 192; }
  @inline get bits(): i32 { return 6; }

  @inline vector(p: usize, i: usize): v128 {
    const q = p + 96 * (i >> 2);
    if ((i & 3) < 3) return v128.and(v128.load(q + 32 * (i & 3)), mask3f());
    const a = v128.andnot(v128.load(q), mask3f()), b = v128.andnot(v128.load(q, 32), mask3f()), c = v128.andnot(v128.load(q, 64), mask3f());
    return v128.or(i16x8.shr_u(a, 2), v128.or(i16x8.shr_u(b, 4), i16x8.shr_u(c, 6)));
  }

  @inline four(dst: usize, v: v128): void {
    const last = i32x4.extract_lane(v, 3);
    store<u32>(dst, i32x4.extract_lane(v, 0) | (last & 0x30303030) << 2);
    store<u32>(dst, i32x4.extract_lane(v, 1) | (last & 0x0c0c0c0c) << 4, 32);
    store<u32>(dst, i32x4.extract_lane(v, 2) | (last & 0x03030303) << 6, 64);
  }

  @inline pack(dst: usize, first: v128, second: v128): void {
    this.four(dst, first);
    this.four(dst + 96, second);
  }

  @inline stored(block: usize, lane: i32, k: usize): i32 {
    const p = block + laneOffset(lane) + (k & 3) + 96 * (k >> 4), i = k >> 2 & 3;
    if (i < 3) return load<u8>(p + (i << 5)) & 63;
    return load<u8>(p) >> 6 << 4 | load<u8>(p, 32) >> 6 << 2 | load<u8>(p, 64) >> 6;
  }
}
