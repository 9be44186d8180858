/**
 * A matrix a second time, in two planes of two bits: what its products nearly are, for a quarter of a byte a weight and little arithmetic,
 * and where that is not enough for another quarter. Whoever needs a product to the last bit takes it from the matrix itself
 * (forward/stages.ts).
 *
 * A few columns of a head have weights many times as large as the others, and meet the largest elements of x: of three models 32 of 576 to
 * 896 columns hold 57 to 98 % of the squares that products are made of. These are kept to 8 bits; the others in each plane to crumbs of
 * two bits, with one step for a whole row, so that their sums stay integers but for the scales of x. Errors of the coarse plane are .8 to
 * 1.1 nats on four models, where logits spread by 2.3 to 4.2, after the fine one .3 to .4.
 *
 *   wide    [32] u16: the wide columns, ascending
 *   coarse  of all pairs of groups of 8 rows (layouts/kinds.ts): twice 8 f32 step, 8 f32 `left` (the root mean square of
 *           w - (n - 1.5) step), 8 f32 step of wide columns and 16 times 16 B for 8 rows x 2 wide columns; then for every 4 others 16 B of
 *           crumbs n: byte 2 r of row r of the first group, 2 r + 1 of row r of the second, the first column in the lowest bits
 *   fine    of all groups: 8 f32 `left` after it, then for every 32 ordinary columns 64 B of crumbs of what the coarse plane leaves, in
 *           thirds of its step, 16 B for 4 rows x 16 columns: a row's byte i has columns i, i + 4, i + 8, i + 12, the last in its
 *           highest bits
 *
 * What is left is as good as random: x times it has a mean of 0 and the variance left^2 |x|^2.
 * Preconditions: cols a multiple of 32, from 64 to 65504. Test: test/kernels/sketch.test.ts.
 */
import { hmax, hsum } from '../../base/simd';
import { layoutBytes } from '../../layouts/sizes';
import { dequantGroup } from '../embed/embed';

export const WIDE = 32;
export const LEFT: usize = 32, WIDE_STEP: usize = 64, WIDE_COLUMNS: usize = 96, OF_GROUP: usize = 352;
export const FINE_CRUMBS: usize = 32, UNIT: usize = 64;
/** Steps of the fine plane in one of the coarse: what is left beyond the outermost crumbs is longer than half a step. */
export const FINER: f32 = 3;

/** Bytes of the list of wide columns, of a pair of groups in the coarse plane, of a group in the fine one. */
export const LIST: usize = 64;
@inline export function pairBytes(cols: i32): usize { return 2 * OF_GROUP + (<usize>(cols - WIDE) << 2); }
@inline export function fineBytes(cols: i32): usize { return FINE_CRUMBS + <usize>((cols - WIDE) >> 5) * UNIT; }

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

/** Of 4 weights, in steps: the crumbs. */
@inline function crumbs4(v: v128): v128 {
  return i32x4.min_u(i32x4.trunc_sat_f32x4_u(f32x4.add(v, f32x4.splat(2))), i32x4.splat(3));
}

@inline function centred(crumbs: v128): v128 { return f32x4.sub(f32x4.convert_i32x4_u(crumbs), f32x4.splat(1.5)); }

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
    const v = f32x4.mul(v128.load(row), times), left = f32x4.sub(v, centred(crumbs4(v)));
    sum = addSquare(sum, f32x4.mul(left, left));
  }
  return hsum(sum) * step * step * step * step;
}

/** Crumbs in 4 lanes as a byte. */
@inline function packed(v: v128): u8 {
  const two = v128.or(v, i64x2.shr_u(v, 30));
  return <u8>(i32x4.extract_lane(two, 0) | (i32x4.extract_lane(two, 2) << 4));
}

/** The low bytes of 4 lanes. */
@inline function storeBytes(at: usize, v: v128): void {
  const two = i16x8.narrow_i32x4_u(v, v);
  v128.store32_lane(at, i8x16.narrow_i16x8_u(two, two), 0);
}

