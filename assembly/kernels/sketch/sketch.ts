/**
 * A matrix a second time, to four bits: what its products nearly are, for half a byte a weight and little arithmetic. Whoever needs a
 * product to the last bit takes it from the matrix itself (forward/stages.ts).
 *
 * A few columns of a head have weights many times as large as the others, and meet the largest elements of x: of three models 32 of 576 to
 * 896 columns hold 57 to 98 % of the squares that products are made of. These are kept to 8 bits; the others to nibbles with one step for
 * a whole row, so that their sums stay integers but for the scales of x. Errors are then a third to a half of those of nibbles with a
 * scale for every 32 columns.
 *
 *   wide   [32] u16: the wide columns, ascending
 *   group of 8 rows (layouts/kinds.ts): 8 f32 step, 8 f32 `left` (the root mean square of w - (n - 7.5) step), 8 f32 step of wide columns,
 *          16 times 16 B for 8 rows x 2 wide columns, then for every 32 others 128 B: nibbles n in the walk of the fast 4-bit kernels, 16 B
 *          for 4 rows x 8 columns, a row's columns 0 .. 3 in its low nibbles, 4 .. 7 in its high ones
 *
 * What is left is as good as random: x times it has a mean of 0 and the variance left^2 |x|^2.
 * Preconditions: cols a multiple of 32, from 64 to 65504. Test: test/kernels/sketch.test.ts.
 */
import { hmax, hsum } from '../../base/simd';
import { layoutBytes } from '../../layouts/sizes';
import { dequantGroup } from '../embed/embed';

export const WIDE = 32;
export const LEFT: usize = 32, WIDE_STEP: usize = 64, WIDE_COLUMNS: usize = 96, NIBBLES: usize = 352, UNIT: usize = 128;

/** Bytes of the list of wide columns, and of a group. */
export const LIST: usize = 64;
@inline export function sketchBytes(cols: i32): usize { return NIBBLES + <usize>((cols - WIDE) >> 5) * UNIT; }

/** Lists the columns of a matrix that are wide in `rows` of its rows, which are at `w`. `scratch` [9, cols] f32. */
export function listWide(layout: i32, w: usize, rows: i32, cols: i32, scratch: usize, list: usize): void {
  const bytes = <usize>cols << 2, sums = scratch + (bytes << 3);
  memory.fill(sums, 0, bytes);
  for (let r = 0; r < rows; r += 8, w += layoutBytes(layout, 8, cols)) { // a last group is filled up with zeros
    dequantGroup(layout, w, cols, scratch);
    for (let row = scratch; row < sums; row += bytes) {
      for (let at: usize = 0; at < bytes; at += 16) v128.store(sums + at, addSquare(v128.load(sums + at), v128.load(row + at)));
    }
  }
  for (let n = 0; n < WIDE; n++) {
    let widest = -1;
    for (let j = 0, most: f32 = -1; j < cols; j++) {
      const sum = load<f32>(sums + (<usize>j << 2));
      if (sum == -1 || (widest >= 0 && !(sum > most))) continue; // of sums that are no numbers the first
      widest = j;
      most = sum;
    }
    store<f32>(sums + (<usize>widest << 2), -1);
  }
  for (let j = 0; j < cols; j++) {
    if (load<f32>(sums + (<usize>j << 2)) != -1) continue;
    store<u16>(list, <u16>j);
    list += 2;
  }
}

/** x [cols] f32, the columns of the list behind the others. */
export function inOrder(x: usize, cols: i32, list: usize, to: usize): void {
  let from = 0;
  for (let wide = to + (<usize>(cols - WIDE) << 2), end = to + (<usize>cols << 2); wide < end; wide += 4, list += 2) {
    const col = <i32>load<u16>(list), bytes = <usize>(col - from) << 2;
    memory.copy(to, x + (<usize>from << 2), bytes);
    to += bytes;
    store<f32>(wide, load<f32>(x + (<usize>col << 2)));
    from = col + 1;
  }
  memory.copy(to, x + (<usize>from << 2), <usize>(cols - from) << 2);
}

/** Of 4 weights, in steps: the nibbles. */
@inline function nibbles4(v: v128): v128 {
  return i32x4.min_u(i32x4.trunc_sat_f32x4_u(f32x4.add(v, f32x4.splat(8))), i32x4.splat(15));
}

/** What nibbles leave of them. */
@inline function left4(v: v128, nibbles: v128): v128 { return f32x4.sub(v, f32x4.sub(f32x4.convert_i32x4_u(nibbles), f32x4.splat(7.5))); }

