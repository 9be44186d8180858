/**
 * The few SIMD words that every kernel speaks, and the whole difference between the two builds: `madd` fuses on `relaxed` and
 * rounds twice on `base`. Constants that a loop needs lie in memory: V8 13 and later rebuild a `v128.const` at every use.
 */

// 0: 0x0f x16 | 16: i16 1 x8 | 32: i16 0x000f | 48: i16 0x00f0 | 64: i16 0x0f00 | 80: i16 0x00ff | 96: i32 0x8fffffff
// 112: i16 0x2000 0 | 128: i16 0 0x2000 | 144: f32 2^23 + 2^22 | 160: f32 2^32 | 176: 0x1f x16 | 192: i32 0xffff0000
// 208: 0x3f | 224: i32 0x8fffe000 | 240: 0x07 x16 | 256: 0x03 | 272: 0x06 | 288: 0x01 | 304: i16 0x0080
const TABLE: usize = memory.data<u32>([
  0x0f0f0f0f, 0x0f0f0f0f, 0x0f0f0f0f, 0x0f0f0f0f,
  0x00010001, 0x00010001, 0x00010001, 0x00010001,
  0x000f000f, 0x000f000f, 0x000f000f, 0x000f000f,
  0x00f000f0, 0x00f000f0, 0x00f000f0, 0x00f000f0,
  0x0f000f00, 0x0f000f00, 0x0f000f00, 0x0f000f00,
  0x00ff00ff, 0x00ff00ff, 0x00ff00ff, 0x00ff00ff,
  0x8fffffff, 0x8fffffff, 0x8fffffff, 0x8fffffff,
  0x00002000, 0x00002000, 0x00002000, 0x00002000,
  0x20000000, 0x20000000, 0x20000000, 0x20000000,
  0x4b400000, 0x4b400000, 0x4b400000, 0x4b400000,
  0x4f800000, 0x4f800000, 0x4f800000, 0x4f800000,
  0x1f1f1f1f, 0x1f1f1f1f, 0x1f1f1f1f, 0x1f1f1f1f,
  0xffff0000, 0xffff0000, 0xffff0000, 0xffff0000,
  0x3f3f3f3f, 0x3f3f3f3f, 0x3f3f3f3f, 0x3f3f3f3f,
  0x8fffe000, 0x8fffe000, 0x8fffe000, 0x8fffe000,
  0x07070707, 0x07070707, 0x07070707, 0x07070707,
  0x03030303, 0x03030303, 0x03030303, 0x03030303,
  0x06060606, 0x06060606, 0x06060606, 0x06060606,
  0x01010101, 0x01010101, 0x01010101, 0x01010101,
  0x00800080, 0x00800080, 0x00800080, 0x00800080,
], 16);

@inline export function nibbleMask(): v128 { return v128.load(TABLE); }
@inline export function ones16(): v128 { return v128.load(TABLE, 16); }
@inline export function mask000f(): v128 { return v128.load(TABLE, 32); }
@inline export function mask00f0(): v128 { return v128.load(TABLE, 48); }
@inline export function mask0f00(): v128 { return v128.load(TABLE, 64); }
@inline export function mask00ff(): v128 { return v128.load(TABLE, 80); }
@inline export function halfMask(): v128 { return v128.load(TABLE, 96); }
@inline export function evenHalves(): v128 { return v128.load(TABLE, 112); }
@inline export function oddHalves(): v128 { return v128.load(TABLE, 128); }
@inline export function mask1f(): v128 { return v128.load(TABLE, 176); }
@inline export function mask3f(): v128 { return v128.load(TABLE, 208); }
@inline export function mask07(): v128 { return v128.load(TABLE, 240); }
@inline export function mask03(): v128 { return v128.load(TABLE, 256); }
@inline export function mask06(): v128 { return v128.load(TABLE, 272); }
@inline export function mask01(): v128 { return v128.load(TABLE, 288); }
@inline export function evenSigns(): v128 { return v128.load(TABLE, 304); }

