/** How each family's calls are written, as graphs for {@link Script}: the spaces are those of the models' own templates. */
import type { Constraint } from 'clada';
import type { Format, Thinking } from './formats.ts';
import { generic } from './formats.ts';
import type { Tool } from './schemas.ts';
import type { Node, Word } from './script.ts';
import { bytesOf, end, held, text, until } from './script.ts';
import { isText, propertyOf } from './tagged.ts';
import type { JsonSchema } from './types.ts';

/** What clada/grammar makes. */
export interface Grammars {
  json(): Constraint;
  jsonSchema(schema: JsonSchema | boolean): Constraint;
  gbnf(text: string): Constraint;
  regex(pattern: string): Constraint;
}

/** Any of several ways. */
type Ways = readonly Node[];

/** What calls are written with. */
export interface Writing {
  readonly tools: readonly Tool[];
  readonly grammars: Grammars;
  /** Source of the template: families have older and newer ways. */
  readonly source: string;
  readonly parallel: boolean;
}

/** Something in front of one of several ways. */
const before = (value: string, next: Ways): Node => ({ ...text(value) as Extract<Node, { kind: 'text' }>, next });
const schemaOf = ({ grammars }: Writing, schema: JsonSchema, ...next: Node[]): Node => held(() => grammars.jsonSchema(schema), ...next);

/** `{"name": "f", "arguments": …}` and what follows it, from behind `{"name": "` on. */
const named = (w: Writing, key: string, ...next: Node[]): Ways =>
  w.tools.map(({ name, parameters }) => text(`${name}", "${key}": `, schemaOf(w, parameters, text('}', ...next))));
const object = (w: Writing, key: string, ...next: Node[]): Node => before('{"name": "', named(w, key, ...next));

/** `[call, call]`: `make` writes one, and what follows it. */
function list(w: Writing, make: (...next: Node[]) => Ways, ...next: Node[]): Ways {
  const again: Node[] = [], close = text(']', ...next), ways = make(close, ...(w.parallel ? [before(', ', again)] : []));
  again.push(...ways);
  return ways;
}

/** A schema that finds what it refers to outside itself. */
const within = (whole: JsonSchema, property: JsonSchema): JsonSchema =>
  ({ ...(whole.$defs ? { $defs: whole.$defs } : {}), ...(whole.definitions ? { definitions: whole.definitions } : {}), ...property });

/** Values that a text may have, where they are listed. */
const listed = (schema: JsonSchema): readonly unknown[] | undefined =>
  (Array.isArray(schema.enum) ? schema.enum : schema.const === undefined ? undefined : [schema.const]);

/**
 * Parameters one after the other, in the order of the schema; optional ones may be left out. `write` writes one and what follows it.
 */
function parameters(
  { parameters: schema }: Tool, separator: string, write: (key: string, schema: JsonSchema, ...next: Node[]) => Node, close: Node,
): Ways {
  const keys = Object.keys((schema.properties ?? {}) as object), required = new Set((schema.required ?? []) as readonly string[]);
  const made = new Map<string, Ways>();
  const from = (i: number, first: boolean): Ways => {
    const known = made.get(`${i} ${first}`);
    if (known) return known;
    const ways: Node[] = [], key = keys[i];
    made.set(`${i} ${first}`, ways);
    if (key === undefined) ways.push(close);
    else {
      const own = write(key, within(schema, propertyOf(schema, key) ?? {}), ...from(i + 1, false));
      ways.push(first || separator === '' ? own : before(separator, [own]), ...(required.has(key) ? [] : from(i + 1, first)));
    }
    return ways;
  };
  return from(0, true);
}

/** A value as it stands between tags. */
function tagged(w: Writing, schema: JsonSchema, close: string, next: Ways): Ways {
  const after = before(close, next), values = listed(schema);
  if (!isText(schema)) return [schemaOf(w, schema, after)];
  return values ? values.map((value) => before(String(value), [after])) : [until(close, ...next)];
}

function python(w: Writing, schema: JsonSchema, ...next: Node[]): Ways {
  if (schema.type === 'boolean') return ['True', 'False'].map((word) => text(word, ...next));
  return [schemaOf(w, schema, ...next)];
}

/** Values of Gemma's braces; what a schema leaves open is JSON without objects. */
function braced(w: Writing, schema: JsonSchema, quote: string, next: Ways): Ways {
  const values = listed(schema);
  if (isText(schema)) {
    return values ? values.map((value) => before(quote + String(value) + quote, next)) : [before(quote, [until(quote, ...next)])];
  }
  if (schema.type === 'array') {
    const more: Node[] = [], close = before(']', next);
    const items = braced(w, (schema.items ?? { type: 'string' }) as JsonSchema, quote, [close, before(',', more)]);
    more.push(...items);
    return [before('[', [close, ...items])];
  }
  if (schema.type === 'object') {
    const one: Tool = { name: '', description: undefined, parameters: schema };
    return [before('{', parameters(one, ',', (key, of, ...after) => before(`${key}:`, braced(w, of, quote, after)), before('}', next)))];
  }
  return [schemaOf(w, schema.type === undefined ? { ...schema, type: ['number', 'boolean', 'null'] } : schema, ...next)];
}

const inPython = (w: Writing) => (...next: Node[]): Ways => w.tools.map((tool) => before(`${tool.name}(`,
  parameters(tool, ', ', (key, schema, ...after) => before(`${key}=`, python(w, schema, ...after)), text(')', ...next))));

/** Calls of a format: how they begin where they must come, and words of free text that begin them. */
export interface Calls { readonly begin: Ways; readonly words: readonly Word[] }

