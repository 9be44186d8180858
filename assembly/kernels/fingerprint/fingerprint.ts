/**
 * A fingerprint of bytes, 128 bits in `state`: state = (state ^ 16 bytes) * odd constant, lane by lane, lanes rotated each time, so order
 * and place count. Not cryptographic: it tells models apart, it does not resist an adversary. A tail shorter than 16 bytes is padded with
 * zeros. Runs at the speed of a copy. Test: test/kernels/fingerprint.test.ts.
 */
export function fingerprint(ptr: usize, bytes: usize, state: usize): void {
  const prime = i32x4.splat(0x01000193 | 0x58000000);
  let s = v128.load(state);
  const end = ptr + (bytes & ~15);
  for (; ptr < end; ptr += 16) {
    s = i32x4.mul(v128.xor(s, v128.load(ptr)), prime);
    s = v128.xor(i32x4.shuffle(s, s, 1, 2, 3, 0), i32x4.shr_u(s, 15));
  }
  const rest = bytes & 15;
  if (rest) {
    let t = i32x4.splat(0);
    v128.store(state, t);
    memory.copy(state, ptr, rest);
    t = v128.load(state);
    s = i32x4.mul(v128.xor(s, t), prime);
  }
  v128.store(state, s);
}
