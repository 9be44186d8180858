/** What skipping neurons needs in memory beside the model, from the plan alone: upper bounds, so that what fits by them does fit. */
import { Stage } from './enums.ts';
import type { Hparams } from './hparams.ts';
import { columnFormBytes, rowFormBytes } from './layouts.ts';
import type { ModelPlan, PlannedTensor } from './plan.ts';
import { aligned } from './plan.ts';
import { adaptLayerFields, recordBytes } from './records.ts';

/** Which stages read a matrix neuron by neuron. */
export const formStages = { gate: Stage.scores, up: Stage.scores | Stage.gate, down: Stage.scores | Stage.gate | Stage.product } as const;
export type FormField = keyof typeof formStages;

export const isForm = (field: string): field is FormField => field in formStages;

/** Bytes of a compact copy of one matrix for masks of `density`, of which single layers may take a little more than their share. */
function compactOf({ role, bytes }: PlannedTensor, { ffn }: Hparams, density: number): number {
  return aligned(role.field === 'down' ? bytes + 3 * ffn : bytes * Math.min(1, 1.02 * density) + (bytes / ffn) * 16);
}

/** Bytes of compact copies of all layers. */
export function compactBytes({ tensors, hparams }: ModelPlan, density: number): number {
  return tensors.reduce((sum, tensor) => sum + (tensor.layer !== undefined && isForm(tensor.role.field) ? compactOf(tensor, hparams, density) : 0), 256 * hparams.nLayers);
}

/** Bytes of a matrix by neuron; 0 where its layout has no such form. */
function formOf({ role, layout, rows, cols }: PlannedTensor): number {
  return aligned(role.field === 'down' ? columnFormBytes(layout, rows, cols) : rowFormBytes(layout, rows, cols));
}

/** Bytes of what `stages` read fast: a second copy of matrices by neuron, or compact copies for a mask. */
export function formBytes(plan: ModelPlan, stages: number, density: number): number {
  if (stages === Stage.mask) return compactBytes(plan, density);
  return plan.tensors.reduce((sum, tensor) => {
    const { field } = tensor.role;
    return sum + (isForm(field) && (stages & formStages[field]) !== 0 ? formOf(tensor) : 0);
  }, 0);
}

/** Bytes of lists, masks, scores, sums, and the constants of a calibration. */
export function adaptiveBytes({ nLayers, ffn, hidden }: Hparams): number {
  const floats = aligned(4 * ffn + 64), list = aligned(2 * ffn + 64);
  const perLayer = recordBytes(adaptLayerFields) + 4 * floats + 2 * list + 6 * floats + aligned(4 * hidden + 64) + aligned(ffn / 8 + 1);
  return nLayers * perLayer + 3 * list + floats + 16 * Math.max(ffn + 64, hidden) + 4096;
}
