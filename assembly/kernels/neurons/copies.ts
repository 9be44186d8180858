/**
 * Copies of a matrix that hold only the listed neurons, for a mask that stays for a whole sequence. All copies are lossless.
 *
 * Rows (gate, up; copyRows.ts): the listed rows, interleaved anew, the last group padded with zero rows; any interleaved layout. The
 * ordinary matvec runs on n rows. Compact row k is neuron list_k.
 * Columns (down): floats: the listed columns; the ordinary matvec runs on n columns and h in list order.
 *   quants: neurons stay with those under their scale (32 of the file, or 16: "a block"); the listed ones come first ("slots"), and the
 *   block keeps only the chunks that hold one, then its scales. A block without listed neurons vanishes.
 *     4 bits      chunks of 8 slots; of a last one with at most 4 slots 16 B: lane l holds them for row l in its low nibbles, for row
 *                 4 + l in its high ones. Scales as the layout has them, but of f16 d and m 8 pairs (which decode faster)
 *     more bits   chunks of 4 slots, bytes as in the 8-bit layouts (layouts/kinds.ts)
 *     superblocks of 5 and 6 bits: unsigned, two chunks in three vectors, as quants of one set lie in `Sixes` (layouts/packed.ts): chunk 0
 *                 of set 0 and of set 1, chunk 1 of set 0, and in the high bits chunk 1 of set 1; an odd last chunk as bytes
 *   Of a superblock a block keeps its 8 bytes of scales; minima and factors stay, behind the last block. Those of most pieces come first.
 *   `pieces` gets the number of 16 B of quants of every block, one u8 each, of superblocks beside 16 times its number in its own. The
 *   kernels are in compactMatvec.ts; they read the records of a vector [ffn] that holds h in the slots (`scatter`).
 * Preconditions: `list` holds n sorted u16, all different; cols a multiple of the layout's block; ffn at most 65535.
 * Test: test/kernels/compact.test.ts.
 */
import { nibbleMask } from '../../base/simd';
import { groupBytes, hasMin, isFlipped, isFloat, isHalf, isSuper, quantsIn, the, unitBytes } from '../../layouts/kinds';
import { laneOffset } from '../../layouts/lanes';
import { forLayout } from '../../layouts/table';
import { bitsOf, blockAt, centreOf, hasForms, scaleCols, superAt, unitAt } from './source';

/** Number of listed neurons at `list` that lie before neuron `stop`. */
@inline function countIn(list: usize, end: usize, stop: i32): i32 {
  let p = list;
  while (p < end && <i32>load<u16>(p) < stop) p += 2;
  return <i32>((p - list) >> 1);
}

/** Columns (0..31) of the listed neurons of slots first .. first + 7 as bytes, 255 where there is none. */
@inline function slots8(list: usize, count: i32, first: i32): u64 {
  let bytes: u64 = 0;
  for (let i = 7; i >= 0; i--) {
    const slot = first + i;
    bytes = bytes << 8 | (slot < count ? <u64>load<u16>(list + (<usize>slot << 1)) & 31 : 255);
  }
  return bytes;
}

@inline function pair64(a: u64, b: u64): v128 { return i64x2.replace_lane(i64x2.splat(<i64>a), 1, <i64>b); }

/** 4-bit: where the nibbles of columns `k` lie among a row's low (`high` = 0) or high (4) nibbles, 4 a chunk; 255: not there. */
@inline function nibbleIndex(k: v128, high: i32): v128 {
  const at = v128.or(v128.and(i8x16.shr_u(k, 1), i8x16.splat(12)), v128.and(k, i8x16.splat(3)));
  const there = i8x16.eq(v128.and(k, i8x16.splat(-124)), i8x16.splat(<i8>high)); // bits 7 (none) and 2
  return v128.or(at, v128.not(there));
}

