/** What skipping neurons needs in memory beside the model, from the plan alone: upper bounds, so that what fits by them does fit. */
import { Stage } from './enums.ts';
import type { Hparams } from './types.ts';
import { columnFormBytes, isFloat, rowFormBytes } from './layouts.ts';
import type { ModelPlan, PlannedTensor } from './plan.ts';
import { aligned } from './plan.ts';
import { adaptLayerFields, recordBytes } from './records.ts';

/** Which stages read a matrix neuron by neuron. */
export const formStages = {
  gate: Stage.scores, up: Stage.scores | Stage.gate, down: Stage.scores | Stage.gate | Stage.product,
} as const;
export type FormField = keyof typeof formStages;

/** Which stages read a matrix input by input. */
export const columnStages = {
  q: Stage.inputs, k: Stage.inputs, v: Stage.inputs, o: Stage.inputs, gate: Stage.inputs, up: Stage.inputs, down: formStages.down,
} as const;
export type ColumnField = keyof typeof columnStages;

export const isForm = (field: string): field is FormField => field in formStages;

/** Neurons of a feed-forward matrix. */
export const neuronsOf = ({ role, rows, cols }: PlannedTensor): number => (role.field === 'down' ? cols : rows);

/** Bytes of a compact copy of one matrix for masks of `density`, of which single layers may take a little more than their share. */
function compactOf(tensor: PlannedTensor, density: number): number {
  const { role, bytes } = tensor, ffn = neuronsOf(tensor);
  return aligned(role.field === 'down' ? bytes + 3 * ffn : bytes * Math.min(1, 1.02 * density) + (bytes / ffn) * 16);
}

/** Whether what a mask copies gives the bits of the whole: the columns of floats that are left are summed in another order. */
export const copiesExactly = ({ tensors }: ModelPlan): boolean =>
  tensors.every(({ role, layout }) => role.field !== 'down' || !isFloat(layout));

/** Bytes of compact copies of all layers. */
export function compactBytes({ tensors, hparams }: ModelPlan, density: number): number {
  return tensors.reduce(
    (sum, tensor) => sum + (tensor.layer !== undefined && isForm(tensor.role.field) ? compactOf(tensor, density) : 0),
    256 * hparams.nLayers,
  );
}

/** Bytes of a matrix by row, and by column, where `stages` read them so; 0 where its layout has no such form. */
export function formsOf({ role: { field }, layout, rows, cols }: PlannedTensor, stages: number): { rows: number; columns: number } {
  const byRow = (field === 'gate' || field === 'up') && (stages & formStages[field]) !== 0;
  const byColumn = field in columnStages && (stages & columnStages[field as ColumnField]) !== 0;
  return { rows: byRow ? rowFormBytes(layout, rows, cols) : 0, columns: byColumn ? columnFormBytes(layout, rows, cols) : 0 };
}

/** Bytes of the second copies of matrices that `stages` read fast. */
export function formBytes(plan: ModelPlan, stages: number): number {
  return plan.tensors.reduce((sum, tensor) => {
    const { rows, columns } = formsOf(tensor, stages);
    return sum + aligned(rows) + aligned(columns);
  }, 0);
}

/** Bytes beside those copies: the constants of a calibration and a pass's lists, shared; and what each sequence remembers. */
export function skippingBytes(h: Hparams, inputs = true): { shared: number; sequence: number } {
  const { nLayers, ffn, hidden, heads, headDim } = h, floats = (n: number): number => aligned(4 * pad8(n));
  const ofInputs = 2 * floats(hidden) + floats(heads * headDim);
  const constants = nLayers * (5 * floats(ffn) + floats(hidden) + (inputs ? ofInputs : 0));
  return { shared: constants + layoutSkipping(h).bytes, sequence: layoutSequenceSkipping(h).bytes };
}

/** Room for a list of inputs with its kind before it (assembly/forward/columns.ts, kernels/columns/list.ts). */
export const listRoom = (cols: number): number => 64 * Math.ceil((80 + 2304 * Math.ceil(cols / 256)) / 64);
const pad8 = (n: number): number => 8 * Math.ceil(n / 8);
const listOf = (ffn: number): number => 2 * (pad8(ffn) + 8);

/** Bytes of what a sparse pass needs of the workspace: pointer field → bytes. `usedPtr`: the neurons of the last step, as bits. */
export function layoutSkipping(
  { nLayers, ffn, hidden, heads, headDim }: Hparams,
): { buffers: Record<'listPtr' | 'hPtr' | 'scratchPtr' | 'listsPtr' | 'usedPtr', number>; bytes: number; listBytes: number } {
  const widest = Math.max(ffn, hidden, heads * headDim); // inputs are listed too
  const buffers = {
    listPtr: 3 * listOf(widest), hPtr: 4 * 32 * Math.ceil(widest / 32), scratchPtr: 16 * Math.max(pad8(ffn), hidden) + 1024,
    listsPtr: 3 * listRoom(widest), usedPtr: nLayers * Math.ceil(ffn / 8),
  };
  return { buffers, bytes: Object.values(buffers).reduce((sum, bytes) => sum + aligned(bytes), 0), listBytes: listRoom(widest) };
}

/** Bytes of what a sequence remembers, one block: its AdaptLayers, then for each layer these, field → bytes. */
export function layoutSequenceSkipping(
  { nLayers, ffn }: Hparams,
): { layer: Record<'scoresPtr' | 'sumHPtr' | 'sumNormedPtr' | 'sumUpPtr' | 'maskPtr', number>; bytes: number } {
  const floats = aligned(4 * pad8(ffn));
  const layer = { scoresPtr: floats, sumHPtr: floats, sumNormedPtr: floats, sumUpPtr: floats, maskPtr: aligned(listOf(ffn)) };
  return { layer, bytes: aligned(nLayers * recordBytes(adaptLayerFields)) + nLayers * (4 * floats + layer.maskPtr) };
}
