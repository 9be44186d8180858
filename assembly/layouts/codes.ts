/**
 * coded: value = (d sc) (t[q] - 64), q of 4 bits, t a table of 16 bytes. It holds the dtypes whose values are a few multiples of a scale
 * for 16 columns (coded_iq.ts, coded_tq.ts), each with a table of its own. Superblocks; scales: 8 i8 sc of each half of a block;
 * factors: 8 f32 d, their lower halves and then their upper ones, and t.
 */
import { madd, swizzle } from '../base/simd';
import { Codes, packedFormat } from './packed';

@unmanaged export class Coded extends Codes {
  @inline get layout(): i32 { return 18; }
  @inline get format(): i32 { return packedFormat(); }
  @inline get bits(): i32 { return 7; }
  @inline get scaleBytes(): usize { return 128; }
  @inline get factorBytes(): usize { return 48; }
  @inline get middle(): i32 { return 64; }
  @inline get halves(): bool { return true; }
  @inline get mins(): bool { return false; }
  @inline table(w: usize): v128 { return v128.load(w, 160); }

  @inline vector(
    set: usize, i: usize, v0: v128, v1: v128, v2: v128, v3: v128, v4: v128, v5: v128, a: v128, b: v128, c: v128,
  ): v128 {
    return swizzle(b, this.code(set, i, v0, v1, v2, v3, a));
  }
  @inline stored(block: usize, lane: i32, k: usize, unit: usize): i32 { return load<u8>(unit + 160 + this.at(block, lane, k)); }
  @inline scales(p: usize): v128 { return v128.load8x8_s(p); }
  @inline minima(scales: usize, i: usize, set: usize): v128 {
    const p = scales + (i << 4), first = v128.load8x8_s(p), second = v128.load8x8_s(p, 8);
    return set ? i16x8.shuffle(first, second, 4, 12, 5, 13, 6, 14, 7, 15) : i16x8.shuffle(first, second, 0, 8, 1, 9, 2, 10, 3, 11);
  }

  @inline factor4(factors: usize, set: usize): v128 {
    return v128.or(v128.load16x4_u(factors + 8 * set), i32x4.shl(v128.load16x4_u(factors + (16 + 8 * set)), 16));
  }

  @inline close(factors: usize, set: usize, sums: v128, mins: v128, s: v128, f: v128): v128 {
    return madd(f32x4.mul(f32x4.convert_i32x4_s(sums), this.factor4(factors, set)), s, f);
  }

  @inline scale(block: usize, unit: usize, lane: i32, half: usize): f32 {
    const d = unit + 128 + (<usize>lane << 1), sc = unit + ((block - unit - 176) / 128 << 4) + (half << 3);
    return reinterpret<f32>(<u32>load<u16>(d) | <u32>load<u16>(d, 16) << 16) * <f32>load<i8>(sc + <usize>lane);
  }
}

/** Half `half` (0..15) of a superblock: four words of codes, and their scale. */
export function storeCoded(unit: usize, lane: i32, half: usize, sc: i32, q0: u32, q1: u32, q2: u32, q3: u32): void {
  changetype<Coded>(0).put(unit + 176 + (half << 6), lane, q0, q1, q2, q3);
  store<u8>(unit + (half << 3) + <usize>lane, <u8>sc);
}

/** d times a power of two, and the table; 1 where d is not finite. */
export function storeFactors(unit: usize, lane: i32, d: f32, table: usize): i32 {
  const p = unit + 128 + (<usize>lane << 1), bits = reinterpret<u32>(d);
  store<u16>(p, <u16>bits);
  store<u16>(p, <u16>(bits >> 16), 16);
  v128.store(unit, v128.load(table), 160);
  return i32(!(abs<f32>(d) < Infinity));
}