const word = (mark: string, next: Ways, first = false): Word => ({ text: bytesOf(mark), next, first });
/** Behind `mark` come `next`. */
const marked = (mark: string, next: Ways): Calls => ({ begin: [before(mark, next)], words: [word(mark, next)] });

/** `call:f{…}` between two marks. */
const inBraces = (open: string, quote: string, close: string) => (w: Writing, next: Ways): Calls =>
  marked(open, w.tools.map(({ name, parameters: schema }) =>
    before(`call:${name}`, braced(w, { ...schema, type: 'object' }, quote, [before(close, next)]))));

/** `next`: what may follow a call, or a list of them. */
const writings: Readonly<Record<string, (w: Writing, next: Ways) => Calls>> = {
  hermes(w, next) {
    const { begin, words } = marked('<tool_call>', [before('\n', [object(w, 'arguments', before('\n</tool_call>', next))])]);
    return { begin, words: [...words, word('{"name": "', named(w, 'arguments', end), true)] };
  },
  'qwen3-coder': (w, next) => marked('<tool_call>', w.tools.map((tool) => before(`\n<function=${tool.name}>\n`, parameters(
    tool, '', (key, schema, ...more) => before(`<parameter=${key}>\n`, tagged(w, schema, '\n</parameter>\n', more)),
    before('</function>\n</tool_call>', next))))),
  glm(w, next) { // with line breaks between tags, and from 4.7 on without
    const written = (line: string): Ways => w.tools.map((tool) => before(tool.name + line, parameters(
      tool, '', (key, schema, ...more) =>
        before(`<arg_key>${key}</arg_key>${line}<arg_value>`, tagged(w, schema, `</arg_value>${line}`, more)),
      before('</tool_call>', next))));
    return marked('<tool_call>', [...written('\n'), ...written('')]);
  },
  llama3: (w) => ({
    begin: [object(w, 'parameters', end)],
    words: [word('{"name": "', named(w, 'parameters', end), true), word('<|python_tag|>', [object(w, 'parameters', end)])],
  }),
  mistral(w, next) {
    if (!w.source.includes('[ARGS]')) {
      const objects = list(w, (...more) => [object(w, 'arguments', ...more)], end);
      return marked('[TOOL_CALLS]', ['[', ' ['].map((open) => before(open, objects)));
    }
    const id = (value: Node): Node => before('[CALL_ID]', [held(() => w.grammars.regex('[a-zA-Z0-9]{9}'), value)]);
    return marked('[TOOL_CALLS]', w.tools.map(({ name, parameters: schema }) => {
      const value = before('[ARGS]', [schemaOf(w, schema, ...next)]);
      return before(name, [w.source.includes('[CALL_ID]') ? id(value) : value]);
    }));
  },
  granite: (w) => marked('<|tool_call|>', [before('[', list(w, (...more) => [object(w, 'arguments', ...more)], end))]),
  lfm2: (w, next) => marked('<|tool_call_start|>', [before('[', list(w, inPython(w), before('<|tool_call_end|>', next)))]),
  gemma: (w) => marked('```tool_code', [before('\n', inPython(w)(text('\n```', end)))]),
  functiongemma: inBraces('<start_function_call>', '<escape>', '<end_function_call>'),
  gemma4: inBraces('<|tool_call>', '<|"|>', '<tool_call|>'),
};

/** Behind thoughts: those that the prompt has opened must end, others may come first. */
function behindThoughts(next: Ways, thinking: Thinking | undefined, opened: boolean): Ways {
  if (!thinking) return next;
  const closed = until(thinking.close, ...['\n\n', '\n', ''].map((space) => before(space, next)));
  return opened ? [closed] : [...next, before(thinking.open, [closed])];
}

/** What follows a call where another may: the next one, or the end. Nothing stands between those that begin with a control token. */
const bare = new Set(['mistral', 'functiongemma', 'gemma4']);

/** What an answer is held to that must have a call (`required`), or may have some. */
export function callsIn(format: Format, required: boolean, thinking: Thinking | undefined, opened: boolean, w: Writing): Ways {
  if (format === generic) return behindThoughts(genericAnswer(w, required), thinking, opened);
  const write = writings[format.name]!;
  if (required) {
    const again: Node[] = [], { begin } = write(w, [end, ...(w.parallel ? [before(bare.has(format.name) ? '' : '\n', again)] : [])]);
    again.push(...begin);
    return behindThoughts(begin, thinking, opened);
  }
  const words: Word[] = [], free: Node = { kind: 'free', words, ends: true };
  words.push(...write(w, w.parallel ? [free] : [end]).words);
  if (!thinking) return [free];
  const closed = until(thinking.close, free);
  return opened ? [closed] : [{ kind: 'free', words: [...words, word(thinking.open, [closed], true)], ends: true }];
}

/** `{"tool_call": …}`, `{"tool_calls": […]}`, or `{"response": "…"}`. */
function genericAnswer(w: Writing, required: boolean): Ways {
  const close = text('}', end), one = (...next: Node[]): Ways => [object(w, 'arguments', ...next)];
  const calls = w.parallel ? before('{"tool_calls": [', list(w, one, close)) : before('{"tool_call": ', one(close));
  return required ? [calls] : [calls, text('{"response": ', schemaOf(w, { type: 'string' }, close))];
}

/** An answer that is held to a form, behind thoughts if there are any. */
export const heldAnswer = (make: () => Constraint, thinking: Thinking | undefined, opened: boolean): Ways =>
  behindThoughts([held(make, end)], thinking, opened);
