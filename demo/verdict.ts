/** What an answer's speed was worth, in one sentence, and the numbers behind it. No DOM here. */
import type { Answer, Tone } from './conversation.ts';
import { digits, nats } from './numbers.ts';
import { roughest } from './presets.ts';
import type { Ready } from './protocol.ts';

export interface Verdict { readonly tone: Tone; readonly sentence: string; readonly beside: string }

/** Checks before their mean says anything, and how far beyond the bound it must be: the library's own rule (src/text/contract.ts). */
const fewestChecks = 3, beyond = 1.5;
/** Speeds nearer to dense's than this are called the same. */
const same = 0.02;

/** The loss that was measured on the answer, over how many tokens. */
function measured({ comparison, checked }: Answer): { kl: number; top1: number; error: number; count: number } | undefined {
  if (comparison) return { kl: comparison.kl, top1: comparison.top1, error: comparison.klError, count: comparison.tokens };
  return checked && checked.checks >= fewestChecks ? { kl: checked.kl, top1: checked.top1, error: checked.klError, count: checked.checks } : undefined;
}

/** More lost than allowed: in the checks on the way, or in the measurement afterwards by more than its error. */
export function isBroken({ comparison, checked, asked }: Answer): boolean {
  const bound = asked.options.maxKl ?? roughest;
  return (checked !== undefined && checked.checks >= fewestChecks && checked.kl > beyond * bound) || (comparison !== undefined && comparison.kl - comparison.klError > bound);
}

/** Why a bound has led to dense. */
function whyDense(bound: number, { levels }: Ready): string {
  const known = Object.values(levels).flat();
  if (known.length === 0) return 'Exact ran: without a calibration of this model no loss can be promised.';
  if (!known.some(({ kl }) => kl <= bound)) return 'Exact is best here: of this model no shortcut is known that loses so little.';
  return 'Exact is best here: on this machine no shortcut that loses so little is faster.';
}

function speedOf(ratio: number): string {
  if (Math.abs(ratio - 1) < same) return 'As fast as exact on this machine';
  return ratio > 1 ? `${digits(ratio, 2)} times as fast as exact on this machine` : `Slower than exact on this machine (${digits(ratio, 2)} of its speed)`;
}

export function verdictOf(answer: Answer, ready: Ready, running: boolean): Verdict {
  const { asked, method, comparison, expected, checked, perSecond, warnings } = answer, bound = asked.options.maxKl, loss = measured(answer), broken = isBroken(answer);
  const streamed = Number.isFinite(perSecond) ? `${digits(perSecond, 0)} tokens a second as it streamed` : '';
  if (asked.options.method === 'dense') return { tone: 'good', sentence: running ? 'Nothing is skipped, nothing is lost.' : `Nothing lost, at ${digits(perSecond, 0)} tokens a second on this machine.`, beside: running ? streamed : '' };
  if (method === 'dense') return { tone: 'good', sentence: bound === undefined ? 'Nothing was skipped.' : whyDense(bound, ready), beside: [streamed, ...warnings].filter(Boolean).join('. ') };
  const numbers = [
    loss ? `Loss measured here over ${loss.count} tokens: KL ${nats(loss.kl)}${Number.isFinite(loss.error) ? ` ± ${nats(loss.error)}` : ''} nats` : '',
    `${bound === undefined ? 'the roughest preset allows' : 'allowed'} ${bound ?? roughest}`, expected ? `promised ${nats(expected.kl)}` : '',
    checked && checked.adjustments > 0 ? `made gentler ${checked.adjustments} times on the way` : '', method && !running ? `by ${method}` : '', running ? streamed : '',
  ].filter(Boolean).join('; ');
  if (broken) {
    const top1 = loss?.top1 ?? checked!.top1;
    return { tone: 'broken', sentence: `Quality broke: it picks another next word ${digits(100 * (1 - top1), 0)} times in 100. Ask again, more exactly.`, beside: numbers };
  }
  if (running) return { tone: 'plain', sentence: 'Skipping as it goes; what that gains and costs is measured at the end.', beside: numbers };
  const top1 = loss?.top1 ?? expected?.top1, words = top1 === undefined ? 'what it loses is not known' : `${loss ? 'it picks' : 'promised to pick'} the same next word ${digits(100 * top1, 0)} times in 100`;
  const speed = comparison ? speedOf(comparison.sparsePerSecond / comparison.densePerSecond) : `${digits(perSecond, 0)} tokens a second on this machine`;
  return { tone: comparison && comparison.sparsePerSecond < (1 - same) * comparison.densePerSecond ? 'plain' : 'good', sentence: `${speed}; ${words}.`, beside: numbers };
}
