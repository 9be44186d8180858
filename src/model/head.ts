/**
 * A head whose rows lie in two planes and are read in two stages (assembly/forward/head.ts): which heads can, what is asked for, and what
 * that makes of a plan.
 */
import { InputError } from '../errors.ts';
import { describeRange, inRange, show } from '../options.ts';
import type { LayoutName } from './layouts.ts';
import type { ModelPlan, PlannedTensor, Planes } from './plan.ts';
import { aligned } from './plan.ts';

/**
 * How logits are computed where a token is drawn: 'whole' reads all of the output matrix; two stages read its upper bits first, then all
 * bits of the rows that may still matter, by so many `deviations` of what the lower bits can add. What is drawn is the same unless an error
 * is larger than that many of its deviations. 'auto' reads an output matrix of q8_0 in two stages where they fit, which is faster wherever
 * it was measured, and one of q6_k whole, which is not slower (docs/head.md).
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

const groupBytes = (layout: LayoutName, cols: number): Pick<Planes, 'first' | 'second'> | undefined => {
  if (layout === 'q8_0') return { first: 32 + (cols / 32) * 144, second: (cols / 32) * 128 };
  return layout === 'q6_k' ? { first: (cols / 256) * 1184, second: (cols / 256) * 512 } : undefined;
};

/** Why the head of a plan is read whole whatever is asked for; undefined: it need not be. */
export function cannotStage({ hparams: { logitCap }, tensors, tiedHead }: ModelPlan): string | undefined {
  const head = tensors.find(({ role }) => role.field === (tiedHead ? 'embed' : 'head'))!;
  if (!groupBytes(head.layout, head.cols)) return `an output matrix of ${head.layout} has no planes`;
  if (logitCap) return 'logits are bent to a cap';
  return tensors.some(({ role }) => role.field === 'headBias') ? 'the head has a bias' : undefined;
}

/** A plan whose head lies in planes, where that is asked for and possible. */
export function stagedPlan(plan: ModelPlan, option: HeadOption): ModelPlan {
  const field = plan.tiedHead ? 'embed' : 'head', head = plan.tensors.find(({ role }) => role.field === field)!;
  const deviations = typeof option === 'object' ? option.deviations : option === 'auto' && head.layout === 'q8_0' ? DEVIATIONS : 0;
  if (!deviations || cannotStage(plan) !== undefined) return plan;
  const { first, second } = groupBytes(head.layout, head.cols)!, groups = Math.ceil(head.rows / 8), secondAt = aligned(groups * first);
  const planes = { first, second, secondAt, whole: head.bytes }, bytes = secondAt + groups * second;
  return changed(plan, head, { ...head, planes, bytes }, deviations);
}

/** The same plan with the head in one piece, as it was. */
export function wholePlan(plan: ModelPlan): ModelPlan {
  const head = plan.tensors.find(({ planes }) => planes);
  return head ? changed(plan, head, { ...head, planes: undefined, bytes: head.planes!.whole }, 0) : plan;
}

function changed(plan: ModelPlan, from: PlannedTensor, to: PlannedTensor, deviations: number): ModelPlan {
  return {
    ...plan, deviations, tensors: plan.tensors.map((tensor) => (tensor === from ? to : tensor)),
    weightBytes: plan.weightBytes + aligned(to.bytes) - aligned(from.bytes),
  };
}
