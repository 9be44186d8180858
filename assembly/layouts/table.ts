/**
 * Every layout and every dtype of the file, a row each: the only list of them on this side (src/model/layouts.ts is the host's).
 *
 * A kernel is a template over the layout; `forLayout` is where a number becomes a layout, once a matrix. `Op` is a class like the layouts:
 * its function `on<L>` runs the template, and each row makes one of it.
 */
import { BF16 } from './bf16';
import { Coded } from './codes';
import { IQ1_M, IQ1_S, IQ2_S, IQ2_XS, IQ2_XXS, IQ3_S, IQ3_XXS } from './coded_iq';
import { TQ1_0, TQ2_0 } from './coded_tq';
import { F16 } from './f16';
import { F32 } from './f32';
import { IQ4_NL } from './iq4_nl';
import { IQ4_XS } from './iq4_xs';
import { the } from './kinds';
import { MXFP4 } from './mxfp4';
import { Q2_K } from './q2_k';
import { Q3_K } from './q3_k';
import { Q4_0 } from './q4_0';
import { Q4_1 } from './q4_1';
import { Q4_K } from './q4_k';
import { Q5_0 } from './q5_0';
import { Q5_1 } from './q5_1';
import { Q5_K } from './q5_k';
import { Q6_K } from './q6_k';
import { Q8_0 } from './q8_0';

/** No matrix; a plain f32 array [rows, cols]. */
export const NONE: i32 = 0, VECTOR: i32 = 1;

@inline function isLayout<L>(layout: i32): bool { return layout == the<L>().layout; }
@inline function isDtype<D>(dtype: i32): bool { return dtype == the<D>().dtype; }

/** Runs `Op` on a layout. Traps where there is none of this number. */
@inline export function forLayout<Op>(
  layout: i32, a: usize = 0, b: usize = 0, c: usize = 0, d: usize = 0, e: usize = 0, f: usize = 0, g: usize = 0, h: usize = 0, i: usize = 0,
): usize {
  if (isLayout<F32>(layout)) return the<Op>().on<F32>(a, b, c, d, e, f, g, h, i);
  if (isLayout<F16>(layout)) return the<Op>().on<F16>(a, b, c, d, e, f, g, h, i);
  if (isLayout<BF16>(layout)) return the<Op>().on<BF16>(a, b, c, d, e, f, g, h, i);
  if (isLayout<Q4_0>(layout)) return the<Op>().on<Q4_0>(a, b, c, d, e, f, g, h, i);
  if (isLayout<Q4_1>(layout)) return the<Op>().on<Q4_1>(a, b, c, d, e, f, g, h, i);
  if (isLayout<Q5_0>(layout)) return the<Op>().on<Q5_0>(a, b, c, d, e, f, g, h, i);
  if (isLayout<Q5_1>(layout)) return the<Op>().on<Q5_1>(a, b, c, d, e, f, g, h, i);
  if (isLayout<Q8_0>(layout)) return the<Op>().on<Q8_0>(a, b, c, d, e, f, g, h, i);
  if (isLayout<Q4_K>(layout)) return the<Op>().on<Q4_K>(a, b, c, d, e, f, g, h, i);
  if (isLayout<Q5_K>(layout)) return the<Op>().on<Q5_K>(a, b, c, d, e, f, g, h, i);
  if (isLayout<Q6_K>(layout)) return the<Op>().on<Q6_K>(a, b, c, d, e, f, g, h, i);
  if (isLayout<Q2_K>(layout)) return the<Op>().on<Q2_K>(a, b, c, d, e, f, g, h, i);
  if (isLayout<Q3_K>(layout)) return the<Op>().on<Q3_K>(a, b, c, d, e, f, g, h, i);
  if (isLayout<IQ4_NL>(layout)) return the<Op>().on<IQ4_NL>(a, b, c, d, e, f, g, h, i);
  if (isLayout<IQ4_XS>(layout)) return the<Op>().on<IQ4_XS>(a, b, c, d, e, f, g, h, i);
  if (isLayout<MXFP4>(layout)) return the<Op>().on<MXFP4>(a, b, c, d, e, f, g, h, i);
  if (isLayout<Coded>(layout)) return the<Op>().on<Coded>(a, b, c, d, e, f, g, h, i);
  return unreachable();
}

