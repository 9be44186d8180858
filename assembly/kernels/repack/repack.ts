/**
 * From the file's rows to the layout of the arena (layouts/kinds.ts), while the file streams in: the caller passes a few thousand rows at a
 * time, in multiples of 8 but for a tensor's end. Nothing is requantised. Test: test/kernels/repack.test.ts.
 */
import { Status } from '../../abi/enums';
import { isFloat, the, unitBytes, unitCols, valueAt } from '../../layouts/kinds';
import { VECTOR, forDtype } from '../../layouts/table';

/** Rows of dtype D into layout L, the last group's missing ones as zeros; how many scales or weights are not finite. */
function interleave<D, L>(src: usize, dst: usize, rows: i32, cols: i32): i32 {
  const nUnits = <usize>(cols / unitCols<L>()), rowBytes = nUnits * the<D>().fileBytes, groupBytes = nUnits * unitBytes<L>();
  let bad = 0;
  for (let row = 0; row < rows; row += 8, dst += groupBytes, src += 8 * rowBytes) {
    const nLanes = min(8, rows - row);
    if (nLanes < 8) memory.fill(dst, 0, groupBytes);
    for (let lane = 0; lane < nLanes; lane++) {
      const from = src + <usize>lane * rowBytes;
      if (isFloat<L>()) {
        for (let col: usize = 0; col < <usize>cols; col++) {
          bad += the<D>().unpack(from + col * the<D>().fileBytes, dst + valueAt<L>(<usize>lane, col, <usize>cols), 0);
        }
        continue;
      }
      for (let p = from, q = dst, end = from + rowBytes; p < end; p += the<D>().fileBytes, q += unitBytes<L>()) {
        bad += the<D>().unpack(p, q, lane);
      }
    }
  }
  return bad;
}

/** Values of dtype D as f32, back to back. `unpack` is there to look at them; what it writes is written over. */
function flatten<D>(src: usize, dst: usize, count: i32): i32 {
  let bad = 0;
  for (const end = src + <usize>count * the<D>().fileBytes; src < end; src += the<D>().fileBytes, dst += 4) {
    bad += the<D>().unpack(src, dst, 0);
    store<f32>(dst, the<D>().value(src));
  }
  return bad;
}

@unmanaged class Repack {
  @inline on<D, L>(layout: i32, src: usize, dst: usize, rows: i32, cols: i32): i32 {
    let bad = 0;
    if (layout == the<L>().layout) bad = interleave<D, L>(src, dst, rows, cols);
    else if (layout != VECTOR) return Status.badLayout;
    else if (isFloat<L>()) bad = flatten<D>(src, dst, rows * cols);
    else return Status.badLayout;
    return bad ? Status.nonFinite : Status.ok;
  }
}

/**
 * Converts `rows` rows of `cols` columns from a file dtype at `src` into a layout at `dst`.
 * Status.ok, badLayout for a pair that does not exist, nonFinite where a weight or scale is NaN or infinite.
 */
export function repack(dtype: i32, layout: i32, src: usize, dst: usize, rows: i32, cols: i32): i32 {
  return forDtype<Repack>(dtype, Status.badLayout, layout, src, dst, rows, cols);
}
