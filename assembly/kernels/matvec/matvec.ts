/**
 * y[rows] = W x for W in any interleaved layout. Lanes are rows; integer parts are exact, f32 parts add one term a block, in block order.
 *   quants  x as the records that the layout wants (kernels/quantize): nibbles.ts, bytes.ts, packed.ts, superblocks super.ts
 *   floats  x f32: floats.ts
 * Preconditions: cols a multiple of the layout's unit; W has `groups` groups of 8 rows; y has room for all of them.
 * Error: quants: that of the activations' rounding; f32 rounding about (cols / 32) * 6e-8 relative to the sum of magnitudes; floats: cols *
 * 6e-8 of it.
 * Test: test/kernels/matvec.test.ts.
 */
import { blockBytes, isFloat, isNibbles, isPacked, isSuper } from '../../layouts/kinds';
import { forLayout } from '../../layouts/table';
import { recordStride } from '../quantize/quantize';
import { bytes } from './bytes';
import { floats } from './floats';
import { nibbles } from './nibbles';
import { packed } from './packed';
import { RUN, endOfStreams, groupsEach, wholeSums } from './streams';
import { superMatvec } from './super';

/** Quants whose blocks stand alone. */
function blocks<L>(w: usize, groups: i32, cols: i32, x: usize, y: usize, streams: i32): void {
  const each = groupsEach(groups, streams), across = <usize>each << 5, far = <usize>each * <usize>(cols >> 5) * blockBytes<L>();
  const all = <usize>(cols >> 5), turn = streams > 1 ? <usize>RUN : all;
  for (let g = 0; g < each; g++, y += 32) {
    const end = endOfStreams(y, g, groups, each);
    for (let block: usize = 0, n = turn; block < all; block += n) {
      n = min(turn, all - block);
      const from = x + block * recordStride<L>(), to = from + n * recordStride<L>();
      for (let v = w, out = y; out < end; v += far, out += across) {
        if (isPacked<L>()) packed<L>(v, from, to, out, !block);
        else if (isNibbles<L>()) nibbles<L>(v, from, to, out, !block);
        else bytes<L>(v, from, to, out, !block);
      }
      w += n * blockBytes<L>();
    }
    wholeSums(y, end, across);
  }
}

@unmanaged class Matvec {
  @inline on<L>(w: usize, groups: usize, cols: usize, x: usize, y: usize, streams: usize, _g: usize, _h: usize, _i: usize): usize {
    if (isFloat<L>()) floats<L>(w, <i32>groups, <i32>cols, x, y);
    else if (isSuper<L>()) superMatvec<L>(w, <i32>groups, <i32>cols, x, y, <i32>streams);
    else blocks<L>(w, <i32>groups, <i32>cols, x, y, <i32>streams);
    return 0;
  }
}

export function matvec(layout: i32, w: usize, groups: i32, cols: i32, x: usize, y: usize, streams: i32): void {
  forLayout<Matvec>(layout, w, groups, cols, x, y, streams);
}
