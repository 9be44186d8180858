/**
 * A matrix in any layout as f32, the same values as ggml's dequantize: the embedding lookup, the second opinion on repacking, and what
 * `precision: 'exact'` and calibration multiply with. Test: test/kernels/repack.test.ts.
 *   dequantRow  row `row` of a matrix with `cols` columns → [cols] at `dst`
 *   dequantGroup  8 rows → [8, cols] at `dst`
 *   expand      `rows` rows (groups padded with zeros) → the interleaved f32 layout; `row` is scratch [cols] f32
 */
import {
  blockBytes, groupBytes, isBytes, isFloat, isPacked, isSuper, quantOf, quantsIn, the, unitBytes, valueAt,
} from '../../layouts/kinds';
import { partOf } from '../../layouts/packed';
import { VECTOR, forLayout } from '../../layouts/table';

/** 32 values of row `lane` of a block. */
@inline function dequant<L>(block: usize, unit: usize, lane: i32, dst: usize): void {
  for (let half: usize = 0, k: usize = 0; half < 2; half++) {
    const scale = the<L>().scale(block, unit, lane, half), end = k + 16;
    for (; k < end; k++, dst += 4) {
      const value = scale * <f32>quantOf<L>(block, lane, k, unit);
      store<f32>(dst, the<L>().mins ? value + the<L>().shift(block, unit, lane, half) : value);
    }
  }
}

function row<L>(w: usize, cols: i32, row: i32, dst: usize): void {
  const lane = row & 7, end = dst + (<usize>cols << 2);
  w += <usize>(row >> 3) * groupBytes<L>(cols);
  if (isFloat<L>()) {
    for (let col: usize = 0; dst < end; dst += 4, col++) store<f32>(dst, the<L>().value(w + valueAt<L>(<usize>lane, col, <usize>cols)));
  } else if (isSuper<L>()) {
    for (; dst < end; w += unitBytes<L>()) {
      for (let block = w + quantsIn<L>(); block < w + unitBytes<L>(); block += blockBytes<L>(), dst += 128) dequant<L>(block, w, lane, dst);
    }
  } else {
    for (; dst < end; w += blockBytes<L>(), dst += 128) dequant<L>(w, 0, lane, dst);
  }
}

@unmanaged class DequantRow {
  @inline on<L>(w: usize, cols: usize, at: usize, dst: usize, _e: usize, _f: usize, _g: usize, _h: usize, _i: usize): usize {
    row<L>(w, <i32>cols, <i32>at, dst);
    return 0;
  }
}

export function dequantRow(layout: i32, w: usize, cols: i32, row: i32, dst: usize): void {
  if (layout == VECTOR) memory.copy(dst, w + ((<usize>row * <usize>cols) << 2), <usize>cols << 2);
  else forLayout<DequantRow>(layout, w, cols, row, dst);
}

/** Layouts of heads, which are read eight rows at once while they stream in: q8_0, and packed six bits. */
@inline function isHeads<L>(): bool { return isBytes<L>() || isPacked<L>() && the<L>().bits == 6; }

/** 4 columns of a row. */
@inline function put4<L>(quants: u32, scale: v128, dst: usize): void {
  const bytes = i32x4.splat(quants);
  const q = isBytes<L>()
    ? i16x8.extend_low_i8x16_s(v128.xor(bytes, i16x8.splat(0x80))) // kinds.ts: even columns are offset
    : i16x8.sub(i16x8.extend_low_i8x16_u(bytes), i16x8.splat(<i16>the<L>().middle));
  v128.store(dst, f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(q)), scale));
}

/** 8 rows of half a block at p, 16 columns. */
@inline function dequantHalf<L>(p: usize, block: usize, unit: usize, half: usize, rowBytes: usize, dst: usize): void {
  const mask = isPacked<L>() ? the<L>().mask : i32x4.splat(0), zero = i32x4.splat(0);
  for (let set: usize = 0; set < 2; set++) {
    let v0: v128, v1: v128, v2: v128, v3: v128;
    if (isBytes<L>()) {
      const q = p + (set << 4);
      v0 = v128.load(q); v1 = v128.load(q, 32); v2 = v128.load(q, 64); v3 = v128.load(q, 96);
    } else {
      const a = partOf<L>(p, 0), b = partOf<L>(p, 1), c = partOf<L>(p, 2), d = partOf<L>(p, 3), e = partOf<L>(p, 4), f = partOf<L>(p, 5);
      v0 = the<L>().vector(set, 0, a, b, c, d, e, f, mask, mask, zero); v1 = the<L>().vector(set, 1, a, b, c, d, e, f, mask, mask, zero);
      v2 = the<L>().vector(set, 2, a, b, c, d, e, f, mask, mask, zero); v3 = the<L>().vector(set, 3, a, b, c, d, e, f, mask, mask, zero);
    }
    for (let i = 0; i < 4; i++, dst += rowBytes) {
      const scale = f32x4.splat(the<L>().scale(block, unit, <i32>(set << 2) + i, half));
      put4<L>(i32x4.extract_lane(v0, 0), scale, dst); put4<L>(i32x4.extract_lane(v1, 0), scale, dst + 16);
      put4<L>(i32x4.extract_lane(v2, 0), scale, dst + 32); put4<L>(i32x4.extract_lane(v3, 0), scale, dst + 48);
      v0 = i32x4.shuffle(v0, v0, 1, 2, 3, 0); v1 = i32x4.shuffle(v1, v1, 1, 2, 3, 0);
      v2 = i32x4.shuffle(v2, v2, 1, 2, 3, 0); v3 = i32x4.shuffle(v3, v3, 1, 2, 3, 0);
    }
  }
}

@unmanaged class DequantGroup {
  @inline on<L>(w: usize, cols: usize, dst: usize, _d: usize, _e: usize, _f: usize, _g: usize, _h: usize, _i: usize): usize {
    if (!isHeads<L>()) return 0;
    const half = the<L>().quantBytes >> 1, rowBytes = cols << 2;
    for (const end = dst + rowBytes; dst < end; w += unitBytes<L>()) {
      for (let block = w + quantsIn<L>() * usize(isSuper<L>()); block < w + unitBytes<L>(); block += blockBytes<L>(), dst += 128) {
        dequantHalf<L>(block, block, w, 0, rowBytes, dst);
        dequantHalf<L>(block + half, block, w, 1, rowBytes, dst + 64);
      }
    }
    return 1;
  }
}

export function dequantGroup(layout: i32, w: usize, cols: i32, dst: usize): void {
  if (forLayout<DequantGroup>(layout, w, cols, dst)) return;
  for (let row = 0; row < 8; row++, dst += <usize>cols << 2) dequantRow(layout, w, cols, row, dst);
}

export function expand(layout: i32, w: usize, rows: i32, cols: i32, row: usize, dst: usize): void {
  for (let r = 0; r < ((rows + 7) & ~7); r++) {
    dequantRow(layout, w, cols, r, row);
    let q = dst + <usize>(r >> 3) * (<usize>cols << 5) + (<usize>(r & 7) << 2);
    for (let p = row, end = row + (<usize>cols << 2); p < end; p += 4, q += 32) store<f32>(q, load<f32>(p));
  }
}
