/**
 * The Packed kinds (kinds.ts): quants of b bits, and codes that stand for values of a table. In each half of a block (16 columns), b
 * vectors hold eight: four of either set, vector i of them columns 4i .. 4i + 3. The first quants lie in the low bits of a vector each; the
 * others are spread over the high bits that these leave free, so that no vector costs more than a mask and the last ones a few shifts. (A
 * plane of nibbles and a plane of fifth or sixth bits takes the same room, and half as many instructions again.)
 *   vector   vector i (a literal) of `set` of the half whose vectors are v0 .. v5, unsigned, below 128; the constants a, b, c are what
 *            `mask`, `table` and `third` say, loaded once
 *   put      columns 0..15 of row `lane` of the half at `p`: four words of 4 quants; bits of other rows stay
 *   word     one of those words
 * The last two are calls, not inlined: nothing that is read once or seldom needs to be fast, and there are many layouts.
 */
import { mask01, mask03, mask06, mask07, mask1f, mask3f, nibbleMask, swizzle } from '../base/simd';
import { Format, Kind, the } from './kinds';

/** Packed quants meet x as signed bytes where there is a dot product of bytes, else as pairs of 16-bit numbers. */
@inline export function packedFormat(): i32 { return ASC_FEATURE_RELAXED_SIMD ? Format.x4 : Format.x8; }

/** Where row `lane` has its 4 bytes of a vector. */
@inline function lane4(lane: i32): usize { return <usize>(lane & 3) << 2; }

/** Byte k & 3 of a word. */
@inline function byteOf(word: u32, k: usize): i32 { return <i32>(word >> <u32>((k & 3) << 3) & 255); }

/** The bits of `mask` at p become those of `bits`. */
@inline function merge(p: usize, mask: u32, bits: u32): void { store<u32>(p, (load<u32>(p) & ~mask) | bits); }

/** Vector i (a literal) of the half at p, where it has that many. */
@inline export function partOf<L>(p: usize, i: usize): v128 {
  return i < the<L>().quantBytes >> 5 ? v128.load(p + 16 * i) : i32x4.splat(0);
}

/** 32 quants of row `lane`, columns 0..15 and 16..31 as bytes, into a block. */
@inline export function storePacked<L>(block: usize, lane: i32, first: v128, second: v128): void {
  for (let half = 0; half < 2; half++, first = second, block += the<L>().quantBytes >> 1) {
    the<L>().put(
      block, lane, i32x4.extract_lane(first, 0), i32x4.extract_lane(first, 1), i32x4.extract_lane(first, 2), i32x4.extract_lane(first, 3));
  }
}

/** What of v is above `mask`, from what is not: andnot would be two instructions in V8. */
@inline function top(v: v128, mask: v128): v128 { return v128.xor(v, v128.and(v, mask)); }

/** Both i16 of a word shifted, as i16x8.shr_u does it. */
@inline function shift16(word: u32, by: u32): u32 { return word >> by & (0xffff >> by) * 0x10001; }

/**
 * Vectors 0..2 begin with quants 0..2 of set 0, 3 and 4 with 0 and 1 of set 1. The high bits of 0 and 1 make quant 3 of set 0, those of 2
 * and 3 quant 2 of set 1, those of 4, with a bit each of 1 and 3, quant 3 of set 1: as differences (xor) to what shifting leaves in the low
 * five bits, which costs a mask less for each vector that takes part.
 */
@unmanaged export class Fives {
  @inline get kind(): i32 { return Kind.packed; }
  @inline get format(): i32 { return packedFormat(); }
  @inline get quantBytes(): usize { return 160; }
  @inline get bits(): i32 { return 5; }
  @inline get mask(): v128 { return mask1f(); }
  @inline get third(): v128 { return mask1f(); }
  @inline table(w: usize): v128 { return mask1f(); }

  @inline needs(set: usize, i: usize): bool { return set ? i > 0 : i < 3; }
  @inline vector(set: usize, i: usize, v0: v128, v1: v128, v2: v128, v3: v128, v4: v128, v5: v128, a: v128, b: v128, c: v128): v128 {
    if (set ? i == 2 : i == 3) return v128.and(v128.xor(i16x8.shr_u(set ? v2 : v0, 3), i16x8.shr_u(set ? v3 : v1, 6)), a);
    if (i == 3) return v128.and(v128.xor(v128.xor(i16x8.shr_u(v1, 5), i16x8.shr_u(v3, 4)), i16x8.shr_u(v4, 3)), a);
    return v128.and(set ? (i ? v4 : v3) : i == 0 ? v0 : i == 1 ? v1 : v2, a);
  }

