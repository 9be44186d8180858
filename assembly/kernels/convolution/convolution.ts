/**
 * A short causal convolution over positions, each channel by itself (LFM2), one position p at a time:
 *   y_i = sum_j w_ij z_i(p - (taps - 1) + j),   j = 0 .. taps - 1,   oldest first; before position 0 there is nothing
 * z, y [width] f32, width a multiple of 4; w [width, taps] f32 as files have it. Error: that of an f32 sum over the taps.
 *
 * Of a sequence's z these rows are kept, a layer: the last taps - 1 of every block of `Convolution.block` positions, for good, so that
 * computing can go on behind any block; and the latest `Convolution.ring` of the others, so that it can go on anywhere near the end.
 * [ceil(capacity / block) * (taps - 1) + ring, width], 2 <= taps <= ring. Who has lost a row goes back to the block before (the host).
 * Test: test/kernels/convolution.test.ts.
 */
import { Convolution } from '../../abi/enums';
import { madd } from '../../base/simd';

@inline function blocks(capacity: i32): i32 { return (capacity + Convolution.block - 1) / Convolution.block; }

/** Rows of one layer. */
export function convolutionRows(capacity: i32, taps: i32): i32 { return blocks(capacity) * (taps - 1) + Convolution.ring; }

/** Which of them is z of `position`. */
export function convolutionRow(capacity: i32, taps: i32, position: i32): i32 {
  const at = position % Convolution.block - (Convolution.block - (taps - 1));
  if (at >= 0) return position / Convolution.block * (taps - 1) + at;
  return blocks(capacity) * (taps - 1) + position % Convolution.ring;
}

/** y = w_j z, or with `more` y += w_j z: one tap of all channels. */
export function addTap(weights: usize, taps: i32, j: i32, z: usize, width: i32, more: i32, y: usize): void {
  const step = <usize>taps << 2;
  let w = weights + (<usize>j << 2);
  for (const end = y + (<usize>width << 2); y < end; y += 16, z += 16, w += step << 2) {
    let four = v128.load32_splat(w);
    four = v128.load_lane<f32>(w + step, four, 1);
    four = v128.load_lane<f32>(w + 2 * step, four, 2);
    four = v128.load_lane<f32>(w + 3 * step, four, 3);
    v128.store(y, more ? madd(four, v128.load(z), v128.load(y)) : f32x4.mul(four, v128.load(z)));
  }
}

/** y of `position` from the rows of a layer, where z of it lies already. */
export function convolve(weights: usize, taps: i32, rows: usize, rowBytes: i32, capacity: i32, position: i32, width: i32, y: usize): void {
  const first = max(0, taps - 1 - position);
  for (let j = first; j < taps; j++) {
    const row = convolutionRow(capacity, taps, position - (taps - 1) + j);
    addTap(weights, taps, j, rows + <usize>row * <usize>rowBytes, width, j > first ? 1 : 0, y);
  }
}
