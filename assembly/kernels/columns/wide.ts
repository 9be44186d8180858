/** base: sums of 16 outputs as i16, of `near` and `far` lanes 256 o + e and of their o. */
@inline export function storeWide(to: usize, near: v128, far: v128, o: v128, p: v128): void {
  v128.store(to, i16x8.narrow_i32x4_s(i32x4.sub(near, i32x4.shl(o, 8)), i32x4.sub(far, i32x4.shl(p, 8))));
  v128.store(to, i16x8.narrow_i32x4_s(o, p), 16);
}
