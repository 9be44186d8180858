/** A model into fresh memory: its weights, and the records that lead to them. */
import type { GgufFile } from '../format/gguf/types.ts';
import { Activation, Layout, Norm, Rope } from '../model/enums.ts';
import type { ModelPlan } from '../model/plan.ts';
import { RecordView, layerFields, modelFields, recordBytes } from '../model/records.ts';
import { stagingBytes } from '../model/staging.ts';
import type { Arena } from './arena.ts';
import type { Instance, LoaderExports } from './instantiate.ts';
import type { LoadProgress } from './load.ts';
import { loadWeights } from './load.ts';

/** Weights and records into a fresh arena; returns the model record's address. `laterBytes`: what the caller will take behind them. */
export async function placeModel(
  file: GgufFile, plan: ModelPlan, { exports, memory }: Instance<LoaderExports>, arena: Arena, laterBytes: number,
  { signal, onProgress }: { signal?: AbortSignal | undefined; onProgress?: ((progress: LoadProgress) => void) | undefined },
): Promise<{ records: number; addresses: number[]; fingerprint: string }> {
  const records = arena.take(recordBytes(modelFields)), layers = arena.take(plan.hparams.nLayers * recordBytes(layerFields));
  const frequencies = arena.take(2 * plan.hparams.ropeDim);
  // one growth for everything: weights, then staging and later workspace and sequence in the same place
  arena.reserve(plan.weightBytes + 64 + Math.max(laterBytes, stagingBytes(plan)));
  const { addresses, fingerprint } = await loadWeights(plan, file.parts, arena, exports, signal, onProgress);
  fillRecords(plan, addresses, memory, records, layers, frequencies);
  exports.prepare(records);
  return { records, addresses, fingerprint };
}

function fillRecords(plan: ModelPlan, addresses: readonly number[], memory: WebAssembly.Memory, records: number, layers: number, frequencies: number): void {
  const { family, hparams: h } = plan;
  const model = new RecordView(memory, records, modelFields);
  const { hidden, ffn, nLayers, heads, kvHeads, headDim, vocab, ropeDim, normEps, ropeBase, ropeScale, embedScale, attnScale } = h;
  model.assign({
    hidden, ffn, nLayers, heads, kvHeads, headDim, vocab, ropeDim, normEps, ropeBase, ropeScale, embedScale, attnScale,
    norm: Norm[family.norm], rope: Rope[family.rope], activation: Activation[h.activation], ropeFreqPtr: frequencies, layersPtr: layers,
  });
  for (const [i, { role, layer, layout }] of plan.tensors.entries()) {
    const record = layer === undefined ? model : new RecordView(memory, layers + layer * recordBytes(layerFields), layerFields);
    const fields: Record<string, number> = { [`${role.field}Ptr`]: addresses[i]! };
    if (role.kind === 'matrix') fields[`${role.field}Layout`] = Layout[layout];
    record.assign(fields);
  }
  if (plan.tiedHead) model.assign({ headPtr: model.get('embedPtr'), headLayout: model.get('embedLayout') });
}
