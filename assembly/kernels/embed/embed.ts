/**
 * A matrix in any layout as f32, the same values as ggml's dequantize: the embedding lookup, the second opinion on repacking, and what
 * `precision: 'exact'` and calibration multiply with. Test: test/kernels/repack.test.ts.
 *   dequantRow  row `row` of a matrix with `cols` columns → [cols] at `dst`
 *   dequantGroup  8 rows at once → [8, cols] at `dst`: bytes and packed quants four to an operation
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

/** 4 rows x 4 columns of bytes as signed numbers, or as stored (`put` of kernels/matmul/unpack.ts). */
@inline function plain<L>(v: v128): v128 {
  return isBytes<L>() || isSigned<L>() && !(isSuper<L>() && ASC_FEATURE_RELAXED_SIMD) ? v128.xor(v, i16x8.splat(0x80)) : v;
}
@inline function isSigned<L>(): bool { return isBytes<L>() || isPacked<L>() && the<L>().bits == 8; }

/** 4 columns of a row: scale * quant [+ shift]. */
@inline function put4<L>(quants: u32, scale: v128, shift: v128, dst: usize): void {
  const bytes = i32x4.splat(quants), eight = isSigned<L>() ? i16x8.extend_low_i8x16_s(bytes) : i16x8.extend_low_i8x16_u(bytes);
  const q = isSigned<L>() ? eight : i16x8.sub(eight, i16x8.splat(<i16>the<L>().middle));
  const value = f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(q)), scale);
  v128.store(dst, the<L>().mins ? f32x4.add(value, shift) : value);
}

/** 8 rows of half a block at p, 16 columns. */
@inline function dequantHalf<L>(p: usize, block: usize, unit: usize, half: usize, rowBytes: usize, dst: usize): void {
  const a = isPacked<L>() ? the<L>().mask : i32x4.splat(0), b = isPacked<L>() ? the<L>().table(isSuper<L>() ? unit : block) : a;
  const c = isPacked<L>() ? the<L>().third : a;
  for (let set: usize = 0; set < 2; set++) {
    let v0: v128, v1: v128, v2: v128, v3: v128;
    if (isBytes<L>()) {
      const q = p + (set << 4);
      v0 = v128.load(q); v1 = v128.load(q, 32); v2 = v128.load(q, 64); v3 = v128.load(q, 96);
    } else {
      const p0 = partOf<L>(p, 0), p1 = partOf<L>(p, 1), p2 = partOf<L>(p, 2);
      const p3 = partOf<L>(p, 3), p4 = partOf<L>(p, 4), p5 = partOf<L>(p, 5);
      v0 = the<L>().vector(set, 0, p0, p1, p2, p3, p4, p5, a, b, c); v1 = the<L>().vector(set, 1, p0, p1, p2, p3, p4, p5, a, b, c);
      v2 = the<L>().vector(set, 2, p0, p1, p2, p3, p4, p5, a, b, c); v3 = the<L>().vector(set, 3, p0, p1, p2, p3, p4, p5, a, b, c);
    }
    v0 = plain<L>(v0); v1 = plain<L>(v1); v2 = plain<L>(v2); v3 = plain<L>(v3);
    for (let i = 0; i < 4; i++, dst += rowBytes) {
      const lane = <i32>(set << 2) + i, scale = f32x4.splat(the<L>().scale(block, unit, lane, half));
      const shift = f32x4.splat(the<L>().mins ? the<L>().shift(block, unit, lane, half) : 0);
      put4<L>(i32x4.extract_lane(v0, 0), scale, shift, dst); put4<L>(i32x4.extract_lane(v1, 0), scale, shift, dst + 16);
      put4<L>(i32x4.extract_lane(v2, 0), scale, shift, dst + 32); put4<L>(i32x4.extract_lane(v3, 0), scale, shift, dst + 48);
      v0 = i32x4.shuffle(v0, v0, 1, 2, 3, 0); v1 = i32x4.shuffle(v1, v1, 1, 2, 3, 0);
      v2 = i32x4.shuffle(v2, v2, 1, 2, 3, 0); v3 = i32x4.shuffle(v3, v3, 1, 2, 3, 0);
    }
  }
}

@unmanaged class DequantGroup {
  @inline on<L>(w: usize, cols: usize, dst: usize, _d: usize, _e: usize, _f: usize, _g: usize, _h: usize, _i: usize): usize {
    const rowBytes = cols << 2;
    if (isBytes<L>() || isPacked<L>()) {
      const half = the<L>().quantBytes >> 1;
      for (const end = dst + rowBytes; dst < end; w += unitBytes<L>()) {
        for (let block = w + quantsIn<L>() * usize(isSuper<L>()); block < w + unitBytes<L>(); block += blockBytes<L>(), dst += 128) {
          dequantHalf<L>(block, block, w, 0, rowBytes, dst);
          dequantHalf<L>(block + half, block, w, 1, rowBytes, dst + 64);
        }
      }
    } else for (let lane = 0; lane < 8; lane++, dst += rowBytes) row<L>(w, <i32>cols, lane, dst);
    return 0;
  }
}

export function dequantGroup(layout: i32, w: usize, cols: i32, dst: usize): void { forLayout<DequantGroup>(layout, w, cols, dst); }

export function expand(layout: i32, w: usize, rows: i32, cols: i32, row: usize, dst: usize): void {
  for (let r = 0; r < ((rows + 7) & ~7); r++) {
    dequantRow(layout, w, cols, r, row);
    let q = dst + <usize>(r >> 3) * (<usize>cols << 5) + (<usize>(r & 7) << 2);
    for (let p = row, end = row + (<usize>cols << 2); p < end; p += 4, q += 32) store<f32>(q, load<f32>(p));
  }
}
