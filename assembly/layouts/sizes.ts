/** What a caller that has only a layout's number may ask about it. */
import { Format, formatFor, groupBytes } from './kinds';
import { NONE, VECTOR, forLayout } from './table';

@unmanaged class LayoutBytes {
  @inline on<L>(groups: usize, cols: usize, _c: usize, _d: usize, _e: usize, _f: usize, _g: usize, _h: usize, _i: usize): usize {
    return groups * groupBytes<L>(<i32>cols);
  }
}

/** Bytes of a matrix in a layout. */
export function layoutBytes(layout: i32, rows: i32, cols: i32): usize {
  if (layout == NONE) return 0;
  if (layout == VECTOR) return <usize>rows * <usize>cols << 2;
  return forLayout<LayoutBytes>(layout, (rows + 7) >> 3, cols);
}

@unmanaged class FormatOf {
  @inline on<L>(_a: usize, _b: usize, _c: usize, _d: usize, _e: usize, _f: usize, _g: usize, _h: usize, _i: usize): usize {
    return formatFor<L>();
  }
}

/** The Format (kinds.ts) that a layout multiplies with; f32 where there is no matrix. */
export function formatOf(layout: i32): i32 { return layout == NONE ? Format.f32 : <i32>forLayout<FormatOf>(layout); }
