/**
 * The f16 d and m of a 4-bit row as 16-bit integers, for the forms that leave out neurons: one integer dot product then makes what four
 * blocks add, where two f16 want six instructions and registers that are not there. d counts a row's units and m eight of them: m = -8 d
 * where a block's values lie around zero. A unit is 2^-14 of the power of two above all of a row's |d| and |m| / 8.
 * Error: none while |d| (|m| / 8) is at least a sixteenth of that power of two, because f16 has 11 bits; smaller ones are off by half a
 * unit at most: m by four, a value by (15 / 2 + 4) * 2^-14 of the power of two. Of SmolLM2-135M's 4.98 million numbers in Q4_1 224 are.
 * Test: test/kernels/columns.test.ts, test/kernels/rows.test.ts.
 */
import { halfAt } from '../../base/half';

/** Bytes from a block's d to its m (layouts/kinds.ts). */
const TO_MIN: usize = 16;

/** The unit of a row whose first d lies at `p`, the next ones `step` bytes apart. The bits of f16 ascend as the values do. */
export function unitOf(hasMin: bool, p: usize, nBlocks: i32, step: usize): f32 {
  let top = 0x400; // below the smallest normal number units need not go
  for (; nBlocks > 0; nBlocks--, p += step) {
    top = max(top, <i32>load<u16>(p) & 0x7fff);
    if (hasMin) top = max(top, (<i32>load<u16>(p, TO_MIN) & 0x7fff) - 0xc00);
  }
  return reinterpret<f32>(((top >> 10) + 127 - 28) << 23); // f16 bits e << 10 are 2^(e - 15) and more, below 2^(e - 14)
}

/** The d at `p` in units; `inverse` is 1 / unit. */
@inline export function unitsOfScale(p: usize, inverse: f32): i16 { return <i16><i32>nearest<f32>(halfAt(p) * inverse); }

/** The m that belongs to the d at `p`, in eight units. */
@inline export function unitsOfMin(p: usize, inverse: f32): i16 { return <i16><i32>nearest<f32>(halfAt(p + TO_MIN) * (inverse * 0.125)); }
