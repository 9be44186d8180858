/**
 * y[rows] = W x for W in any interleaved layout. Lanes are rows; integer parts are exact, f32 parts add one term a block, in block order.
 *   quants  x as the records that the layout wants (kernels/quantize): nibbles.ts, bytes.ts, packed.ts, superblocks super.ts
 *   floats  x f32: floats.ts
 * Preconditions: cols a multiple of the layout's unit; W has `groups` groups of 8 rows; y has room for all of them.
 * Error: quants: that of the activations' rounding; f32 rounding about (cols / 32) * 6e-8 relative to the sum of magnitudes; floats: cols *
 * 6e-8 of it.
 * Test: test/kernels/matvec.test.ts.
 */
import { isFloat, isNibbles, isPacked, isSuper } from '../../layouts/kinds';
import { forLayout } from '../../layouts/table';
import { bytes } from './bytes';
import { floats } from './floats';
import { nibbles } from './nibbles';
import { packed } from './packed';
import { superMatvec } from './super';

@unmanaged class Matvec {
  @inline on<L>(w: usize, groups: usize, cols: usize, x: usize, y: usize, _f: usize, _g: usize, _h: usize, _i: usize): usize {
    if (isFloat<L>()) floats<L>(w, <i32>groups, <i32>cols, x, y);
    else if (isSuper<L>()) superMatvec<L>(w, <i32>groups, <i32>cols, x, y);
    else if (isPacked<L>()) packed<L>(w, <i32>groups, <i32>cols, x, y);
    else if (isNibbles<L>()) nibbles<L>(w, <i32>groups, <i32>cols, x, y);
    else bytes<L>(w, <i32>groups, <i32>cols, x, y);
    return 0;
  }
}

export function matvec(layout: i32, w: usize, groups: i32, cols: i32, x: usize, y: usize): void {
  forLayout<Matvec>(layout, w, groups, cols, x, y);
}