  put(half: usize, lane: i32, q0: u32, q1: u32, q2: u32, q3: u32): void {
    const p = half + lane4(lane), set = lane >> 2, other = lane ^ 4; // what the other set's row has must be put anew
    const o0 = this.word(half, other, 0), o1 = this.word(half, other, 1), o2 = this.word(half, other, 2), o3 = this.word(half, other, 3);
    let w0 = set ? o0 : q0, w1 = set ? o1 : q1, w2 = set ? o2 : q2, w3 = set ? q0 : o0, w4 = set ? q1 : o1;
    const last = set ? o3 : q3, second = set ? q2 : o2, third = set ? q3 : o3;
    const upper = last ^ shift16(w0, 3), upper2 = second ^ shift16(w2, 3);
    w0 |= (last ^ shift16(w1, 6)) << 3 & 0xe0e0e0e0;
    w1 |= upper << 6 & 0xc0c0c0c0;
    w2 |= (second ^ shift16(w3, 6)) << 3 & 0xe0e0e0e0;
    w3 |= upper2 << 6 & 0xc0c0c0c0;
    const rest = third ^ shift16(w1, 5) ^ shift16(w3, 4) ^ shift16(w4, 3);
    store<u32>(p, w0);
    store<u32>(p, w1 | rest << 5 & 0x20202020, 16);
    store<u32>(p, w2, 32);
    store<u32>(p, w3 | rest << 4 & 0x20202020, 48);
    store<u32>(p, w4 | rest << 3 & 0xe0e0e0e0, 64);
  }

  word(half: usize, lane: i32, i: usize): u32 {
    const p = half + lane4(lane), set = <usize>(lane >> 2);
    if (i < 3 - set) return load<u32>(p + ((3 * set + i) << 4)) & 0x1f1f1f1f;
    const q = p + (set << 5);
    if (i == 3 - set) return (shift16(load<u32>(q), 3) ^ shift16(load<u32>(q, 16), 6)) & 0x1f1f1f1f;
    return (shift16(load<u32>(p, 16), 5) ^ shift16(load<u32>(p, 48), 4) ^ shift16(load<u32>(p, 64), 3)) & 0x1f1f1f1f;
  }

  @inline stored(block: usize, lane: i32, k: usize, unit: usize): i32 {
    return byteOf(this.word(block + (k >> 4) * 80, lane, k >> 2 & 3), k);
  }
}

/**
 * Of either set, three vectors (the sets take turns) hold four: quants 0..2, and 3 in their two high bits, as the difference (xor) to what
 * shifting leaves in the others: three shifts, two xor and a mask make it, nine operations all four.
 */
@unmanaged export class Sixes {
  @inline get kind(): i32 { return Kind.packed; }
  @inline get format(): i32 { return packedFormat(); }
  @inline get quantBytes(): usize { return 192; }
  @inline get bits(): i32 { return 6; }
  @inline get mask(): v128 { return mask3f(); }
  @inline get third(): v128 { return mask3f(); }
  @inline table(w: usize): v128 { return mask3f(); }

  @inline needs(set: usize, i: usize): bool { return (i & 1) == set; }
  @inline vector(set: usize, i: usize, v0: v128, v1: v128, v2: v128, v3: v128, v4: v128, v5: v128, a: v128, b: v128, c: v128): v128 {
    const t = set ? v1 : v0, u = set ? v3 : v2, v = set ? v5 : v4;
    if (i < 3) return v128.and(i == 0 ? t : i == 1 ? u : v, a);
    return v128.and(v128.xor(i16x8.shr_u(t, 2), v128.xor(i16x8.shr_u(u, 4), i16x8.shr_u(v, 6))), a);
  }

  put(half: usize, lane: i32, q0: u32, q1: u32, q2: u32, q3: u32): void {
    const p = half + lane4(lane) + (<usize>(lane >> 2) << 4);
    const rest = q3 ^ shift16(q0, 2) ^ shift16(q1, 4) ^ shift16(q2, 6);
    store<u32>(p, q0 | (rest & 0x30303030) << 2);
    store<u32>(p, q1 | (rest & 0x0c0c0c0c) << 4, 32);
    store<u32>(p, q2 | (rest & 0x03030303) << 6, 64);
  }

  word(half: usize, lane: i32, i: usize): u32 {
    const p = half + lane4(lane) + (<usize>(lane >> 2) << 4);
    if (i < 3) return load<u32>(p + (i << 5)) & 0x3f3f3f3f;
    return (shift16(load<u32>(p), 2) ^ shift16(load<u32>(p, 32), 4) ^ shift16(load<u32>(p, 64), 6)) & 0x3f3f3f3f;
  }

  @inline stored(block: usize, lane: i32, k: usize, unit: usize): i32 {
    return byteOf(this.word(block + (k >> 4) * 96, lane, k >> 2 & 3), k);
  }
}

/** Vector 0 holds quants 0 and 1 of set 0, 1 quant 2 of set 0 and 0 of set 1, 2 quants 1 and 2 of set 1; the last ones are above them. */
@unmanaged export class Threes {
  @inline get kind(): i32 { return Kind.packed; }
  @inline get format(): i32 { return packedFormat(); }
  @inline get quantBytes(): usize { return 96; }
  @inline get bits(): i32 { return 3; }
  @inline get mask(): v128 { return mask07(); }
  @inline get third(): v128 { return mask01(); }
  @inline table(w: usize): v128 { return mask06(); }