/**
 * How long a step is best taken to be, in steps that crumbs were made with: what they leave is then at right angles to them. Else all that
 * is large would be said to be larger than it is.
 */
function fitted(row: usize, end: usize, inverse: v128): f32 {
  let both = f32x4.splat(0), own = both;
  for (; row < end; row += 16) {
    const v = f32x4.mul(v128.load(row), inverse), crumbs = centred(crumbs4(v));
    both = f32x4.add(both, f32x4.mul(v, crumbs));
    own = addSquare(own, crumbs);
  }
  const length = hsum(both) / hsum(own); // crumbs are at least half a step
  return length > 0 ? length : 1;
}

/** Steps that are tried, as shares of the root mean square. */
const steps = memory.data<f32>([0.95, 1.05, 1.15, 1.3]);

/**
 * A row's ordinary columns, at `row` to `end` f32, into its lane of a group: of the coarse plane at `dst`, its bytes from `q` on, and
 * of the fine one. Whether they have a finite norm.
 */
function narrow(row: usize, end: usize, lane: usize, dst: usize, q: usize, fine: usize): bool {
  const n = <f32>((end - row) >> 2), rms = sqrt<f32>(squares(row, end) / n), at = dst + (lane << 2);
  let step: f32 = rms * <f32>1, least: f32 = Infinity;
  if (rms > 0) for (let i: usize = 0; i < 16; i += 4) {
    const tried = load<f32>(steps + i) * rms, left = sample(row, end, tried);
    if (left < least) { least = left; step = tried; }
  }
  const inverse = f32x4.splat(step > 0 ? <f32>1 / step : 0), length = fitted(row, end, inverse), times = f32x4.splat(length);
  const finer = f32x4.splat(FINER / length);
  let sum = f32x4.splat(0), fineSum = sum;
  for (let f = fine + FINE_CRUMBS + (lane << 2); row < end; row += 64, q += 64, f += 32) {
    let fineBits = i32x4.splat(0);
    for (let p = row + 48; p >= row; p -= 16) {
      const v = f32x4.mul(v128.load(p), inverse), crumbs = crumbs4(v), left = f32x4.sub(v, f32x4.mul(centred(crumbs), times));
      const u = f32x4.mul(left, finer), fineCrumbs = crumbs4(u);
      store<u8>(q + (p - row), packed(crumbs));
      fineBits = v128.or(i32x4.shl(fineBits, 2), fineCrumbs);
      sum = addSquare(sum, left);
      fineSum = addSquare(fineSum, f32x4.sub(u, centred(fineCrumbs)));
    }
    storeBytes(f, fineBits);
  }
  const told = step * length;
  store<f32>(at, told);
  store<f32>(at, step * sqrt<f32>(hsum(sum) / n), LEFT);
  store<f32>(fine + (lane << 2), told / FINER * sqrt<f32>(hsum(fineSum) / n));
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
 * `groups` groups of a matrix in `layout` at `src`, of which `first` are before them → theirs in the planes of its sketch, which begin at
 * `coarse` and `fine`. `scratch` [9, cols] f32. 0 where a row has no finite norm.
 */
export function sketch(
  layout: i32, src: usize, first: i32, groups: i32, cols: i32, list: usize, scratch: usize, coarse: usize, fine: usize,
): i32 {
  const stride = layoutBytes(layout, 8, cols), bytes = <usize>cols << 2;
  const row = scratch + (bytes << 3), end = row + bytes - (<usize>WIDE << 2);
  let sound = true;
  for (let g = first; g < first + groups; g++, src += stride) {
    dequantGroup(layout, src, cols, scratch);
    const pair = coarse + <usize>(g >> 1) * pairBytes(cols), half = <usize>(g & 1), dst = pair + half * OF_GROUP;
    for (let lane: usize = 0; lane < 8; lane++) {
      inOrder(scratch + lane * bytes, cols, list, row);
      const finite = narrow(row, end, lane, dst, pair + 2 * OF_GROUP + 2 * lane + half, fine + <usize>g * fineBytes(cols));
      sound = finite && wide(end, lane, dst) && sound;
    }
  }
  return sound ? 1 : 0;
}
