/** clada/grammar: texts that follow a JSON schema, a grammar or a regular expression. */
import type { Constraint } from 'clada';
import { inlineSmall } from './automaton.ts';
import { CompiledGrammar } from './constraint.ts';
import { limits, tooLarge, type Grammar } from './expr.ts';
import { readGbnf } from './gbnf.ts';
import { anyJson } from './json.ts';
import { readRegex } from './regex.ts';
import { readSchema, writtenOf } from './schema.ts';
import { readTokens, type Tokens, type Vocabulary } from './trie.ts';

export type { Vocabulary } from './trie.ts';

/** Makes constraints for one vocabulary. Each is a fresh one, for one text; what is made of a schema or grammar is kept for the next. */
export interface GrammarFactory {
  /** Any JSON value. */
  json(): Constraint;
  /**
   * JSON that is valid against the schema: see docs/grammar.md for what is supported.
   * @throws InputError `E_OPTION` at once: for a keyword that is not supported, with its place; for what nothing satisfies; for what is too
   * large
   */
  jsonSchema(schema: unknown): Constraint;
  /** A grammar as llama.cpp reads it. @throws InputError `E_OPTION`, with the line */
  gbnf(grammar: string): Constraint;
  /** Texts that the expression matches as a whole, in JavaScript's syntax. @throws InputError `E_OPTION` */
  regex(pattern: string | RegExp): Constraint;
}

/** Compiled grammars that are kept of a vocabulary, and their states together: large ones take megabytes. */
const kept = 64, keptStates = 2 * limits.states;
const factories = new WeakMap<Vocabulary, GrammarFactory>();

/**
 * The texts of the vocabulary are sorted once, when the first constraint is made.
 *
 * ```ts
 * const schema = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] };
 * const text = await model.generate('Paris, as JSON: ', { constraint: createGrammar(model.tokenizer).jsonSchema(schema) }).text();
 * ```
 */
export function createGrammar(tokenizer: Vocabulary): GrammarFactory {
  let factory = factories.get(tokenizer);
  if (!factory) factories.set(tokenizer, factory = makeFactory(tokenizer));
  return factory;
}

/** What is so deep that the stack is not enough is too large like everything else that is. */
function within<T>(make: () => T): T {
  try { return make(); } catch (error) {
    if (error instanceof RangeError || (error as Error).name === 'InternalError') throw tooLarge('grammar', 'rules or schemas too deep');
    throw error;
  }
}

function makeFactory(tokenizer: Vocabulary): GrammarFactory {
  let tokens: Tokens | undefined;
  const compiled = new Map<string, CompiledGrammar>();
  const constraint = (key: string, read: () => Grammar): Constraint => {
    let grammar = compiled.get(key);
    if (grammar) compiled.delete(key);
    else grammar = within(() => new CompiledGrammar(inlineSmall(read()), tokens ??= readTokens(tokenizer)));
    compiled.set(key, grammar); // the last one used is the last one dropped
    let states = 0;
    for (const { automaton } of compiled.values()) states += automaton.nStates;
    for (const [oldest, { automaton }] of compiled) {
      if (compiled.size <= kept && states <= keptStates) break;
      compiled.delete(oldest);
      states -= automaton.nStates;
    }
    return grammar.constraint();
  };
  return {
    json: () => constraint('json', anyJson),
    jsonSchema: (schema) => constraint(`schema ${writtenOf(schema)}`, () => readSchema(schema)),
    gbnf: (grammar) => constraint(`gbnf ${grammar}`, () => readGbnf(grammar)),
    regex: (pattern) => constraint(`regex ${typeof pattern} ${String(pattern)}`, () => ({
      rules: [{ name: 'pattern', expr: readRegex(pattern) }],
    })),
  };
}
