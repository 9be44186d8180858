/** A model into fresh memory: its weights, and the records that lead to them. */
import { ModelError } from '../errors.ts';
import type { GgufFile } from '../format/gguf/types.ts';
import { Activation, HeadNorm, Norm, Rope } from '../model/enums.ts';
import { Layout } from '../model/layouts.ts';
import type { Hparams, LayerHparams } from '../model/types.ts';
import { allConvolutions } from '../model/convolution.ts';
import { allKvHeads, ropeIndex } from '../model/hparams.ts';
import type { ModelPlan } from '../model/plan.ts';
import type { Fields } from '../model/records.ts';
import { RecordView, layerFields, modelFields, recordBytes, ropeFields } from '../model/records.ts';
import { stagingBytes } from '../model/staging.ts';
import type { Arena } from './arena.ts';
import { fillExperts, isOfExpert, takeExperts } from './experts.ts';
import type { Instance, LoaderExports } from './instantiate.ts';
import type { LoadProgress, PlacingTimes } from './weights.ts';
import { loadWeights } from './weights.ts';

/**
 * Weights and records into a fresh arena; returns the model record's address. `laterBytes`: what the caller will take behind them.
 * `contextSize`: positions that there will be room for.
 */
export async function placeModel(
  file: GgufFile, plan: ModelPlan, { exports, memory }: Instance<LoaderExports>, arena: Arena, laterBytes: number, contextSize: number,
  { signal, onProgress }: { signal?: AbortSignal | undefined; onProgress?: ((progress: LoadProgress) => void) | undefined },
): Promise<{ records: number; addresses: number[]; fingerprint: string; times: PlacingTimes }> {
  const records = takeRecords(arena, plan.hparams), experts = takeExperts(arena, plan.hparams);
  // one growth for everything: weights, then staging and later workspace and sequence in the same place
  arena.reserve(plan.weightBytes + 64 + Math.max(laterBytes, stagingBytes(plan)));
  const { addresses, fingerprint, times } = await loadWeights(plan, file.parts, arena, exports, signal, onProgress);
  for (const [i, { role, source, cols }] of plan.tensors.entries()) {
    if (role.field.startsWith('rope')) checkFactors(source.name, arena.f32(addresses[i]!, cols));
  }
  fillRecords(plan, addresses, memory, records, contextSize);
  fillExperts(plan, addresses, memory, records.layers, experts);
  exports.prepare(records.model);
  return { records: records.model, addresses, fingerprint, times };
}

/** Addresses of a model's records, and of each RopeRecord's frequencies and factors (0: it has none of its own). */
interface Records {
  readonly model: number;
  readonly layers: number;
  readonly ropes: number;
  readonly frequencies: readonly number[];
  readonly factors: readonly number[];
}

function takeRecords(arena: Arena, { nLayers, ropes }: Hparams): Records {
  return {
    model: arena.take(recordBytes(modelFields)),
    layers: arena.take(nLayers * recordBytes(layerFields)),
    ropes: arena.take(ropes.length * recordBytes(ropeFields)),
    frequencies: ropes.map(({ dim }) => arena.take(2 * dim)),
    factors: ropes.map(({ factors }) => (factors ? arena.take(4 * factors.length) : 0)),
  };
}

function fillRecords(
  { family, hparams: h, tensors, tiedHead, deviations }: ModelPlan, addresses: readonly number[], memory: WebAssembly.Memory, at: Records,
  contextSize: number,
): void {
  const view = <F extends Fields>(ptr: number, fields: F, i: number): RecordView<F> =>
    new RecordView(memory, ptr + i * recordBytes(fields), fields);
  const model = view(at.model, modelFields, 0), layers = h.layers.map((_, i) => view(at.layers, layerFields, i));
  const ropes = h.ropes.map((_, i) => view(at.ropes, ropeFields, i));
  const { hidden, ffn, nLayers, headDim, headStride, vocab, normEps, embedScale, logitScale, logitCap } = h;
  model.assign({
    hidden, ffn, nLayers, headDim, headStride, vocab, normEps, embedScale, logitScale, logitCap, deviations,
    norm: Norm[family.norm], nRopes: ropes.length, ropesPtr: at.ropes, layersPtr: at.layers,
  });
  h.ropes.forEach(({ kind, dim, base, scale, magnitude, factors }, i) => {
    const before = h.ropes.slice(0, i).reduce((sum, rope) => sum + rope.dim, 0);
    if (factors) new Float32Array(memory.buffer, at.factors[i], factors.length).set(factors);
    ropes[i]!.assign({ kind: Rope[kind], dim, before, base, scale, magnitude, freqPtr: at.frequencies[i]!, factorsPtr: at.factors[i]! });
  });
  h.layers.forEach((row, i) => {
    const { heads, kvHeads, ffn: own, activation, attnScale, attnCap, window, residualScale } = row, rope = ropeIndex(h, row);
    layers[i]!.assign({
      heads, kvHeads, kvBefore: allKvHeads(h, i), ffn: own, activation: Activation[activation], attnScale, attnCap, window, residualScale,
      headNorm: headNormOf(row), parallel: Number(row.parallel), normTurned: Number(row.normTurned),
      convTaps: row.convTaps ?? 0, convBefore: allConvolutions(h, i),
      ropePtr: rope < 0 ? 0 : at.ropes + rope * recordBytes(ropeFields),
    });
  });
  for (const [i, { role, layer, layout, sketch }] of tensors.entries()) {
    const factors = h.ropes.map(({ longAbove }) => factorsFor(longAbove, contextSize) === role.field);
    ropes.filter((_, j) => factors[j]).forEach((rope) => { rope.set('factorsPtr', addresses[i]!); });
    if (role.field.startsWith('rope') || isOfExpert(role.field)) continue;
    if (sketch) model.set('sketchPtr', addresses[i]! + sketch.coarse);
    for (const field of [role.field, ...(role.also ?? [])]) {
      const form = role.kind === 'matrix' ? { [`${field}Layout`]: Layout[layout] } : {};
      (layer === undefined ? model : layers[layer]!).assign({ [`${field}Ptr`]: addresses[i]!, ...form });
    }
  }
  if (tiedHead) model.assign({ headPtr: model.get('embedPtr'), headLayout: model.get('embedLayout') });
}

/** Frequencies are divided by them. */
function checkFactors(name: string, factors: Float32Array): void {
  const at = factors.findIndex((factor) => !(factor > 0));
  if (at < 0) return;
  throw new ModelError('E_HPARAM', {
    subject: `tensor ${name}`, found: `${factors[at]} at ${at}`, expected: 'positive factors',
    remedy: 'The file is damaged, or was converted wrongly; fetch or convert it again.',
  });
}

/** Which tensor has the factors of a rotation. */
const factorsFor = (longAbove: number | undefined, contextSize: number): string =>
  (longAbove === undefined ? 'ropeFactors' : contextSize > longAbove ? 'ropeLong' : 'ropeShort');

function headNormOf({ tensors }: LayerHparams): number {
  const { rows, cols } = tensors.find(({ field }) => field === 'qNorm') ?? {};
  return cols !== 'headDim' ? HeadNorm.row : rows === 'one' ? HeadNorm.shared : HeadNorm.each;
}
