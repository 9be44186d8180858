/** What may be asked of a generation. */
import { InputError } from '../errors.ts';
import { checkNames, saidOf, show } from '../options.ts';
import type { Constraint } from '../sampler/constraint.ts';
import { samplerOptionNames } from '../sampler/options.ts';
import type { GenerateOptions } from './types.ts';

const ownNames = [
  'maxTokens', 'stop', 'ignoreEos', 'loopGuard', 'logprobs', 'telemetry', 'sparsity', 'overflow', 'signal', 'onPrompt', 'constraint',
];
/** Where values are a few names. */
const choices = { ignoreEos: [true, false], telemetry: [true, false, 'neurons'], overflow: ['error', 'shift'] } as const;

/** The options that were said, their names and choices checked; numbers are checked where they are used. @throws InputError `E_OPTION` */
export function checkGenerateOptions(options: GenerateOptions): GenerateOptions {
  checkNames('generate options', options, [...samplerOptionNames, ...ownNames]);
  const said = saidOf(options), { constraint, ignoreEos } = said;
  if (constraint && (typeof constraint.allows !== 'function' || ignoreEos)) {
    throw new InputError('E_OPTION', {
      subject: 'option constraint', found: ignoreEos ? 'ignoreEos beside it' : show(constraint), expected: 'a Constraint, whose text ends',
      remedy: ignoreEos ? 'Leave one of them out.' : 'clada/grammar makes them.',
    });
  }
  for (const [name, allowed] of Object.entries(choices)) {
    const value = said[name as keyof typeof choices];
    if (value === undefined || (allowed as readonly unknown[]).includes(value)) continue;
    throw new InputError('E_OPTION', {
      subject: `option ${name}`, found: show(value), expected: allowed.map(show).join(' or '), remedy: 'Leave it out for the default.',
    });
  }
  return said;
}

/** Constraints that have begun to follow a text. */
const taken = new WeakSet<Constraint>();

/** Marks it as in use. @throws InputError `E_OPTION` where it is already: it would go on from the other text's end */
export function takeConstraint(constraint: Constraint | undefined): void {
  if (!constraint) return;
  if (taken.has(constraint)) {
    throw new InputError('E_OPTION', {
      subject: 'option constraint', found: 'one that another text has begun', expected: 'a fresh one', remedy: 'Make one for each text.',
    });
  }
  taken.add(constraint);
}
