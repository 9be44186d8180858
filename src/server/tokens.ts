/** POST /tokenize, /detokenize, /apply-template: as llama-server has them. */
import * as v from 'valibot';
import type { Context } from './context.ts';
import { check } from './fields.ts';
import { most } from './length.ts';
import { checkChat, messagesOf, toolsOf, effortOf } from './messages.ts';
import { invalid } from './problem.ts';

const id = v.pipe(v.number(), v.integer(), v.minValue(0)), flag = v.nullish(v.boolean()), model = v.nullish(v.string());
const textSchema = v.object({
  model, content: v.union([v.string(), v.array(v.union([v.string(), id]))]),
  add_special: flag, parse_special: flag, with_pieces: flag,
});
const idsSchema = v.object({ model, tokens: v.array(id) });

export function tokenize(raw: unknown, context: Context): Response {
  const { model: name, content, add_special, parse_special, with_pieces } = check(textSchema, raw);
  const { tokenizer } = context.find(name).model;
  const pieces = typeof content === 'string' ? [content] : content;
  const characters = pieces.reduce<number>((sum, piece) => sum + (typeof piece === 'string' ? piece.length : 1), 0);
  if (characters > most) throw invalid('content', `at most ${most} characters`, String(characters));
  const ids = pieces.flatMap((piece, i) => {
    if (typeof piece === 'number') return [piece];
    return Array.from(tokenizer.encode(piece, { addSpecial: add_special === true && i === 0, parseSpecial: parse_special ?? true }));
  });
  if (with_pieces !== true) return Response.json({ tokens: ids });
  return Response.json({ tokens: ids.map((token) => ({ id: token, piece: pieceOf(tokenizer.tokenBytes(token)) })) });
}

/** A text, or where the bytes are a part of a character the bytes. */
function pieceOf(bytes: Uint8Array): string | number[] {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return Array.from(bytes);
  }
}

export function detokenize(raw: unknown, context: Context): Response {
  const { model: name, tokens } = check(idsSchema, raw), { tokenizer } = context.find(name).model;
  if (tokens.length > most) throw invalid('tokens', `at most ${most} tokens`, String(tokens.length));
  const strange = tokens.find((token) => token >= tokenizer.vocabSize);
  if (strange !== undefined) throw invalid('tokens', `ids of tokens from 0 to ${tokenizer.vocabSize - 1}`, String(strange));
  return Response.json({ content: tokenizer.decode(tokens) });
}

export function applyTemplate(raw: Readonly<Record<string, unknown>>, context: Context): Response {
  const body = checkChat(raw), { model: { template } } = context.find(body.model), tools = toolsOf(body.tools);
  const variables = { ...effortOf(body.reasoning_effort, context).variables, ...body.chat_template_kwargs };
  const asTemplates = tools.map((definition) => ({ type: 'function', function: definition }));
  return Response.json({
    prompt: template.render(messagesOf(body.messages), { variables, ...(tools.length > 0 ? { tools: asTemplates } : {}) }),
  });
}
