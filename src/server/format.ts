/** The form that a text must have, where there is no chat. */
import type { GenerateOptions, Model } from 'clada';
import type { ResponseFormat } from 'clada/chat';
import { createGrammar } from 'clada/grammar';

/** Options that keep one text to `format`. @throws InputError `E_OPTION` for a schema or grammar that cannot be followed */
export function createFormat({ tokenizer }: Model, format: ResponseFormat): GenerateOptions {
  const grammar = createGrammar(tokenizer);
  switch (format.type) {
    case 'text': return {};
    case 'json_object': return { constraint: grammar.jsonSchema({ type: 'object' }) };
    case 'json_schema': return { constraint: grammar.jsonSchema(format.schema) };
    case 'gbnf': return { constraint: grammar.gbnf(format.grammar) };
    case 'regex': return { constraint: grammar.regex(format.pattern) };
  }
}
