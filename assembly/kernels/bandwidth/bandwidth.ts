/**
 * Reads memory as fast as this runtime lets a program read it: the ceiling that decode is measured against. Four chains of 16 bytes,
 * strictly sequential; `bytes` a multiple of 64. The sum is returned so that nothing is optimised away.
 * Test: test/kernels/bandwidth.test.ts.
 */
export function readMemory(ptr: usize, bytes: usize): i32 {
  let a = i32x4.splat(0), b = a, c = a, d = a;
  for (const end = ptr + bytes; ptr < end; ptr += 64) {
    a = i32x4.add(a, v128.load(ptr));
    b = i32x4.add(b, v128.load(ptr, 16));
    c = i32x4.add(c, v128.load(ptr, 32));
    d = i32x4.add(d, v128.load(ptr, 48));
  }
  const sum = i32x4.add(i32x4.add(a, b), i32x4.add(c, d));
  return i32x4.extract_lane(sum, 0) + i32x4.extract_lane(sum, 1) + i32x4.extract_lane(sum, 2) + i32x4.extract_lane(sum, 3);
}
