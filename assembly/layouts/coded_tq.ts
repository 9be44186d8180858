/**
 * tq1_0 and tq2_0, held as coded (codes.ts): value = d (q - 1). In the file (ggml-common.h): tq2_0: 64 bytes of bit pairs, d; tq1_0: 48 and
 * 4 bytes of 5 and 4 digits of base 3 (as fractions of 256), d.
 */
import { storeCoded, storeFactors } from './codes';
import { halfFinite } from './lanes';

// value + 64
const TABLE: usize = memory.data<u8>([63, 64, 65, 66, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64], 16);

function storeVector(unit: usize, lane: i32, half: usize, v: v128): void {
  storeCoded(
    unit, lane, half, 1, i32x4.extract_lane(v, 0), i32x4.extract_lane(v, 1), i32x4.extract_lane(v, 2), i32x4.extract_lane(v, 3));
}

@unmanaged export class TQ2_0 {
  @inline get dtype(): i32 { return 35; }
  @inline get fileBytes(): usize { return 66; }

  @inline unpack(src: usize, dst: usize, lane: i32): i32 {
    for (let b: usize = 0; b < 8; b++) {
      for (let half: usize = 0; half < 2; half++) {
        const v = i8x16.shr_u(v128.load(src + (b >> 2 << 5) + (half << 4)), <i32>(b & 3) << 1);
        storeVector(dst, lane, (b << 1) + half, v128.and(v, i8x16.splat(3)));
      }
    }
    return storeFactors(dst, lane, halfFinite(src + 64), TABLE);
  }
}

/** The first digits of 8 fractions times `factors`, powers of 3. */
@inline function digits(fractions: v128, factors: v128): v128 {
  const rest = v128.and(i16x8.mul(fractions, factors), i16x8.splat(255));
  return i16x8.shr_u(i16x8.mul(rest, i16x8.splat(3)), 8);
}

@unmanaged export class TQ1_0 {
  @inline get dtype(): i32 { return 34; }
  @inline get fileBytes(): usize { return 54; }

  @inline unpack(src: usize, dst: usize, lane: i32): i32 {
    let power: i32 = 1;
    for (let i: usize = 0; i < 16; i++) { // halves: 10 of the first 32 bytes, 5 of the next 16, the last of 4
      const p = src + (i < 10 ? (i & 1) << 4 : i < 15 ? 32 : 48);
      const last = i == 15, v = last ? v128.load32_splat(p) : v128.load(p);
      const low = last ? i16x8(1, 1, 1, 1, 3, 3, 3, 3) : i16x8.splat(<i16>power);
      const high = last ? i16x8(9, 9, 9, 9, 27, 27, 27, 27) : low;
      const first = digits(i16x8.extend_low_i8x16_u(v), low), second = digits(i16x8.extend_high_i8x16_u(v), high);
      storeVector(dst, lane, i, i8x16.narrow_i16x8_u(first, second));
      if (i >= 10 || i & 1) power = power == 81 ? 1 : power * 3;
    }
    return storeFactors(dst, lane, halfFinite(src + 52), TABLE);
  }
}