/** 4 units of 4 bytes, 32 B apart. */
@inline function gather4(p: usize): v128 {
  let v = v128.load32_zero(p);
  v = v128.load32_lane(p, v, 1, 32);
  v = v128.load32_lane(p, v, 2, 64);
  return v128.load32_lane(p, v, 3, 96);
}

/**
 * The first `count` of 4 units, 32 B apart; unit 0 even if `count` is less, because where every use of `v` hangs on a condition,
 * the optimizing compiler moves all that `v` is made of behind each of them, out of the outer loops' heads too.
 */
@inline function spread4(q: usize, v: v128, count: i32): void {
  v128.store32_lane(q, v, 0);
  if (count > 1) v128.store32_lane(q, v, 1, 32);
  if (count > 2) v128.store32_lane(q, v, 2, 64);
  if (count > 3) v128.store32_lane(q, v, 3, 96);
}

/** Unit `i`, 0..3. */
@inline function unitOf4(v: v128, i: i32): u32 {
  const near = i & 1 ? i32x4.extract_lane(v, 1) : i32x4.extract_lane(v, 0);
  const far = i & 1 ? i32x4.extract_lane(v, 3) : i32x4.extract_lane(v, 2);
  return i & 2 ? far : near;
}

/** 4 slots (low nibbles) of row `lane`, of a chunk of 16 B at q. Rows 0..3 come first. */
@inline function storeHalf(q: usize, slots: u32, lane: i32): void {
  const at = q + (<usize>(lane & 3) << 2);
  store<u32>(at, lane < 4 ? slots : load<u32>(at) | slots << 4);
}

@inline function swizzle2(a: v128, ia: v128, b: v128, ib: v128): v128 { return v128.or(i8x16.swizzle(a, ia), i8x16.swizzle(b, ib)); }

/** Chunks as bytes, before they are packed. */
const CHUNKS: usize = memory.data(256, 16);

/** Chunks as bytes at p, of 6 bits at most, two in three vectors at q. */
function packPairs(p: usize, q: usize, nChunks: i32): void {
  for (; nChunks > 1; nChunks -= 2, p += 64, q += 48) {
    const a = v128.load(p), b = v128.load(p, 16), c = v128.load(p, 32);
    const left = v128.xor(i16x8.shr_u(a, 2), v128.xor(i16x8.shr_u(b, 4), i16x8.shr_u(c, 6))), rest = v128.xor(v128.load(p, 48), left);
    v128.store(q, v128.or(a, i16x8.shl(v128.and(rest, i8x16.splat(0x30)), 2)));
    v128.store(q, v128.or(b, i16x8.shl(v128.and(rest, i8x16.splat(0x0c)), 4)), 16);
    v128.store(q, v128.or(c, i16x8.shl(v128.and(rest, i8x16.splat(0x03)), 6)), 32);
  }
  if (nChunks) memory.copy(q, p, 32);
}

/** 16 quants of a row's block, units c .. c + 3, as signed bytes; of superblocks as stored. */
@inline function bytes16<L>(block: usize, lane: i32, c: i32): v128 {
  let v = i32x4.splat(unitAt<L>(block, lane, c));
  v = i32x4.replace_lane(v, 1, unitAt<L>(block, lane, c + 1));
  v = i32x4.replace_lane(v, 2, unitAt<L>(block, lane, c + 2));
  v = i32x4.replace_lane(v, 3, unitAt<L>(block, lane, c + 3));
  return centreOf<L>() && !isSuper<L>() ? i8x16.sub(v, i8x16.splat(<i8>centreOf<L>())) : v;
}

/** Bytes of a block's scales in a copy. */
@inline export function keptScales<L>(): usize { return isSuper<L>() ? 8 : the<L>().scaleBytes; }

/** Bytes of a superblock's minima and factors. */
@inline export function keptFactors<L>(): usize { return the<L>().factorBytes + (isSuper<L>() && the<L>().mins ? 64 : 0); }

