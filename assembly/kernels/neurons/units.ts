/**
 * The d and m of a row as 16-bit integers, for the forms that leave out neurons: one integer dot product then makes what four blocks of
 * nibbles add, where two f16 want six instructions and registers that are not there. d counts a row's units and m eight of them. A unit is
 * 2^-14 of the power of two above all of a row's |d| and |m| / 8.
 * Error: half a unit of d at most, four of m. None where d and m are f16 and |d| (|m| / 8) is at least a sixteenth of that power of two,
 * because f16 has 11 bits: of SmolLM2-135M's 4.98 million numbers in Q4_1 224 are off. Products of superblocks have up to 19 bits, so most
 * are rounded, which changes a value by (q / 2 + 4) * 2^-14 of the power of two at most.
 * Test: test/kernels/columns.test.ts, test/kernels/rows.test.ts.
 */
import { the } from '../../layouts/kinds';
import { blockAt, scaleCols, superAt } from './source';

/** The unit of a row whose largest |d| or |m| / 8 is `top`; below the smallest f16 units need not go. */
export function unitFor(top: f32): f32 {
  const exponent = reinterpret<u32>(max(top, <f32>5.9604644775390625e-8)) >> 23;
  return reinterpret<f32>((exponent - 13) << 23);
}

/** The unit of row `lane` of the group at `w`. */
export function unitOf<L>(w: usize, lane: i32, nBlocks: i32): f32 {
  let top: f32 = 0;
  for (let b = 0; b < nBlocks; b++) {
    const block = blockAt<L>(w, b), superblock = superAt<L>(w, b);
    top = max(top, abs(the<L>().scale(block, superblock, lane, 0)));
    if (scaleCols<L>() < 32) top = max(top, abs(the<L>().scale(block, superblock, lane, 1)));
    if (the<L>().mins) top = max(top, abs(the<L>().shift(block, superblock, lane, 0)) * 0.125);
  }
  return unitFor(top);
}

/** d in units, m in eight of them; `inverse` is 1 / unit. */
@inline export function unitsOfScale(d: f32, inverse: f32): i16 { return <i16><i32>nearest<f32>(d * inverse); }
@inline export function unitsOfMin(m: f32, inverse: f32): i16 { return <i16><i32>nearest<f32>(m * (inverse * 0.125)); }
