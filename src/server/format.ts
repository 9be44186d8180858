/** The form that a text must have, where there is no chat. */
import type { GenerateOptions, Model } from 'clada';
import type { ResponseFormat } from 'clada/chat';
import { refusal, type Problem } from './problem.ts';

/** Options that keep a text to `format`. @throws Problem */
export function createFormat(_model: Model, { type }: ResponseFormat): GenerateOptions {
  throw notYet(type);
}

const notYet = (type: string): Problem => refusal(501, `Texts of the form ${type} cannot be asked for here.`, { code: 'not_implemented' });
