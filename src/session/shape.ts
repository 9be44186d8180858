/** Sizes that a model gives a sequence. */
import { ConvolutionRows } from '../engine/convCache.ts';
import type { Engine } from '../engine/engine.ts';
import { capacityOf } from '../engine/kvCache.ts';
import { reportWords } from '../engine/state.ts';
import { convolutionBytes } from '../model/convolution.ts';
import { cacheBytes } from '../model/memory.ts';
import type { SequenceShape } from './restored.ts';

export function shapeOf({ plan: { hparams }, kv }: Engine): SequenceShape {
  return {
    vocab: hparams.vocab, nLayers: hparams.nLayers, ffn: hparams.ffn, reportWords,
    cacheBytes: (positions) => cacheBytes(hparams, kv, capacityOf(positions)),
    convTaps: hparams.convTaps, resumable: (low, cached) => new ConvolutionRows(hparams.convTaps, low).resumable(cached) === cached,
    convolutionBytes: (positions) => convolutionBytes(hparams, capacityOf(positions)),
  };
}
