/**
 * coded: value = (d sc) (t[q] - 64), q of 4 bits, t a table of 16 bytes. It holds the dtypes whose values are a few multiples of a scale
 * for 16 columns (coded_iq.ts, coded_tq.ts), each with a table of its own. Superblocks; scales of a block: 8 i8 sc of columns 0..15, 8 i8
 * sc of columns 16..31; factors: 8 f32 d, their lower halves and then their upper ones, and t.
 */
import { madd, swizzle } from '../base/simd';
import { Codes, packedFormat, packedUnit } from './packed';

@unmanaged export class Coded extends Codes {
  @inline get layout(): i32 { return 18; }
  @inline get format(): i32 { return packedFormat(); }
  @inline get bits(): i32 { return 7; }
  @inline get scaleBytes(): usize { return 16; }
  @inline get factorBytes(): usize { return 48; }
  @inline get middle(): i32 { return 64; }
  @inline get halves(): bool { return true; }
  @inline get mins(): bool { return false; }
  @inline table(w: usize): v128 { return v128.load(w + 8 * 144, 32); }

  @inline vector(
    set: usize, i: usize, v0: v128, v1: v128, v2: v128, v3: v128, v4: v128, v5: v128, a: v128, b: v128, c: v128,
  ): v128 {
    return swizzle(b, this.code(set, i, v0, v1, v2, v3, a));
  }
  @inline stored(block: usize, lane: i32, k: usize, factors: usize): i32 { return load<u8>(factors + 32 + this.at(block, lane, k)); }
  @inline scales(p: usize): v128 { return v128.load8x8_s(p); }

  @inline add(block: usize, set: usize, dot: v128, tail: usize, f: v128): v128 {
    return madd(f32x4.convert_i32x4_s(dot), v128.load32_splat(tail), f);
  }

  @inline close(factors: usize, set: usize, g: v128, h: v128, f: v128): v128 {
    const d = v128.or(v128.load16x4_u(factors + 8 * set), i32x4.shl(v128.load16x4_u(factors + (16 + 8 * set)), 16));
    return f32x4.add(f, f32x4.mul(g, f32x4.mul(d, f32x4.splat(packedUnit()))));
  }

  @inline scale(block: usize, factors: usize, lane: i32, half: usize): f32 {
    const d = factors + (<usize>lane << 1);
    return reinterpret<f32>(<u32>load<u16>(d) | <u32>load<u16>(d, 16) << 16) * <f32>load<i8>(block + 128 + (half << 3) + <usize>lane);
  }
}

/** A half of a block: four words of codes, and their scale. */
export function storeCoded(block: usize, lane: i32, half: usize, sc: i32, q0: u32, q1: u32, q2: u32, q3: u32): void {
  changetype<Coded>(0).put(block + (half << 6), lane, q0, q1, q2, q3);
  store<u8>(block + 128 + (half << 3) + <usize>lane, <u8>sc);
}

/** d times a power of two, and the table; 1 where d is not finite. */
export function storeFactors(factors: usize, lane: i32, d: f32, table: usize): i32 {
  const p = factors + (<usize>lane << 1), bits = reinterpret<u32>(d);
  store<u16>(p, <u16>bits);
  store<u16>(p, <u16>(bits >> 16), 16);
  v128.store(factors, v128.load(table), 32);
  return i32(!(abs<f32>(d) < Infinity));
}
