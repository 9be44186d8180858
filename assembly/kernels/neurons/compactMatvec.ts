/**
 * y[rows] = W x for compact columns (copies.ts): block b has pieces[b] * 16 B of quants, a block of none is not there. x are the X4 (4
 * bits) or X8 records of the slotted vector. Chunks that are missing meet zeros of x, blocks that are missing would add zero: y is bit for
 * bit what the dense matvec gives for the dense matrix and a vector whose unlisted neurons are zero.
 * Preconditions: W has `groups` groups of 8 rows; y has room for all of them. Error: as kernels/matvec. Test: test/kernels/compact.test.ts.
 */
import { evenHalves, halfMask, halfOf, madd, mask000f, mask00ff, mask0f00, nibbleMask, oddHalves, ones16 } from '../../base/simd';
import { Format, hasMin, isSuper, the } from '../../layouts/kinds';
import { forLayout } from '../../layouts/table';
import { addBytes, addChunk, sums32 } from '../matvec/dots';
import { RUN, endOfStreams, groupsEach, wholeSums } from '../matvec/streams';
import { recordsBytes, x4Data } from '../quantize/quantize';
import { compactSuper } from './compactSuper';
import { keptScales } from './copies';
import { bitsOf, hasForms, scaleCols } from './source';

/** f + one block's term for 4 rows, whose d and m are pairs: the same products and sums as the dense kernels'. */
@inline function addPairs(dot: v128, pairs: v128, even: v128, odd: v128, mask: v128, tail: usize, f: v128): v128 {
  const g = madd(v128.load32_splat(tail, 12), halfOf(pairs, odd, mask), f);
  return madd(f32x4.convert_i32x4_s(dot), f32x4.mul(v128.load32_splat(tail, 4), halfOf(pairs, even, mask)), g);
}

/** Integer sums (kernels/matvec/dots.ts) of 4 rows x 4 columns in low nibbles. x at `q`: their part of a chunk of 8. */
@inline function dotHalf(v: v128, q: usize, low: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return i16x8.relaxed_dot_i8x16_i7x16_s(v128.load32_splat(q), v128.and(v, low));
  const even = i32x4.dot_i16x8_s(v128.and(v, mask000f()), v128.load32_splat(q));
  return i32x4.add(even, i32x4.dot_i16x8_s(v128.and(v, mask0f00()), v128.load32_splat(q, 8)));
}

@inline function addSums(a: v128, b: v128): v128 { return ASC_FEATURE_RELAXED_SIMD ? i16x8.add(a, b) : i32x4.add(a, b); }

/** f + the term of a block for rows of `set`: its scales are at `w`. */
@inline function addScales<L>(w: usize, set: usize, dot: v128, even: v128, odd: v128, mask: v128, tail: usize, f: v128): v128 {
  if (hasMin<L>()) return addPairs(dot, v128.load(w + 16 * set), even, odd, mask, tail, f);
  return the<L>().add(w - the<L>().quantBytes, set, dot, tail, f);
}

/** The Format of x. */
@inline function recordsOf<L>(): i32 { return isSuper<L>() ? Format.xk : bitsOf<L>() == 4 ? Format.x4 : Format.x8; }

/**
 * One group of rows times a run of x, up to the block whose pieces are at `last`; y holds a 32nd of the sums before it, unless it is the
 * first. Returns where w ends. What differs between 4 bits and more are the sums of products, times 256 but for nibbles on relaxed.
 */
