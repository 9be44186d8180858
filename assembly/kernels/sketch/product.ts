/**
 * What a sketch (sketch.ts) says of W x. Of x it reads: X4 records (kernels/quantize) of the ordinary columns, for the fine plane; one
 * record of the wide ones:
 *   64 B i16 q in units of the largest / 32767    +64 f32 that unit    +68 f32 -1.5 times the sum of the others    +72 f32 their norm
 *   +76 f32 unit of the tables    +80 f32 what their sums exceed, in products
 * then for every two ordinary columns a table of 16 B: what their crumbs (the second's in bits 2 and 3) make of x, 0 to 126 units, 63 of
 * them in excess. One lookup so does two columns of 16 rows, whose sums wait in 16 bits. Only `relaxed` has these kernels.
 * Test: test/kernels/sketch.test.ts.
 */
import { hmax, hsumInt, madd, mask03, nibbleMask, ones16, swizzle } from '../../base/simd';
import { Format } from '../../layouts/kinds';
import { groupsEach } from '../matvec/streams';
import { quantize, x4Data, x4Stride } from '../quantize/quantize';
import { FINER, FINE_CRUMBS, LEFT, OF_GROUP, UNIT, WIDE, WIDE_COLUMNS, WIDE_STEP, fineBytes, inOrder, pairBytes } from './sketch';

const UNIT_OF_X: usize = 64, START: usize = 68, NORM: usize = 72, TABLE_UNIT: usize = 76, EXCESS: usize = 80, TABLES: usize = 96;
/** Bytes of crumbs of which a row's sums fit 16 bits; and that a stream is read for before it is another's turn. */
const MOST: usize = 4096, TURN: usize = 512;

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
  store<f32>(end, <f32>-1.5 * sum, START);
  store<f32>(end, sqrt<f32>(square), NORM);
  tabulate(scratch, wide, end);
}

