/**
 * kernels/matvec for Floats. Even and odd columns have accumulators of their own, joined once at the end: four chains of multiply-adds,
 * whose latency of 4 cycles is what 16 products cost at least (28 GB/s of 16-bit weights at 3.7 GHz: above what one core reads).
 * Halves: of two columns 2 loads of weights, 2 of x, 4 multiply-adds; beside them BF16 2 shifts and 2 masks, F16 4 shifts (two of them
 * products, which keep off the shifts' ports), 4 masks and 2 products that lift x: 24 and 36 instructions a cache line.
 * Test: test/kernels/matvec.test.ts.
 */
import { madd } from '../../base/simd';
import { isHalf, the, unitBytes } from '../../layouts/kinds';

/** x as a layout wants it, and sums as it leaves them; `lift` is the layout's. */
@inline export function lifted<L>(v: v128, lift: v128): v128 { return the<L>().lift == 1 ? v : f32x4.mul(v, lift); }

export function floats<L>(w: usize, groups: i32, cols: i32, x0: usize, y: usize): void {
  const set = unitBytes<L>() >> 1; // 4 rows of a column
  const mask = the<L>().mask, first = the<L>().first, second = the<L>().second, lift = f32x4.splat(the<L>().lift);
  const xEven = x0 + ((<usize>cols >> 1) << 3);
  for (const end = y + (<usize>groups << 5); y < end; y += 32) {
    let a0 = f32x4.splat(0), a1 = a0, b0 = a0, b1 = a0;
    for (let x = x0; x < xEven; x += 8, w += 4 * set) {
      const even = lifted<L>(v128.load32_splat(x), lift), odd = lifted<L>(v128.load32_splat(x, 4), lift);
      if (isHalf<L>()) {
        const v = v128.load(w), u = v128.load(w, 16);
        a0 = madd(the<L>().even(v, first, mask), even, a0); a1 = madd(the<L>().even(u, first, mask), even, a1);
        b0 = madd(the<L>().odd(v, second, mask), odd, b0); b1 = madd(the<L>().odd(u, second, mask), odd, b1);
      } else {
        a0 = madd(the<L>().four(w), even, a0); a1 = madd(the<L>().four(w + set), even, a1);
        b0 = madd(the<L>().four(w + 2 * set), odd, b0); b1 = madd(the<L>().four(w + 3 * set), odd, b1);
      }
    }
    if (cols & 1) {
      const even = lifted<L>(v128.load32_splat(xEven), lift);
      a0 = madd(the<L>().four(w), even, a0);
      a1 = madd(the<L>().four(w + set), even, a1);
      w += 2 * set;
    }
    v128.store(y, lifted<L>(f32x4.add(a0, b0), lift));
    v128.store(y, lifted<L>(f32x4.add(a1, b1), lift), 16);
  }
}