@inline function blocks<L>(w: usize, pieces: usize, last: usize, x: usize, y: usize, first: bool): usize {
  const low = nibbleMask(), one = ones16(), bytes = mask00ff(), even = evenHalves(), odd = oddHalves(), mask = halfMask();
  const nibbles = bitsOf<L>() == 4, stride = recordsBytes(nibbles ? Format.x4 : Format.x8, 32), data = nibbles ? x4Data() : 64;
  let f0 = f32x4.splat(0), f1 = f0;
  if (!first) { f0 = v128.load(y); f1 = v128.load(y, 16); }
  for (; pieces < last; pieces++, x += stride) {
    const count = <usize>load<u8>(pieces), tail = x + data;
    if (!count) continue;
    let a0 = i32x4.splat(0), a1 = a0, q = x;
    if (nibbles) {
      for (const stop = w + (count >> 1 << 5); w < stop; w += 32) {
        const v = v128.load(w), u = v128.load(w, 16), xa = v128.load32_splat(q), xb = v128.load32_splat(q, 4);
        if (ASC_FEATURE_RELAXED_SIMD) {
          a0 = addChunk(a0, v, xa, xb, xa, xb, low);
          a1 = addChunk(a1, u, xa, xb, xa, xb, low);
          q += 8;
        } else {
          const xc = v128.load32_splat(q, 8), xd = v128.load32_splat(q, 12);
          a0 = addChunk(a0, v, xa, xb, xc, xd, low);
          a1 = addChunk(a1, u, xa, xb, xc, xd, low);
          q += 16;
        }
      }
      if (count & 1) {
        const v = v128.load(w);
        a0 = addSums(a0, dotHalf(v, q, low));
        a1 = addSums(a1, dotHalf(i16x8.shr_u(v, 4), q, low));
        w += 16;
      }
      a0 = sums32(a0, one); a1 = sums32(a1, one);
    } else {
      a0 = i32x4.add(v128.load32_splat(tail, 16), v128.load32_splat(tail, 20));
      a1 = a0;
      for (const stop = w + (count << 4); w < stop; w += 32, q += 8) {
        const v = v128.load(w), u = v128.load(w, 16), xOdd = v128.load32_splat(q), xEven = v128.load32_splat(q, 4);
        a0 = addBytes(a0, v, xOdd, xEven, bytes);
        a1 = addBytes(a1, u, xOdd, xEven, bytes);
      }
    }
    f0 = addScales<L>(w, 0, a0, even, odd, mask, tail, f0);
    f1 = addScales<L>(w, 1, a1, even, odd, mask, tail, f1);
    w += keptScales<L>();
  }
  v128.store(y, f0);
  v128.store(y, f1, 16);
  return w;
}

/** `stride`: bytes of a group of rows. */
function product<L>(w: usize, groups: i32, nBlocks: i32, pieces: usize, x: usize, y: usize, stride: usize, streams: i32): void {
  const each = groupsEach(groups, streams), across = <usize>each << 5, far = <usize>each * stride;
  const turn = isSuper<L>() ? 8 : streams > 1 ? RUN : nBlocks, perBlock = 32 / <i32>scaleCols<L>(), format = recordsOf<L>();
  for (let g = 0; g < each; g++, y += 32) {
    const end = endOfStreams(y, g, groups, each);
    for (let block = 0, n = turn; block < nBlocks; block += n) {
      n = min(turn, nBlocks - block);
      const piece = pieces + <usize>(block * perBlock), last = piece + <usize>n, from = x + recordsBytes(format, block << 5);
      let next = w;
      for (let v = w, out = y; out < end; v += far, out += across) {
        const stop = isSuper<L>() ? compactSuper<L>(v, piece, from, out, !block) : blocks<L>(v, piece, last, from, out, !block);
        if (out == y) next = stop;
      }
      w = next;
    }
    if (!isSuper<L>()) wholeSums(y, end, across);
  }
}

@unmanaged class CompactMatvec {
  @inline on<L>(
    w: usize, groups: usize, nBlocks: usize, pieces: usize, x: usize, y: usize, stride: usize, streams: usize, _i: usize,
  ): usize {
    if (!hasForms<L>()) return unreachable();
    product<L>(w, <i32>groups, <i32>nBlocks, pieces, x, y, stride, <i32>streams);
    return 0;
  }
}

/** `x`: records of `compactFormat`; `stride`: bytes of a group of rows. Quantised layouts. */
export function compactMatvec(
  layout: i32, w: usize, groups: i32, nBlocks: i32, pieces: usize, x: usize, y: usize, stride: usize, streams: i32,
): void {
  forLayout<CompactMatvec>(layout, w, groups, nBlocks, pieces, x, y, stride, streams);
}

@unmanaged class CompactFormat {
  @inline on<L>(_a: usize, _b: usize, _c: usize, _d: usize, _e: usize, _f: usize, _g: usize, _h: usize, _i: usize): usize {
    return hasForms<L>() ? recordsOf<L>() : Format.f32;
  }
}

/** The Format of h for compact columns. */
export function compactFormat(layout: i32): i32 { return <i32>forLayout<CompactFormat>(layout); }