/** Two chunks lie in three vectors. */
@inline function inPairs<L>(): bool { return isSuper<L>() && bitsOf<L>() > 4; }

/** Pieces of 16 B that `count` slots need. */
@inline function piecesOf<L>(count: i32): i32 {
  const nChunks = (count + 3) >> 2;
  if (inPairs<L>()) return 3 * (nChunks >> 1) + ((nChunks & 1) << 1);
  return nChunks << i32(bitsOf<L>() > 4);
}

/** One block, or half of one, of all groups, at p; its scales `scalesAt` bytes behind p. `from` and `to` are the groups' byte strides. */
@inline function compactBlock<L>(
  list: usize, count: i32, pieces: i32, p: usize, scalesAt: usize, from: usize, q: usize, to: usize, groups: i32,
): void {
  const wide = bitsOf<L>() > 4, nChunks = wide ? (count + 3) >> 2 : pieces >> 1, scales = <usize>pieces << 4;
  const quantBytes = the<L>().quantBytes;
  const upper: usize = nChunks > 4 ? 128 : 0; // of chunks 4..7; where there are none, the unit that is stored is overwritten
  const near = pair64(slots8(list, count, 0), slots8(list, count, 8)), far = pair64(slots8(list, count, 16), slots8(list, count, 24));
  const low = nibbleMask(), flip = i16x8.splat(isSuper<L>() ? 0 : 0x80), sixteen = i8x16.splat(16), none = i8x16.splat(-1);
  // 4-bit: columns of low nibbles, of high ones; else: of slots 0..15, of 16..31. Then their places in the two source vectors
  const first = wide ? near : i32x4.shuffle(near, far, 0, 2, 4, 6), second = wide ? far : i32x4.shuffle(near, far, 1, 3, 5, 7);
  const ia = wide ? first : nibbleIndex(first, 0);
  const ib = wide ? v128.or(i8x16.sub(first, sixteen), i8x16.eq(first, none)) : nibbleIndex(first, 4);
  const ja = wide ? second : nibbleIndex(second, 0);
  const jb = wide ? v128.or(i8x16.sub(second, sixteen), i8x16.eq(second, none)) : nibbleIndex(second, 4);
  for (let g = 0; g < groups; g++, p += from, q += to) {
    for (let lane = 0; lane < 8; lane++) {
      const target = (inPairs<L>() ? CHUNKS : q) + laneOffset(lane);
      if (wide) {
        const a = bytes16<L>(p, lane, 0), b = bytes16<L>(p, lane, 4);
        spread4(target + upper, v128.xor(swizzle2(a, ja, b, jb), flip), nChunks - 4);
        spread4(target, v128.xor(swizzle2(a, ia, b, ib), flip), nChunks);
      } else {
        const v = v128.xor(gather4(p + laneOffset(lane)), i32x4.splat(isFlipped<L>() ? 0x80008000 : 0));
        const a = v128.and(v, low), b = v128.and(i16x8.shr_u(v, 4), low);
        const kept = v128.or(swizzle2(a, ia, b, ib), i16x8.shl(swizzle2(a, ja, b, jb), 4));
        spread4(target, kept, nChunks); // half a chunk alone: its 16 B and the scales overwrite unit 0
        if (pieces & 1) storeHalf(q + scales - 16, unitOf4(kept, nChunks), lane);
      }
    }
    if (inPairs<L>()) packPairs(CHUNKS, q, nChunks);
    if (hasMin<L>()) {
      const d = v128.load(p + quantBytes), m = v128.load(p + quantBytes + 16);
      v128.store(q + scales, i16x8.shuffle(d, m, 0, 8, 1, 9, 2, 10, 3, 11));
      v128.store(q + scales, i16x8.shuffle(d, m, 4, 12, 5, 13, 6, 14, 7, 15), 16);
    } else {
      memory.copy(q + scales, p + scalesAt, keptScales<L>());
    }
  }
}