@inline export function shiftedMask(): v128 { return v128.load(TABLE, 224); }
@inline export function upperMask(): v128 { return v128.load(TABLE, 192); }

/** 2^112: what the shifted bits of an f16 are short of (see `half4`). */
export const TWO112: f32 = 5.192296858534828e33;

/**
 * Of 2^112 the part that x's constants carry (kernels/quantize), and the rest, that a kernel multiplies its finished sums with: with all of
 * it in the constants, block sums of x from 2^16 on would be infinite. Powers of two change no bit.
 */
export const TWO80: f32 = 1.2089258196146292e24;
export const TWO56: f32 = 72057594037927936;
@inline export function times32(sums: v128): v128 { return f32x4.mul(sums, v128.load(TABLE, 160)); }

/** a * b + c. */
@inline export function madd(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_madd(a, b, c);
  return f32x4.add(f32x4.mul(a, b), c);
}

/**
 * f32 + 2^23 + 2^22, whose last bits are the nearest integer, halves to even, for |v| < 2^22: `roundedInt` and `roundedFloat` read it.
 * Three instructions where `nearest` and a saturating conversion are eight.
 */
@inline export function rounded(v: v128): v128 { return f32x4.add(v, v128.load(TABLE, 144)); }
@inline export function roundedInt(r: v128): v128 { return i32x4.sub(r, v128.load(TABLE, 144)); }
@inline export function roundedFloat(r: v128): v128 { return f32x4.sub(r, v128.load(TABLE, 144)); }

/** Four f16 at `p` as f32 times 2^-112, exact for every finite value; the caller folds 2^112 into other factors. */
@inline export function half4(p: usize): v128 {
  return v128.and(i32x4.shl(v128.load16x4_s(p), 13), v128.load(TABLE, 96));
}

/**
 * Of eight f16 in pairs, the four that `which` (evenHalves() or oddHalves()) chooses: a product with 2^13 shifts and extends the sign in
 * one instruction, and not on the ports that are busy with shuffles. `mask` is halfMask(). f32 times 2^-112 as well.
 */
@inline export function halfOf(pairs: v128, which: v128, mask: v128): v128 {
  return v128.and(i32x4.dot_i16x8_s(pairs, which), mask);
}

/** Four f16 at `p` as f32, exact for every finite value; or times a power of two. */
@inline export function half4Exact(p: usize, times: f32 = 1): v128 {
  return f32x4.mul(half4(p), f32x4.splat(TWO112 * times));
}

/** Four bf16 at `p` as f32, exact. */
@inline export function brain4(p: usize): v128 {
  return i32x4.shl(v128.load16x4_u(p), 16);
}

/** The bytes of v that `lanes` names, each < 16; what others give is not to be used. */
@inline export function swizzle(v: v128, lanes: v128): v128 {
  return ASC_FEATURE_RELAXED_SIMD ? i8x16.relaxed_swizzle(v, lanes) : i8x16.swizzle(v, lanes);
}

/** Sum of the four lanes, pairs first: the same order in every build. */
@inline export function hsum(v: v128): f32 {
  const pair = f32x4.add(v, i8x16.shuffle(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7));
  return f32x4.extract_lane(pair, 0) + f32x4.extract_lane(pair, 1);
}

/** Largest of the four lanes. */
@inline export function hmax(v: v128): f32 {
  const pair = f32x4.max(v, i8x16.shuffle(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7));
  return max(f32x4.extract_lane(pair, 0), f32x4.extract_lane(pair, 1));
}

/** Largest of the four i32. */
@inline export function hmaxInt(v: v128): i32 {
  const pair = i32x4.max_s(v, i64x2.shuffle(v, v, 1, 0));
  return max(i32x4.extract_lane(pair, 0), i32x4.extract_lane(pair, 1));
}

/** Sum of the four i32. */
@inline export function hsumInt(v: v128): i32 {
  const pair = i32x4.add(v, i64x2.shuffle(v, v, 1, 0));
  return i32x4.extract_lane(pair, 0) + i32x4.extract_lane(pair, 1);
}