/** The tables of x from `x` to `to` f32. */
function tabulate(x: usize, to: usize, record: usize): void {
  let most: f32 = 0;
  for (let p = x; p < to; p += 8) most = max(most, abs(load<f32>(p)) + abs(load<f32>(p, 4)));
  const unit = most > 1e-30 && most < Infinity ? most * 3 / 126 : 1, inverse = <f32>1 / unit;
  store<f32>(record, unit, TABLE_UNIT);
  store<f32>(record, most < Infinity ? <f32>-63 * unit * <f32>((to - x) >> 3) : NaN, EXCESS);
  const crumbs = f32x4(-1.5, -0.5, 0.5, 1.5);
  for (let table = record + TABLES; x < to; x += 8, table += 16) {
    const first = f32x4.add(f32x4.mul(crumbs, f32x4.splat(load<f32>(x) * inverse)), f32x4.splat(63)), second = load<f32>(x, 4) * inverse;
    for (let i = 0; i < 4; i++) {
      const v = i32x4.trunc_sat_f32x4_u(f32x4.nearest(f32x4.add(first, f32x4.splat((<f32>i - <f32>1.5) * second))));
      const two = i16x8.narrow_i32x4_u(v, v);
      v128.store32_lane(table + <usize>(i << 2), i8x16.narrow_i16x8_u(two, two), 0);
    }
  }
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

/** 4 rows x 16 columns. */
@inline function dotCrumbs(v: v128, xa: v128, xb: v128, xc: v128, xd: v128): v128 {
  const low = mask03();
  return i16x8.add(
    i16x8.add(
      i16x8.relaxed_dot_i8x16_i7x16_s(xa, v128.and(v, low)),
      i16x8.relaxed_dot_i8x16_i7x16_s(xb, v128.and(i16x8.shr_u(v, 2), low))),
    i16x8.add(
      i16x8.relaxed_dot_i8x16_i7x16_s(xc, v128.and(i16x8.shr_u(v, 4), low)),
      i16x8.relaxed_dot_i8x16_i7x16_s(xd, v128.and(i16x8.shr_u(v, 6), low))));
}

/** A group's ordinary columns of x from `x` to `end`, added to y. */
@inline function addRun(w: usize, x: usize, end: usize, y: usize): void {
  const one = ones16();
  let f0 = v128.load(y), f1 = v128.load(y, 16);
  for (; x < end; x += x4Stride(), w += UNIT) {
    let a0: v128, a1: v128;
    do { // a block's steps stand between branches that are never taken, as in kernels/matvec/packed.ts
      let xa = v128.load32_splat(x), xb = v128.load32_splat(x, 4), xc = v128.load32_splat(x, 8), xd = v128.load32_splat(x, 12);
      a0 = dotCrumbs(v128.load(w), xa, xb, xc, xd); a1 = dotCrumbs(v128.load(w, 16), xa, xb, xc, xd);
      if (w == 0) break;
      xa = v128.load32_splat(x, 16); xb = v128.load32_splat(x, 20); xc = v128.load32_splat(x, 24); xd = v128.load32_splat(x, 28);
      a0 = add(a0, dotCrumbs(v128.load(w, 32), xa, xb, xc, xd)); a1 = add(a1, dotCrumbs(v128.load(w, 48), xa, xb, xc, xd));
    } while (false);
    const s = v128.load32_splat(x + x4Data());
    f0 = madd(f32x4.convert_i32x4_s(i32x4.dot_i16x8_s(a0, one)), s, f0);
    f1 = madd(f32x4.convert_i32x4_s(i32x4.dot_i16x8_s(a1, one)), s, f1);
  }
  v128.store(y, f0);
  v128.store(y, f1, 16);
}

/** The crumbs of a pair of groups from `w` to `end`, their sums added to those at y [16] i32. */
@inline function addPair(w: usize, end: usize, table: usize, y: usize): void {
  const low = nibbleMask();
  let both = i16x8.splat(0), odd = both; // sums of even bytes and 256 times those of odd ones; sums of odd bytes
  for (; w < end; w += 16, table += 32) {
    const v = v128.load(w);
    const two = i8x16.add(
      swizzle(v128.load(table), v128.and(v, low)),
      swizzle(v128.load(table, 16), v128.and(i16x8.shr_u(v, 4), low)));
    both = i16x8.add(both, two);
    odd = i16x8.add(odd, i16x8.shr_u(two, 8));
  }
  const even = i16x8.sub(both, i16x8.shl(odd, 8));
  v128.store(y, i32x4.add(v128.load(y), i32x4.extend_low_i16x8_u(even)));
  v128.store(y, i32x4.add(v128.load(y, 16), i32x4.extend_high_i16x8_u(even)), 16);
  v128.store(y, i32x4.add(v128.load(y, 32), i32x4.extend_low_i16x8_u(odd)), 32);
  v128.store(y, i32x4.add(v128.load(y, 48), i32x4.extend_high_i16x8_u(odd)), 48);
}

/** y and deviations of a group whose sums are complete. */
@inline function finish(head: usize, wide: usize, y: usize, deviation: usize): void {
  const unit = v128.load32_splat(wide, UNIT_OF_X), norm = v128.load32_splat(wide, NORM);
  const table = v128.load32_splat(wide, TABLE_UNIT), excess = v128.load32_splat(wide, EXCESS);
  for (let at: usize = 0; at < 32; at += 16) {
    const ordinary = f32x4.mul(madd(f32x4.convert_i32x4_s(v128.load(y + at)), table, excess), v128.load(head + at));
    const few = f32x4.mul(f32x4.convert_i32x4_s(v128.load(deviation + at)), f32x4.mul(v128.load(head + at, WIDE_STEP), unit));
    v128.store(y + at, f32x4.add(ordinary, few));
    v128.store(deviation + at, f32x4.mul(norm, v128.load(head + at, LEFT)));
  }
}

/** y [16 pairs] = nearly W x, and of every element the deviation. `w`: pairs of groups; `x`: from `sketchInput`. */
export function coarseProduct(w: usize, pairs: i32, cols: i32, x: usize, y: usize, deviation: usize, streams: i32): void {
  if (!ASC_FEATURE_RELAXED_SIMD) return;
  const record = wideRecord(x, cols), pair = pairBytes(cols), each = <usize>groupsEach(pairs, streams), side = deviation - y;
  const end = y + (<usize>pairs << 6), across = each << 6, far = each * pair, turn = streams > 1 ? TURN : MOST;
  for (const until = y + across; y < until; y += 64, w += pair) {
    for (let v = w, out = y; out < end; v += far, out += across) {
      for (let half: usize = 0; half < 2; half++) wideSums(v + half * OF_GROUP + WIDE_COLUMNS, record, out + side + (half << 5));
      memory.fill(out, 0, 64);
    }
    for (let from: usize = 2 * OF_GROUP; from < pair; from += turn) {
      const to = min(from + turn, pair), tables = record + TABLES + ((from - 2 * OF_GROUP) << 1);
      for (let v = w, out = y; out < end; v += far, out += across) addPair(v + from, v + to, tables, out);
    }
    for (let v = w, out = y; out < end; v += far, out += across) {
      finish(v, record, out, out + side);
      finish(v + OF_GROUP, record, out + 32, out + side + 32);
    }
  }
}

/** To y [8] of group `g` the fine plane's part, and its deviations after that. `coarse`, `fine`: the planes; `scale`: of all products. */
export function fineProduct(coarse: usize, fine: usize, g: i32, cols: i32, x: usize, y: usize, deviation: usize, scale: f32): void {
  if (!ASC_FEATURE_RELAXED_SIMD) return;
  let head = coarse + <usize>(g >> 1) * pairBytes(cols) + <usize>(g & 1) * OF_GROUP, w = fine + <usize>g * fineBytes(cols);
  const wide = wideRecord(x, cols), start = v128.load32_splat(wide, START), times = f32x4.splat(scale / FINER);
  const norm = f32x4.splat(load<f32>(wide, NORM) * abs(scale));
  v128.store(deviation, start);
  v128.store(deviation, start, 16);
  addRun(w + FINE_CRUMBS, x, wide, deviation);
  for (const end = y + 32; y < end; y += 16, deviation += 16, head += 16, w += 16) {
    v128.store(y, madd(f32x4.mul(v128.load(deviation), v128.load(head)), times, v128.load(y)));
    v128.store(deviation, f32x4.mul(norm, v128.load(w)));
  }
}