/** Bytes of a group of 8 rows with the listed columns only. */
function strideOf<L>(cols: i32, list: usize, n: i32): usize {
  const end = list + (<usize>n << 1);
  let stride = isSuper<L>() ? <usize>(cols >> 8) * keptFactors<L>() : 0;
  for (let stop = scaleCols<L>(); list < end; stop += scaleCols<L>()) {
    const count = countIn(list, end, stop);
    if (count) stride += (<usize>piecesOf<L>(count) << 4) + keptScales<L>();
    list += <usize>count << 1;
  }
  return stride;
}

/** Of the blocks of a superblock under way: how many neurons, and where their list begins. */
const COUNTS: usize = memory.data(16), LISTS: usize = memory.data(64, 16);

/** What is listed of block b, or of half of one, its scales `scales` bytes behind it; returns a group's bytes before the next. */
@inline function blockInto<L>(
  w: usize, b: i32, list: usize, count: i32, nPieces: i32, scales: usize, group: usize, dst: usize, at: usize, stride: usize, groups: i32,
): usize {
  compactBlock<L>(list, count, nPieces, blockAt<L>(w, b), scales, group, dst + at, stride, groups);
  return at + (<usize>nPieces << 4) + keptScales<L>();
}

function columnsOfBlocks<L>(w: usize, rows: i32, cols: i32, list: usize, n: i32, dst: usize, pieces: usize): usize {
  const nBlocks = cols >> 5, groups = (rows + 7) >> 3, end = list + (<usize>n << 1), stride = strideOf<L>(cols, list, n);
  let at: usize = 0;
  for (let b = 0; b < nBlocks; b++, pieces++) {
    const count = countIn(list, end, (b + 1) << 5), nPieces = piecesOf<L>(count);
    store<u8>(pieces, <u8>nPieces);
    if (!count) continue;
    at = blockInto<L>(w, b, list, count, nPieces, the<L>().quantBytes, groupBytes<L>(cols), dst, at, stride, groups);
    list += <usize>count << 1;
  }
  return <usize>groups * stride;
}

/** Of superblocks, whose sums are integers and have no order: blocks of most pieces come first, so that a kernel seldom meets a change. */
function columnsOfSupers<L>(w: usize, rows: i32, cols: i32, list: usize, n: i32, dst: usize, pieces: usize): usize {
  const groups = (rows + 7) >> 3, end = list + (<usize>n << 1), group = groupBytes<L>(cols), stride = strideOf<L>(cols, list, n);
  const halves = 32 / scaleCols<L>(), perSuper = 8 * halves;
  let at: usize = 0;
  for (let first = 0; first < cols >> 5; first += 8) {
    let most = 0;
    for (let i = 0; i < perSuper; i++) {
      const count = countIn(list, end, (first << 5) + (i + 1) * scaleCols<L>());
      store<u8>(COUNTS + <usize>i, <u8>count);
      store<u32>(LISTS + (<usize>i << 2), <u32>list);
      list += <usize>count << 1;
      most = max(most, piecesOf<L>(count));
    }
    for (let nPieces = most; nPieces >= 0; nPieces--) for (let i = 0; i < perSuper; i++) {
      const count = <i32>load<u8>(COUNTS + <usize>i), b = first + i / halves;
      if (piecesOf<L>(count) != nPieces) continue;
      store<u8>(pieces++, <u8>(i << 4 | nPieces));
      if (!count) continue;
      const scales = superAt<L>(w, b) + (<usize>i << 3) - blockAt<L>(w, b), own = <usize>load<u32>(LISTS + (<usize>i << 2));
      at = blockInto<L>(w, b, own, count, nPieces, scales, group, dst, at, stride, groups);
    }
    const factors = superAt<L>(w, first) + quantsIn<L>() - keptFactors<L>();
    for (let g: usize = 0; g < <usize>groups; g++) memory.copy(dst + at + g * stride, factors + g * group, keptFactors<L>());
    at += keptFactors<L>();
  }
  return <usize>groups * stride;
}

