/**
 * The short convolution of a whole document, forward and backward, on rows of (b, c, x) [nTokens, 3 * width]: z = b x, y = c s, channel by
 * channel, s_t = sum_j w_j z_(t - (taps - 1) + j):
 *   dc = dy s,   dz_t = sum_j w_j (dy c)_(t + (taps - 1) - j),   db = dz x,   dx = dz b
 * Test: test/calibrate/gradient.test.ts.
 */
import { multiply } from '../kernels/activation/activation';
import { addTap } from '../kernels/convolution/convolution';

/** s of row `t` at `s`, where row u of z lies at z + u * stride. */
@inline function sumTaps(weights: usize, taps: i32, z: usize, stride: usize, t: i32, width: i32, s: usize): void {
  const first = max(0, taps - 1 - t);
  for (let j = first; j < taps; j++) addTap(weights, taps, j, z + <usize>(t - (taps - 1) + j) * stride, width, j > first ? 1 : 0, s);
}

/** y in place of b, and z in place of x. */
export function convolveRows(weights: usize, taps: i32, mixed: usize, stride: usize, width: i32, nTokens: i32): void {
  const bytes = <usize>width << 2, z = mixed + 2 * bytes;
  for (let t = 0; t < nTokens; t++) {
    const b = mixed + <usize>t * stride;
    multiply(b + 2 * bytes, b, width);
    sumTaps(weights, taps, z, stride, t, width, b);
    multiply(b, b + bytes, width);
  }
}

/**
 * Rows of (b, c, x) → of their gradients, in place; `dy` [nTokens, width] becomes dy c on the way. `z`: room for a document's rows of that
 * stride, `row` for one.
 */
export function convolutionBackward(
  weights: usize, taps: i32, mixed: usize, stride: usize, width: i32, nTokens: i32, dy: usize, yStride: usize, z: usize, row: usize,
): void {
  const bytes = <usize>width << 2;
  for (let t: usize = 0; t < <usize>nTokens; t++) {
    const b = mixed + t * stride, c = b + bytes, d = dy + t * yStride, own = z + t * yStride;
    memory.copy(own, b, bytes);
    multiply(own, b + 2 * bytes, width);
    sumTaps(weights, taps, z, yStride, <i32>t, width, row); // s
    multiply(row, d, width);
    multiply(d, c, width); // dy c
    memory.copy(c, row, bytes); // dc
  }
  for (let t = 0; t < nTokens; t++) {
    const b = mixed + <usize>t * stride, x = b + 2 * bytes, last = min(taps - 1, nTokens - 1 - t);
    for (let k = 0; k <= last; k++) addTap(weights, taps, taps - 1 - k, dy + <usize>(t + k) * yStride, width, k > 0 ? 1 : 0, row); // dz
    for (let i: usize = 0; i < bytes; i += 16) {
      const dz = v128.load(row + i), old = v128.load(b + i);
      v128.store(b + i, f32x4.mul(dz, v128.load(x + i)));
      v128.store(x + i, f32x4.mul(dz, old));
    }
  }
}
