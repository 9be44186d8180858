/** Short convolutions in the place of attention (LFM2): their taps, and what a sequence keeps of their inputs. */
import { Convolution } from './enums.ts';
import type { Keys } from './keys.ts';
import { bad } from './keys.ts';
import type { Family, Hparams } from './types.ts';

/**
 * Taps of the convolutions of a family that has some, else 0. Layers without key/value heads convolve.
 * @throws ModelError `E_HPARAM`
 */
export function readTaps(keys: Keys, { convKey }: Family, hidden: number, layerKvHeads: readonly number[]): number {
  if (convKey === undefined) return 0;
  const taps = keys.count(convKey, Convolution.ring);
  if (taps < 2) bad(keys.name(convKey), taps, `an integer from 2 to ${Convolution.ring}`);
  if (hidden % 4 !== 0) bad(keys.name('embedding_length'), hidden, 'a multiple of 4, where layers convolve');
  if (!layerKvHeads.some((heads) => heads > 0)) {
    bad(keys.name('attention.head_count_kv'), 'no layer with key/value heads', 'one at least');
  }
  return taps;
}

/** Convolutions of all layers together, or of those before layer `i`. */
export const allConvolutions = ({ layers }: Pick<Hparams, 'layers'>, i = layers.length): number =>
  layers.slice(0, i).filter(({ convTaps }) => convTaps !== undefined).length;

/** Rows that a sequence keeps for good of one convolution, for positions up to `capacity` (assembly/kernels/convolution). */
export const blockRows = (taps: number, capacity: number): number => Math.ceil(capacity / Convolution.block) * (taps - 1);

/** Bytes of a row, as activations are padded. */
export const convolutionRowBytes = ({ hidden }: Pick<Hparams, 'hidden'>): number => 4 * 32 * Math.ceil(hidden / 32);

/** Bytes of the rows that a sequence keeps of all convolutions. */
export const convolutionBytes = (h: Hparams, capacity: number): number =>
  allConvolutions(h) * (blockRows(h.convTaps, capacity) + Convolution.ring) * convolutionRowBytes(h);