/** Halves: 4 rows of a column, each in the low half of a lane. */
@inline function halvesOf<L>(w: usize, col: usize, cols: usize, set: usize): v128 {
  if ((col ^ 1) >= cols) return v128.load16x4_u(w + col * unitBytes<L>() + 8 * set);
  const v = v128.load(w + (col >> 1 << 5) + 16 * set);
  return col & 1 ? i32x4.shr_u(v, 16) : v128.and(v, i32x4.splat(0xffff));
}

@inline function columnsOfFloats<L>(w: usize, rows: i32, cols: i32, list: usize, n: i32, dst: usize): usize {
  const groups = (rows + 7) >> 3, end = list + (<usize>n << 1), pairs = list + (isHalf<L>() ? <usize>n >> 1 << 2 : 0), start = dst;
  for (let g = 0; g < groups; g++, w += groupBytes<L>(cols)) {
    let p = list;
    for (; p < pairs; p += 4, dst += 32) {
      const a = <usize>load<u16>(p), b = <usize>load<u16>(p, 2);
      v128.store(dst, v128.or(halvesOf<L>(w, a, cols, 0), i32x4.shl(halvesOf<L>(w, b, cols, 0), 16)));
      v128.store(dst, v128.or(halvesOf<L>(w, a, cols, 1), i32x4.shl(halvesOf<L>(w, b, cols, 1), 16)), 16);
    }
    for (; p < end; p += 2, dst += unitBytes<L>()) {
      const col = <usize>load<u16>(p);
      if (isHalf<L>()) v128.store(dst, i16x8.narrow_i32x4_u(halvesOf<L>(w, col, cols, 0), halvesOf<L>(w, col, cols, 1)));
      else memory.copy(dst, w + (col << 5), 32);
    }
  }
  return dst - start;
}

@unmanaged class CompactColumns {
  @inline on<L>(w: usize, rows: usize, cols: usize, list: usize, n: usize, dst: usize, pieces: usize, _h: usize, _i: usize): usize {
    if (isFloat<L>()) return columnsOfFloats<L>(w, <i32>rows, <i32>cols, list, <i32>n, dst);
    if (!hasForms<L>()) return unreachable();
    if (isSuper<L>()) return columnsOfSupers<L>(w, <i32>rows, <i32>cols, list, <i32>n, dst, pieces);
    return columnsOfBlocks<L>(w, <i32>rows, <i32>cols, list, <i32>n, dst, pieces);
  }
}

@unmanaged class CompactBytes {
  @inline on<L>(rows: usize, cols: usize, list: usize, n: usize, _e: usize, _f: usize, _g: usize, _h: usize, _i: usize): usize {
    const groups = (rows + 7) >> 3;
    if (isFloat<L>()) return groups * n * unitBytes<L>();
    return hasForms<L>() ? groups * strideOf<L>(<i32>cols, list, <i32>n) : usize.MAX_VALUE;
  }
}

/**
 * Bytes of the listed columns of a matrix [rows, cols]: of many columns of 5 bits more than of all, for they become 6 or 8. The largest
 * number where there is no such copy.
 */
export function compactBytes(layout: i32, rows: i32, cols: i32, list: usize, n: i32): usize {
  return forLayout<CompactBytes>(layout, rows, cols, list, n);
}

/**
 * The listed columns of an interleaved matrix [rows, cols] at `dst` [compactBytes]. `pieces` gets a u8 for every 32 columns, for every 16
 * where those share a scale (not written for float layouts). Returns the bytes written.
 */
export function compactColumns(layout: i32, w: usize, rows: i32, cols: i32, list: usize, n: i32, dst: usize, pieces: usize): usize {
  return forLayout<CompactColumns>(layout, w, rows, cols, list, n, dst, pieces);
}