@inline function addSquare(sum: v128, v: v128): v128 { return f32x4.add(sum, f32x4.mul(v, v)); }

function squares(row: usize, end: usize): f32 {
  let sum = f32x4.splat(0);
  for (; row < end; row += 16) sum = addSquare(sum, v128.load(row));
  return hsum(sum);
}

/**
 * Of every fourth four weights, the sum of fourth powers of what a step leaves: of a step that is too small a few large ones leave much,
 * and an x that is large there errs by many deviations.
 */
function sample(row: usize, end: usize, step: f32): f32 {
  const times = f32x4.splat(<f32>1 / step);
  let sum = f32x4.splat(0);
  for (; row < end; row += 64) {
    const v = f32x4.mul(v128.load(row), times), left = left4(v, nibbles4(v));
    sum = addSquare(sum, f32x4.mul(left, left));
  }
  return hsum(sum) * step * step * step * step;
}

/** Steps that are tried, as shares of the root mean square. */
const steps = memory.data<f32>([0.36, 0.41, 0.48, 0.6]);

/** A row's ordinary columns, at `row` to `end` f32, into its lane of the group at `dst`. Whether they have a finite norm. */
function narrow(row: usize, end: usize, lane: usize, dst: usize): bool {
  const n = <f32>((end - row) >> 2), rms = sqrt<f32>(squares(row, end) / n), at = dst + (lane << 2);
  let step: f32 = rms * <f32>0.41, least: f32 = Infinity;
  if (rms > 0) for (let i: usize = 0; i < 16; i += 4) {
    const tried = load<f32>(steps + i) * rms, left = sample(row, end, tried);
    if (left < least) { least = left; step = tried; }
  }
  const inverse = f32x4.splat(step > 0 ? <f32>1 / step : 0);
  let sum = f32x4.splat(0);
  for (let q = dst + NIBBLES + (lane << 2); row < end; row += 32, q += 32) {
    const v = f32x4.mul(v128.load(row), inverse), u = f32x4.mul(v128.load(row, 16), inverse), near = nibbles4(v), far = nibbles4(u);
    const both = v128.or(near, i32x4.shl(far, 4)), two = i16x8.narrow_i32x4_u(both, both);
    v128.store32_lane(q, i8x16.narrow_i16x8_u(two, two), 0);
    sum = addSquare(addSquare(sum, left4(v, near)), left4(u, far));
  }
  store<f32>(at, step);
  store<f32>(at, step * sqrt<f32>(hsum(sum) / n), LEFT);
  return rms < Infinity;
}

/** Its wide columns, at `row` f32. */
function wide(row: usize, lane: usize, dst: usize): bool {
  let most = f32x4.splat(0);
  for (let at: usize = 0; at < <usize>WIDE << 2; at += 16) most = f32x4.max(most, f32x4.abs(v128.load(row + at)));
  const step = hmax(most) / 127, inverse = step > 0 ? <f32>1 / step : 0;
  store<f32>(dst + (lane << 2), step, WIDE_STEP);
  for (let p = dst + WIDE_COLUMNS + (lane << 1), end = p + (<usize>WIDE << 3); p < end; p += 16, row += 8) {
    store<i8>(p, <i8>nearest<f32>(load<f32>(row) * inverse));
    store<i8>(p, <i8>nearest<f32>(load<f32>(row, 4) * inverse), 1);
  }
  return step < Infinity;
}

/**
 * `groups` groups of a matrix in `layout` at `src` → theirs in its sketch, at `dst`. `scratch` [9, cols] f32. 0 where a row has no finite
 * norm.
 */
export function sketch(layout: i32, src: usize, groups: i32, cols: i32, list: usize, scratch: usize, dst: usize): i32 {
  const stride = layoutBytes(layout, 8, cols), bytes = <usize>cols << 2;
  const row = scratch + (bytes << 3), end = row + bytes - (<usize>WIDE << 2);
  let sound = true;
  for (let g = 0; g < groups; g++, src += stride, dst += sketchBytes(cols)) {
    dequantGroup(layout, src, cols, scratch);
    for (let lane: usize = 0; lane < 8; lane++) {
      inOrder(scratch + lane * bytes, cols, list, row);
      sound = narrow(row, end, lane, dst) && wide(end, lane, dst) && sound;
    }
  }
  return sound ? 1 : 0;
}
