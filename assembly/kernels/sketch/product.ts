/**
 * What a sketch (sketch.ts) says of W x. Of x it reads: X4 records (kernels/quantize) of the ordinary columns, then one record of the
 * wide ones:
 *   64 B i16 q in units of the largest / 32767    +64 f32 that unit    +68 f32 -7.5 times the sum of the others    +72 f32 their norm
 * Micro-operations a block of 8 rows x 32 columns: those of kernels/matvec/nibbles.ts less all that scales of blocks cost there. Only
 * `relaxed` has these kernels: without the dot product of bytes four bits cost as much as eight. Test: test/kernels/sketch.test.ts.
 */
import { hmax, hsumInt, madd, nibbleMask, ones16 } from '../../base/simd';
import { Format } from '../../layouts/kinds';
import { dotNibbles } from '../matvec/dots';
import { RUN, endOfStreams, groupsEach } from '../matvec/streams';
import { quantize, x4Data, x4Stride } from '../quantize/quantize';
import { LEFT, UNIT, WIDE, WIDE_COLUMNS, WIDE_STEP, inOrder, sketchBytes } from './sketch';

const UNIT_OF_X: usize = 64, START: usize = 68, NORM: usize = 72;

@inline function add(a: v128, sum: v128): v128 { return i16x8.add(a, sum); }

/** Where the record of the wide columns lies. */
@inline function wideRecord(records: usize, cols: i32): usize { return records + <usize>((cols - WIDE) >> 5) * x4Stride(); }

function squares(p: usize): f32 {
  let sum = i32x4.splat(0);
  for (const end = p + 32; p < end; p += 8) {
    const v = v128.load8x8_s(p);
    sum = i32x4.add(sum, i32x4.dot_i16x8_s(v, v));
  }
  return <f32>hsumInt(sum);
}

/** x [cols] f32 as a product reads it. `scratch` [cols] f32. */
export function sketchInput(x: usize, cols: i32, list: usize, scratch: usize, records: usize): void {
  if (!ASC_FEATURE_RELAXED_SIMD) return;
  inOrder(x, cols, list, scratch);
  quantize(scratch, cols - WIDE, Format.x4, records, 0, 0);
  const end = wideRecord(records, cols), wide = scratch + (<usize>(cols - WIDE) << 2);
  let sum: f32 = 0, square: f32 = 0; // of x as it was rounded
  for (let tail = records + x4Data(); tail < end; tail += x4Stride()) {
    const s = load<f32>(tail);
    sum += load<f32>(tail, 8);
    square += s * s * squares(tail - x4Data());
  }
  let most = f32x4.splat(0);
  for (let at: usize = 0; at < <usize>WIDE << 2; at += 16) most = f32x4.max(most, f32x4.abs(v128.load(wide + at)));
  const peak = hmax(most), live = peak > 1e-30 && peak < Infinity, inverse: f32 = live ? <f32>32767 / peak : 0; // as kernels/quantize
  for (let i: usize = 0; i < <usize>WIDE; i++) {
    store<i16>(end + (i << 1), live ? <i16>nearest<f32>(load<f32>(wide + (i << 2)) * inverse) : 0);
  }
  store<f32>(end, live ? peak / 32767 : peak * 0, UNIT_OF_X);
  store<f32>(end, <f32>-7.5 * sum, START);
  store<f32>(end, sqrt<f32>(square), NORM);
}

/** A group's wide columns, whose integer sums wait where its deviations will be. */
@inline function wideSums(w: usize, wide: usize, sums: usize): void {
  let i0 = i32x4.splat(0), i1 = i0;
  for (let q = wide; q < wide + (<usize>WIDE << 1); q += 4, w += 16) {
    const x = v128.load32_splat(q);
    i0 = i32x4.add(i0, i32x4.dot_i16x8_s(v128.load8x8_s(w), x));
    i1 = i32x4.add(i1, i32x4.dot_i16x8_s(v128.load8x8_s(w, 8), x));
  }
  v128.store(sums, i0);
  v128.store(sums, i1, 16);
}

