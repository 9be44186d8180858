/** Sequences in memory: laid out, and whether another one finds room. */
import { KvKind } from '../model/enums.ts';
import { skippingBytes } from '../model/forms.ts';
import type { SequenceOptions } from '../model/memory.ts';
import { layoutSequence } from '../model/memory.ts';
import type { ModelPlan } from '../model/plan.ts';
import { RecordView, adaptFields, recordBytes, sequenceFields } from '../model/records.ts';
import type { Hparams } from '../model/types.ts';
import type { AdaptState } from './adapt.ts';
import type { Arena } from './arena.ts';
import { ConvolutionRows } from './convCache.ts';

/** What is a sequence's: the blocks that hold it, what skipping remembers, once it does, and which rows of convolutions are there. */
export interface Open { readonly blocks: readonly number[]; adapt: AdaptState | undefined; readonly rows: ConvolutionRows | undefined }

/** Takes what a sequence needs; `ptr`: its record. @throws ModelError `E_WONT_FIT` */
export function openIn(arena: Arena, hparams: Hparams, options: SequenceOptions): { ptr: number; open: Open } {
  const { capacity, buffers } = layoutSequence(hparams, options), { convTaps } = hparams;
  const records = { ptr: recordBytes(sequenceFields), adaptPtr: recordBytes(adaptFields) };
  const { ptr, adaptPtr, ...pointers } = arena.takeAll({ ...records, ...buffers });
  new RecordView(arena.memory, ptr, sequenceFields).assign({
    ...pointers, adaptPtr, position: 0, hasLogits: 0, capacity, kvKind: KvKind[options.kv], margin: Infinity, floor: -Infinity,
  });
  const rows = convTaps > 0 ? new ConvolutionRows(convTaps) : undefined;
  return { ptr, open: { blocks: [ptr, adaptPtr, ...Object.values<number>(pointers)], adapt: undefined, rows } };
}

/** Whether another sequence finds room beside `open` and leaves what all need to skip neurons. `skips`: what they share is there. */
export function hasRoom(arena: Arena, { hparams }: ModelPlan, options: SequenceOptions, open: Iterable<Open>, skips: boolean): boolean {
  const { shared, sequence } = skippingBytes(hparams), without = 1 + [...open].filter(({ adapt }) => !adapt).length;
  return arena.fits(layoutSequence(hparams, options).bytes + (skips ? 0 : shared) + without * sequence);
}