  @inline needs(set: usize, i: usize): bool { return set ? i > 0 : i < 2; }
  @inline vector(set: usize, i: usize, v0: v128, v1: v128, v2: v128, v3: v128, v4: v128, v5: v128, a: v128, b: v128, c: v128): v128 {
    if (i == 3) return v128.or(v128.and(i16x8.shr_u(set ? v2 : v0, 5), b), v128.and(i16x8.shr_u(v1, <i32>(6 + set)), c));
    const at = 3 * set + i, v = at < 2 ? v0 : at < 4 ? v1 : v2;
    return v128.and(at & 1 ? i16x8.shr_u(v, 3) : v, a);
  }

  put(half: usize, lane: i32, q0: u32, q1: u32, q2: u32, q3: u32): void {
    const p = half + lane4(lane);
    if (lane < 4) {
      store<u32>(p, q0 | q1 << 3 | (q3 & 0x06060606) << 5);
      merge(p + 16, 0x47474747, q2 | (q3 & 0x01010101) << 6);
    } else {
      merge(p + 16, 0xb8b8b8b8, q0 << 3 | (q3 & 0x01010101) << 7);
      store<u32>(p, q1 | q2 << 3 | (q3 & 0x06060606) << 5, 32);
    }
  }

  word(half: usize, lane: i32, i: usize): u32 {
    const p = half + lane4(lane), set = <usize>(lane >> 2), at = 3 * set + i;
    if (i < 3) return load<u32>(p + (at >> 1 << 4)) >> (at & 1 ? 3 : 0) & 0x07070707;
    return (load<u32>(p + (set << 5)) >> 5 & 0x06060606) | (load<u32>(p, 16) >> <u32>(6 + set) & 0x01010101);
  }

  @inline stored(block: usize, lane: i32, k: usize, unit: usize): i32 {
    return byteOf(this.word(block + (k >> 4) * 48, lane, k >> 2 & 3), k);
  }
}

/** A vector of either set holds all four. */
@unmanaged export class Twos {
  @inline get kind(): i32 { return Kind.packed; }
  @inline get format(): i32 { return packedFormat(); }
  @inline get quantBytes(): usize { return 64; }
  @inline get bits(): i32 { return 2; }
  @inline get mask(): v128 { return mask03(); }
  @inline get third(): v128 { return mask03(); }
  @inline table(w: usize): v128 { return mask03(); }

  @inline needs(set: usize, i: usize): bool { return i == set; }
  @inline vector(set: usize, i: usize, v0: v128, v1: v128, v2: v128, v3: v128, v4: v128, v5: v128, a: v128, b: v128, c: v128): v128 {
    const v = set ? v1 : v0;
    return v128.and(i ? i16x8.shr_u(v, <i32>(2 * i)) : v, a);
  }

  put(half: usize, lane: i32, q0: u32, q1: u32, q2: u32, q3: u32): void {
    store<u32>(half + lane4(lane) + (<usize>(lane >> 2) << 4), q0 | q1 << 2 | q2 << 4 | q3 << 6);
  }

  word(half: usize, lane: i32, i: usize): u32 {
    return load<u32>(half + lane4(lane) + (<usize>(lane >> 2) << 4)) >> <u32>(i << 1) & 0x03030303;
  }

  @inline stored(block: usize, lane: i32, k: usize, unit: usize): i32 {
    return byteOf(this.word(block + (k >> 4) * 32, lane, k >> 2 & 3), k);
  }
}

/** Of either set, two vectors (the sets take turns) hold four as nibbles: 0 and 1, 2 and 3; codes, places in a table of 16 bytes. */
@unmanaged export class Codes {
  @inline get kind(): i32 { return Kind.packed; }
  @inline get quantBytes(): usize { return 128; }
  @inline get mask(): v128 { return nibbleMask(); }
  @inline get third(): v128 { return nibbleMask(); }

  @inline needs(set: usize, i: usize): bool { return (i & 1) == set; }
  @inline code(set: usize, i: usize, v0: v128, v1: v128, v2: v128, v3: v128, a: v128): v128 {
    const v = i < 2 ? (set ? v1 : v0) : set ? v3 : v2;
    return v128.and(i & 1 ? i16x8.shr_u(v, 4) : v, a);
  }

  put(half: usize, lane: i32, q0: u32, q1: u32, q2: u32, q3: u32): void {
    const p = half + lane4(lane) + (<usize>(lane >> 2) << 4);
    store<u32>(p, q0 | q1 << 4);
    store<u32>(p, q2 | q3 << 4, 32);
  }

  word(half: usize, lane: i32, i: usize): u32 {
    return load<u32>(half + lane4(lane) + (<usize>(lane >> 2) << 4) + (i >> 1 << 5)) >> <u32>((i & 1) << 2) & 0x0f0f0f0f;
  }

  @inline at(block: usize, lane: i32, k: usize): usize { return <usize>byteOf(this.word(block + (k >> 4 << 6), lane, k >> 2 & 3), k); }
}