/** A group's ordinary columns of x from `x` to `end`, added to y. */
@inline function addRun(w: usize, x: usize, end: usize, y: usize): void {
  const low = nibbleMask(), one = ones16();
  let f0 = v128.load(y), f1 = v128.load(y, 16);
  for (; x < end; x += x4Stride(), w += UNIT) {
    let a0: v128, a1: v128;
    do { // a block's steps stand between branches that are never taken, as in kernels/matvec/packed.ts
      let v = v128.load(w), u = v128.load(w, 16), xa = v128.load32_splat(x), xb = v128.load32_splat(x, 4);
      a0 = dotNibbles(v, xa, xb, low); a1 = dotNibbles(u, xa, xb, low);
      if (w == 0) break;
      v = v128.load(w, 32); u = v128.load(w, 48); xa = v128.load32_splat(x, 8); xb = v128.load32_splat(x, 12);
      a0 = add(a0, dotNibbles(v, xa, xb, low)); a1 = add(a1, dotNibbles(u, xa, xb, low));
      if (x == 0) break;
      v = v128.load(w, 64); u = v128.load(w, 80); xa = v128.load32_splat(x, 16); xb = v128.load32_splat(x, 20);
      a0 = add(a0, dotNibbles(v, xa, xb, low)); a1 = add(a1, dotNibbles(u, xa, xb, low));
      if (y == 0) break;
      v = v128.load(w, 96); u = v128.load(w, 112); xa = v128.load32_splat(x, 24); xb = v128.load32_splat(x, 28);
      a0 = add(a0, dotNibbles(v, xa, xb, low)); a1 = add(a1, dotNibbles(u, xa, xb, low));
    } while (false);
    const s = v128.load32_splat(x + x4Data());
    f0 = madd(f32x4.convert_i32x4_s(i32x4.dot_i16x8_s(a0, one)), s, f0);
    f1 = madd(f32x4.convert_i32x4_s(i32x4.dot_i16x8_s(a1, one)), s, f1);
  }
  v128.store(y, f0);
  v128.store(y, f1, 16);
}

/** y and deviations of a group whose sums are complete. */
@inline function finish(head: usize, wide: usize, y: usize, deviation: usize): void {
  const unit = v128.load32_splat(wide, UNIT_OF_X), norm = v128.load32_splat(wide, NORM);
  const w0 = f32x4.mul(v128.load(head, WIDE_STEP), unit), w1 = f32x4.mul(v128.load(head, WIDE_STEP + 16), unit);
  v128.store(y, madd(f32x4.convert_i32x4_s(v128.load(deviation)), w0, f32x4.mul(v128.load(y), v128.load(head))));
  v128.store(y, madd(f32x4.convert_i32x4_s(v128.load(deviation, 16)), w1, f32x4.mul(v128.load(y, 16), v128.load(head, 16))), 16);
  v128.store(deviation, f32x4.mul(norm, v128.load(head, LEFT)));
  v128.store(deviation, f32x4.mul(norm, v128.load(head, LEFT + 16)), 16);
}

/** y [8 groups] = nearly W x, and of every element the deviation. `w`: groups; `x`: from `sketchInput`. */
export function sketchProduct(w: usize, groups: i32, cols: i32, x0: usize, y: usize, deviation: usize, streams: i32): void {
  if (!ASC_FEATURE_RELAXED_SIMD) return;
  const wide = wideRecord(x0, cols), start = v128.load32_splat(wide, START), group = sketchBytes(cols), side = deviation - y;
  const each = groupsEach(groups, streams), across = <usize>each << 5, far = <usize>each * group;
  const turn = streams > 1 ? <usize>RUN * x4Stride() : wide - x0;
  for (let g = 0; g < each; g++, y += 32, w += group) {
    const end = endOfStreams(y, g, groups, each);
    for (let v = w, out = y; out < end; v += far, out += across) {
      wideSums(v + WIDE_COLUMNS, wide, out + side);
      v128.store(out, start);
      v128.store(out, start, 16);
    }
    for (let x = x0, at = w + WIDE_COLUMNS + (<usize>WIDE << 3); x < wide; x += turn, at += turn / x4Stride() * UNIT) {
      const to = min(x + turn, wide);
      for (let v = at, out = y; out < end; v += far, out += across) addRun(v, x, to, out);
    }
    for (let v = w, out = y; out < end; v += far, out += across) finish(v, wide, out, out + side);
  }
}