/** Runs `Op` on a dtype of the file and the layout that holds it; `missing` where there is none of this number. */
@inline export function forDtype<Op>(dtype: i32, missing: i32, layout: i32, src: usize, dst: usize, rows: i32, cols: i32): i32 {
  if (isDtype<F32>(dtype)) return the<Op>().on<F32, F32>(layout, src, dst, rows, cols);
  if (isDtype<F16>(dtype)) return the<Op>().on<F16, F16>(layout, src, dst, rows, cols);
  if (isDtype<BF16>(dtype)) return the<Op>().on<BF16, BF16>(layout, src, dst, rows, cols);
  if (isDtype<Q4_0>(dtype)) return the<Op>().on<Q4_0, Q4_0>(layout, src, dst, rows, cols);
  if (isDtype<Q4_1>(dtype)) return the<Op>().on<Q4_1, Q4_1>(layout, src, dst, rows, cols);
  if (isDtype<Q5_0>(dtype)) return the<Op>().on<Q5_0, Q5_0>(layout, src, dst, rows, cols);
  if (isDtype<Q5_1>(dtype)) return the<Op>().on<Q5_1, Q5_1>(layout, src, dst, rows, cols);
  if (isDtype<Q8_0>(dtype)) return the<Op>().on<Q8_0, Q8_0>(layout, src, dst, rows, cols);
  if (isDtype<IQ4_NL>(dtype)) return the<Op>().on<IQ4_NL, IQ4_NL>(layout, src, dst, rows, cols);
  if (isDtype<Q4_K>(dtype)) return the<Op>().on<Q4_K, Q4_K>(layout, src, dst, rows, cols);
  if (isDtype<Q5_K>(dtype)) return the<Op>().on<Q5_K, Q5_K>(layout, src, dst, rows, cols);
  if (isDtype<Q6_K>(dtype)) return the<Op>().on<Q6_K, Q6_K>(layout, src, dst, rows, cols);
  if (isDtype<Q2_K>(dtype)) return the<Op>().on<Q2_K, Q2_K>(layout, src, dst, rows, cols);
  if (isDtype<Q3_K>(dtype)) return the<Op>().on<Q3_K, Q3_K>(layout, src, dst, rows, cols);
  if (isDtype<IQ4_XS>(dtype)) return the<Op>().on<IQ4_XS, IQ4_XS>(layout, src, dst, rows, cols);
  if (isDtype<MXFP4>(dtype)) return the<Op>().on<MXFP4, MXFP4>(layout, src, dst, rows, cols);
  if (isDtype<IQ1_S>(dtype)) return the<Op>().on<IQ1_S, Coded>(layout, src, dst, rows, cols);
  if (isDtype<IQ1_M>(dtype)) return the<Op>().on<IQ1_M, Coded>(layout, src, dst, rows, cols);
  if (isDtype<IQ2_XXS>(dtype)) return the<Op>().on<IQ2_XXS, Coded>(layout, src, dst, rows, cols);
  if (isDtype<IQ2_XS>(dtype)) return the<Op>().on<IQ2_XS, Coded>(layout, src, dst, rows, cols);
  if (isDtype<IQ2_S>(dtype)) return the<Op>().on<IQ2_S, Coded>(layout, src, dst, rows, cols);
  if (isDtype<IQ3_XXS>(dtype)) return the<Op>().on<IQ3_XXS, Coded>(layout, src, dst, rows, cols);
  if (isDtype<IQ3_S>(dtype)) return the<Op>().on<IQ3_S, Coded>(layout, src, dst, rows, cols);
  if (isDtype<TQ1_0>(dtype)) return the<Op>().on<TQ1_0, Coded>(layout, src, dst, rows, cols);
  if (isDtype<TQ2_0>(dtype)) return the<Op>().on<TQ2_0, Coded>(layout, src, dst, rows, cols);
  return missing;
}
