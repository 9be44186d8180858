/**
 * A head that is read in two stages (assembly/forward/head.ts): which heads can, what is asked for, and what that makes of a plan.
 */
import { InputError } from '../errors.ts';
import { describeRange, inRange, show } from '../options.ts';
import { layoutBytes } from './layouts.ts';
import type { ModelPlan, PlannedTensor } from './plan.ts';
import { aligned } from './plan.ts';

/**
 * How logits are computed where a token is drawn: 'whole' reads all of the output matrix; two stages read a sketch of it first, two bits a
 * weight and of rows in doubt four, then the rows that may still matter, by so many `deviations` of what the sketch leaves out. What is
 * drawn is the same unless an error is larger than that many of its deviations. 'auto' takes two stages where they fit and the matrix has
 * a million weights, of more than five bits each (docs/head.md).
 */
export type HeadOption = 'auto' | 'whole' | { readonly deviations: number };

/**
 * Deviations that are safe: of ten million logits the largest error was 6.4, and only an error of the very row that is to be drawn does
 * harm (bench/head.ts).
 */
export const DEVIATIONS = 6;
const range = { min: 1, max: 100 } as const;

/** @throws InputError `E_OPTION` */
export function checkHead(option: unknown): HeadOption {
  if (option === undefined || option === null) return 'auto';
  if (option === 'auto' || option === 'whole') return option;
  const deviations: unknown = (option as { deviations?: unknown }).deviations;
  const plain = typeof option === 'object' && Object.keys(option).every((name) => name === 'deviations');
  if (plain && inRange(range, deviations)) return { deviations };
  throw new InputError('E_OPTION', {
    subject: 'option head', found: deviations === undefined ? show(option) : `${show(deviations)} deviations`,
    expected: `'auto', 'whole' or { deviations: ${describeRange(range)} }`, remedy: 'Change it, or leave it out for the default.',
  });
}

/** Bytes of the list of wide columns, of 16 rows in the coarse plane, of 8 in the fine one (assembly/kernels/sketch/sketch.ts). */
export const sketchList = 64;
const pairBytes = (cols: number): number => 576 + 4 * cols, fineBytes = (cols: number): number => 2 * cols - 32;

const headOf = ({ tensors, tiedHead }: ModelPlan): PlannedTensor =>
  tensors.find(({ role }) => role.field === (tiedHead ? 'embed' : 'head'))!;

/** Whether a sketch is so much smaller than the matrix that two stages are faster; what `precision: 'exact'` expanded is a reference. */
const pays = ({ layout, rows, cols, through }: PlannedTensor): boolean =>
  layoutBytes(layout, 8, cols) > 1.25 * (pairBytes(cols) / 2 + fineBytes(cols)) && rows * cols >= 1e6 && !through;

/** Why the head of a plan is read whole whatever is asked for; undefined: it need not be. */
export function cannotStage(plan: ModelPlan): string | undefined {
  const { cols } = headOf(plan);
  if (cols % 32 !== 0 || cols < 64 || cols > 65535) return `the output matrix is ${cols} wide, which is no multiple of 32 from 64 up`;
  if (plan.hparams.logitCap) return 'logits are bent to a cap';
  return plan.tensors.some(({ role }) => role.field === 'headBias') ? 'the head has a bias' : undefined;
}

/** A plan whose head has a sketch, where that is asked for and possible. */
export function stagedPlan(plan: ModelPlan, option: HeadOption): ModelPlan {
  const head = headOf(plan), deviations = typeof option === 'object' ? option.deviations : option === 'auto' && pays(head) ? DEVIATIONS : 0;
  if (!deviations || cannotStage(plan) !== undefined) return plan;
  const { rows, cols } = head, coarse = aligned(head.bytes), fine = aligned(coarse + sketchList + Math.ceil(rows / 16) * pairBytes(cols));
  return changed(plan, head, { ...head, sketch: { coarse, fine }, bytes: fine + Math.ceil(rows / 8) * fineBytes(cols) }, deviations);
}

/** The same plan without a sketch. */
export function wholePlan(plan: ModelPlan): ModelPlan {
  const head = headOf(plan);
  return head.sketch ? changed(plan, head, { ...head, sketch: undefined, bytes: layoutBytes(head.layout, head.rows, head.cols) }, 0) : plan;
}

function changed(plan: ModelPlan, from: PlannedTensor, to: PlannedTensor, deviations: number): ModelPlan {
  return {
    ...plan, deviations, tensors: plan.tensors.map((tensor) => (tensor === from ? to : tensor)),
    weightBytes: plan.weightBytes + aligned(to.bytes) - aligned(from.bytes),
  };
}
