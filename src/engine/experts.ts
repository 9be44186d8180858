/** The records of a mixture's experts: where each lies in the tensors that hold all of them. */
import { Layout } from '../model/layouts.ts';
import type { ModelPlan } from '../model/plan.ts';
import { RecordView, expertFields, layerFields, recordBytes } from '../model/records.ts';
import type { Hparams } from '../model/types.ts';
import type { Arena } from './arena.ts';

/** Records of the experts of each layer, its shared one behind them; 0: it has none. */
export function takeExperts(arena: Arena, { layers }: Hparams): number[] {
  return layers.map(({ experts }) => (experts ? arena.take((experts.count + 1) * recordBytes(expertFields)) : 0));
}

const parts = [
  ['expertGate', 'sharedGate', 'gate'], ['expertUp', 'sharedUp', 'up'], ['expertDown', 'sharedDown', 'down'],
] as const;

/** Whether a tensor belongs to an expert's record, not to its layer's. */
export const isOfExpert = (field: string): boolean => parts.some(([own, shared]) => field === own || field === shared);

/** Fills what `takeExperts` took at `at`, and what layers say of it. `addresses`: of the tensors of the plan. */
export function fillExperts(
  { hparams: { layers }, tensors }: ModelPlan, addresses: readonly number[], memory: WebAssembly.Memory, layersPtr: number,
  at: readonly number[],
): void {
  layers.forEach(({ experts, ffn }, i) => {
    if (!experts) return;
    const { count, used, normed, sharedFfn } = experts, size = recordBytes(expertFields), sharedPtr = at[i]! + count * size;
    new RecordView(memory, layersPtr + i * recordBytes(layerFields), layerFields).assign({
      experts: count, expertsUsed: used, expertsNormed: normed ? 1 : 0, expertsPtr: at[i]!, sharedPtr: sharedFfn > 0 ? sharedPtr : 0,
    });
    const records = Array.from({ length: count + 1 }, (_, e) => new RecordView(memory, at[i]! + e * size, expertFields));
    records.forEach((record, e) => { record.set('ffn', e < count ? ffn : sharedFfn); });
    for (const [k, { role: { field }, layer, layout, bytes, matrices }] of tensors.entries()) {
      const part = layer === i ? parts.find(([own, shared]) => field === own || field === shared) : undefined;
      if (!part) continue;
      const [own, , name] = part, first = field === own ? 0 : count;
      for (let e = 0; e < matrices; e++) {
        records[first + e]!.assign({ [`${name}Ptr`]: addresses[k]! + e * (bytes / matrices), [`${name}Layout`]: Layout[layout] });
      }
    }
  });
}
