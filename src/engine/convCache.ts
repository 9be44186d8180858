/**
 * The inputs of convolutions that a sequence keeps (assembly/kernels/convolution): which of them are there, and copying them between
 * caches of different capacity.
 */
import { Convolution } from '../model/enums.ts';
import type { Hparams } from '../model/types.ts';
import { allConvolutions, blockRows, convolutionRowBytes } from '../model/convolution.ts';
import type { Cache } from './kvCache.ts';

const { block, ring } = Convolution;

/** From where on every position of a sequence has its rows; before that only the last ones of each block have. */
export class ConvolutionRows {
  constructor(private readonly taps: number, public low = 0) {}

  /** Positions up to `end` are about to be computed; their rows take the place of older ones whether that succeeds or not. */
  wrote(end: number): void { this.low = Math.max(this.low, end - ring); }

  truncate(length: number): void { this.low = Math.min(this.low, length); }

  /** Where computing can go on so that `length` tokens or fewer stay: there, or behind the last whole block. */
  resumable(length: number): number {
    const before = this.taps - 1, block0 = block * Math.floor(length / block);
    // rows from block0 on are there if low says so, those before it are kept for good
    return length - before >= this.low || length === block0 || this.low <= block0 ? length : block0;
  }
}

/** Row of each of a layer's rows of positions before `length` that are there: position → row, for those that `low` leaves. */
function* rowsOf(taps: number, capacity: number, length: number, low: number): Generator<number> {
  const before = taps - 1, kept = blockRows(taps, capacity);
  for (let position = 0; position < length; position++) {
    const at = (position % block) - (block - before);
    if (at >= 0) yield Math.floor(position / block) * before + at;
    else if (position >= low) yield kept + (position % ring);
  }
}

/** Copies the rows that `length` positions have, of every layer. What else lies in `to` stays. */
export function copyConvolutions(h: Hparams, length: number, low: number, from: Cache, to: Cache): void {
  const bytes = convolutionRowBytes(h), taps = h.convTaps, n = allConvolutions(h);
  const [fromRows, toRows] = [from, to].map(({ capacity }) => blockRows(taps, capacity) + ring) as [number, number];
  const into = [...rowsOf(taps, to.capacity, length, low)];
  let i = 0;
  for (const row of rowsOf(taps, from.capacity, length, low)) {
    const target = into[i++]!;
    for (let layer = 0; layer < n; layer++) {
      const at = (layer * fromRows + row) * bytes;
      to.bytes.set(from.bytes.subarray(at, at + bytes), (layer * toRows + target) * bytes);
    }
  }
}
