/** Constraints by description: what follows a text token by token cannot cross to a worker, what it is made from can. */
import type { Constraint, Tokenizer } from 'clada';
import { InputError } from '../errors.ts';
import { show } from '../options.ts';

/** The form that a text must have, as `clada/grammar` reads it beside the model. */
export type RemoteConstraint =
  /** Any JSON value. */
  | { readonly json: true }
  /** JSON that is valid against a schema. */
  | { readonly jsonSchema: Readonly<Record<string, unknown>> | boolean }
  /** A grammar in llama.cpp's GBNF. */
  | { readonly gbnf: string }
  /** Texts that an expression matches as a whole. */
  | { readonly regex: string | RegExp };

const kinds = ['json', 'jsonSchema', 'gbnf', 'regex'] as const;

/** A fresh one, for one text. @throws InputError `E_OPTION` as `clada/grammar` does, and for what describes none */
export async function constraintOf(tokenizer: Tokenizer, described: RemoteConstraint): Promise<Constraint> {
  const names = Object.keys(described ?? {}), kind = kinds.find((name) => names.length === 1 && names[0] === name);
  if (kind === undefined) {
    throw new InputError('E_OPTION', {
      subject: 'option constraint', found: names.length === 0 ? show(described) : names.join(' and '),
      expected: `one of ${kinds.join(', ')}`,
      remedy: 'Describe it, as { jsonSchema: { type: "object" } }.',
    });
  }
  const make = (await import('clada/grammar')).createGrammar(tokenizer);
  return kind === 'json' ? make.json() : make[kind]((described as unknown as Record<string, never>)[kind]!);
}
