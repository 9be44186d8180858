/** What may be asked of a generation. */
import { InputError } from '../errors.ts';
import { checkNames, saidOf, show } from '../options.ts';
import { samplerOptionNames } from '../sampler/options.ts';
import type { GenerateOptions } from './types.ts';

const ownNames = ['maxTokens', 'stop', 'ignoreEos', 'loopGuard', 'logprobs', 'telemetry', 'sparsity', 'overflow', 'signal', 'onPrompt'];
/** Where values are a few names. */
const choices = { ignoreEos: [true, false], telemetry: [true, false, 'neurons'], overflow: ['error', 'shift'] } as const;

/** The options that were said, their names and choices checked; numbers are checked where they are used. @throws InputError `E_OPTION` */
export function checkGenerateOptions(options: GenerateOptions): GenerateOptions {
  checkNames('generate options', options, [...samplerOptionNames, ...ownNames]);
  const said = saidOf(options);
  for (const [name, allowed] of Object.entries(choices)) {
    const value = said[name as keyof typeof choices];
    if (value === undefined || (allowed as readonly unknown[]).includes(value)) continue;
    throw new InputError('E_OPTION', {
      subject: `option ${name}`, found: show(value), expected: allowed.map(show).join(' or '), remedy: 'Leave it out for the default.',
    });
  }
  return said;
}
