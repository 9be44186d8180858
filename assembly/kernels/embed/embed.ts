/**
 * A matrix in any layout as f32, the same values as ggml's dequantize: the embedding lookup, the second opinion on repacking, and what
 * `precision: 'exact'` and calibration multiply with. Test: test/kernels/repack.test.ts.
 *   dequantRow  row `row` of a matrix with `cols` columns → [cols] at `dst`
 *   expand      `rows` rows (groups padded with zeros) → the interleaved f32 layout; `row` is scratch [cols] f32
 */
import { blockBytes, groupBytes, isFloat, isSuper, quantOf, quantsIn, the, unitBytes, valueAt } from '../../layouts/kinds';
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

export function expand(layout: i32, w: usize, rows: i32, cols: i32, row: usize, dst: usize): void {
  for (let r = 0; r < ((rows + 7) & ~7); r++) {
    dequantRow(layout, w, cols, r, row);
    let q = dst + <usize>(r >> 3) * (<usize>cols << 5) + (<usize>(r & 7) << 2);
    for (let p = row, end = row + (<usize>cols << 2); p < end; p += 4, q += 32) store<f32>(q, load<f32>(p));
  }
}
