/**
 * How the families write calls and thoughts, told apart by the source of their chat templates, as llama.cpp does (common/chat.cpp).
 */
import type { Calls, Outcome } from './calls.ts';
import { callArray, callObject } from './calls.ts';
import { readGeneric } from './generic.ts';
import { jsonValue } from './json.ts';
import type { Reader, Reading } from './reader.ts';
import { bracedCall, pythonCall, pythonCalls, taggedCall } from './tagged.ts';

/** A way of writing calls. */
export interface Format {
  readonly name: string;
  /** Texts that a call begins with. */
  readonly marks: readonly string[];
  /** Control tokens that are part of it: the answer shows them. */
  readonly control?: readonly string[];
  /** Reads calls behind a mark. */
  read(r: Reader, mark: string, calls: Calls): Reading<Outcome>;
  /** What ends a call that has a mistake: all before it is its. Absent: the answer's end. */
  readonly closes?: readonly string[];
  /** A call without a mark, where an answer begins; what is none stays unread. `say`: what is text all the same. */
  bare?(r: Reader, calls: Calls, say: (text: string, from: number) => void): Reading<Outcome>;
  /** An id, where the template asks for a form of its own. */
  id?(): string;
}

/** What stands around thoughts. */
export interface Thinking { readonly open: string; readonly close: string }

/** A fence or a tag that may hold a call, and what closes it. */
const fences: Readonly<Record<string, string>> = {
  '```json\n': '```', '```xml\n': '```', '<tools>': '</tools>', '<function_call>': '</function_call>', '<json>': '</json>',
};

/** The closing text, if it is there. */
function* closing(r: Reader, close: string): Reading<void> {
  const { at } = r;
  yield* r.space();
  if (!(yield* r.takes(close))) r.at = at;
}

/** `<function=f>`, then JSON or tagged parameters. */
function* functionTag(r: Reader, calls: Calls): Reading<Outcome> {
  const name = (yield* r.word(/[^>\n]/)).trim();
  if (name === '' || !(yield* r.takes('>'))) return 'none';
  const { at } = r;
  yield* r.space();
  if ((yield* r.peek()) !== '{') {
    r.at = at;
    return yield* taggedCall(r, calls, name, qwen);
  }
  calls.start(name);
  if (!(yield* jsonValue(r, (text) => { calls.delta(text); }))) return 'broken';
  calls.end();
  yield* closing(r, '</function>');
  return 'call';
}

const qwen = { parameter: '<parameter=', named: '>', value: '', ends: '</parameter>', close: '</function>' };
const glm = { parameter: '<arg_key>', named: '</arg_key>', value: '<arg_value>', ends: '</arg_value>', close: '</tool_call>' };

/** What is between `<tool_call>` and `</tool_call>`: an object, a list of them, `<function=…>`, or a name and GLM's tags. */
function* inToolCall(r: Reader, calls: Calls): Reading<Outcome> {
  yield* r.space();
  const first = yield* r.peek();
  let outcome: Outcome;
  if (first === '{') outcome = yield* callObject(r, calls, false);
  else if (first === '[') outcome = yield* callArray(r, calls);
  else if (first === '<') outcome = (yield* r.takes('<function=')) ? yield* functionTag(r, calls) : 'none';
  else {
    const name = yield* r.word(/[\w.-]/);
    if (name === '') return 'none';
    yield* r.space();
    return !(yield* r.peek()).startsWith('<') ? 'none' : yield* taggedCall(r, calls, name, glm);
  }
  if (outcome === 'call') yield* closing(r, '</tool_call>');
  return outcome;
}

/** Reads a call in a fence, where it is one of a tool that there is. */
function* fenced(r: Reader, mark: string, calls: Calls): Reading<Outcome> {
  yield* r.space();
  const outcome = (yield* r.peek()) === '[' ? yield* callArray(r, calls, true) : yield* callObject(r, calls, true);
  if (outcome === 'call') yield* closing(r, fences[mark]!);
  return outcome;
}

const bareObject = (r: Reader, calls: Calls): Reading<Outcome> => callObject(r, calls, true);

/** Qwen, Hermes, Granite 4 and many others; small models forget the tags. */
const hermes: Format = {
  name: 'hermes',
  marks: ['<tool_call>', '<function=', ...Object.keys(fences)],
  control: ['<tool_call>', '</tool_call>'],
  closes: ['</tool_call>'],
  read: (r, mark, calls) => (mark in fences ? fenced(r, mark, calls) : tags.read(r, mark, calls)),
  bare: bareObject,
};

const tags: Format = {
  name: 'qwen3-coder',
  marks: ['<tool_call>', '<function='],
  control: ['<tool_call>', '</tool_call>'],
  closes: ['</tool_call>'],
  read: (r, mark, calls) => (mark === '<tool_call>' ? inToolCall(r, calls) : functionTag(r, calls)),
};

const llama3: Format = {
  name: 'llama3',
  marks: ['<|python_tag|>', '<function='],
  control: ['<|python_tag|>'],
  *read(r, mark, calls) {
    if (mark === '<function=') return yield* functionTag(r, calls);
    return yield* several(r, [';'], () => objectOrPython(r, calls));
  },
  bare: (r, calls) => several(r, [';'], () => bareObject(r, calls)),
};

/** An object, or a call of Python's. */
function* objectOrPython(r: Reader, calls: Calls): Reading<Outcome> {
  yield* r.space();
  return (yield* r.peek()) === '{' ? yield* callObject(r, calls, false) : yield* pythonCall(r, calls, false);
}

/** Calls one after the other, `separators` between them. */
function* several(r: Reader, separators: readonly string[], call: () => Reading<Outcome>): Reading<Outcome> {
  for (let n = 0; ; n++) {
    const { at } = r, outcome = yield* call();
    if (outcome === 'none' && n > 0) { r.at = at; return 'call'; }
    if (outcome !== 'call') return outcome;
    const after = r.at;
    yield* r.space();
    let more = false;
    for (const separator of separators) more ||= yield* r.takes(separator);
    if (!more) { r.at = after; return 'call'; }
    yield* r.space();
  }
}

const letters = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789';

const mistral: Format = {
  name: 'mistral',
  marks: ['[TOOL_CALLS]'],
  control: ['[TOOL_CALLS]', '[ARGS]', '[CALL_ID]'],
  *read(r, _mark, calls) {
    yield* r.space();
    const first = yield* r.peek();
    if (first === '[' || first === '{') return yield* callArray(r, calls);
    const name = (yield* r.word(/[^[{\s]/)).trim();
    if (name === '') return 'none';
    let id = '';
    if (yield* r.takes('[CALL_ID]')) id = yield* r.word(/\w/);
    if (!(yield* r.takes('[ARGS]')) && (yield* r.peek()) !== '{') return 'none';
    yield* r.space();
    calls.start(name, id || undefined);
    if (!(yield* jsonValue(r, (text) => { calls.delta(text); }))) return 'broken';
    calls.end();
    return 'call';
  },
  id: () => Array.from(crypto.getRandomValues(new Uint8Array(9)), (byte) => letters[byte % letters.length]).join(''),
};

/** Granite 3, Phi 4. */
const granite: Format = {
  name: 'granite',
  marks: ['<|tool_call|>', '<tool_call>'],
  control: ['<|tool_call|>', '<|/tool_call|>'],
  closes: ['<|/tool_call|>', '</tool_call>'],
  *read(r, mark, calls) {
    const outcome = yield* callArray(r, calls);
    if (outcome === 'call') yield* closing(r, mark === '<tool_call>' ? '</tool_call>' : '<|/tool_call|>');
    return outcome;
  },
};

const lfm2: Format = {
  name: 'lfm2',
  marks: ['<|tool_call_start|>'],
  control: ['<|tool_call_start|>', '<|tool_call_end|>'],
  closes: ['<|tool_call_end|>'],
  *read(r, _mark, calls) {
    yield* r.space();
    const { at } = r;
    let outcome = yield* pythonCalls(r, calls);
    if (outcome === 'none') {
      r.at = at;
      outcome = yield* callArray(r, calls);
    }
    if (outcome === 'call') yield* closing(r, '<|tool_call_end|>');
    return outcome;
  },
  bare: (r, calls) => pythonCalls(r, calls, true),
};

const braced = (name: string, open: string, close: string, quote: string): Format => ({
  name,
  marks: [open],
  control: [open, close, quote],
  closes: [close],
  *read(r, _mark, calls) {
    const outcome = yield* bracedCall(r, calls, quote);
    if (outcome === 'call') yield* closing(r, close);
    return outcome;
  },
});

const gemmaFences = ['```tool_code', '```json', '```tool_call'];

/** Gemma 3 by templates of its users: Python or JSON in a fence. */
const gemma: Format = {
  name: 'gemma',
  marks: gemmaFences,
  closes: ['```'],
  *read(r, _mark, calls) {
    yield* r.space();
    const first = yield* r.peek();
    const outcome = first === '{' ? yield* callObject(r, calls, true)
      : yield* several(r, [''], function* () { return yield* first === '[' ? pythonCalls(r, calls, true) : printed(r, calls); });
    if (outcome === 'call') yield* closing(r, '```');
    return outcome;
  },
  bare: (r, calls) => several(r, [''], function* () {
    const { at } = r;
    if ((yield* r.peek()) === '{') return yield* bareObject(r, calls);
    r.at = at;
    return yield* pythonCalls(r, calls, true);
  }),
};

/** A call of Python's, also in `print(…)`. */
function* printed(r: Reader, calls: Calls): Reading<Outcome> {
  const isPrinted = yield* r.takes('print('), outcome = yield* pythonCall(r, calls, true);
  if (isPrinted && outcome === 'call') yield* closing(r, ')');
  return outcome;
}

/** Any template that knows no tools: the model is told of them in words, and the answer is one JSON object. */
export const generic: Format = { name: 'generic', marks: [], *read() { return 'none'; }, bare: readGeneric };

/** Formats by what the source of a template has in it; the first that fits. */
const byText: readonly (readonly [Format, ...string[]])[] = [
  [braced('functiongemma', '<start_function_call>', '<end_function_call>', '<escape>'), '<start_function_call>'],
  [braced('gemma4', '<|tool_call>', '<tool_call|>', '<|"|>'), '<|tool_call>call:'],
  [tags, '<function=', '<parameter='],
  [{ ...tags, name: 'glm' }, '<tool_call>', '<arg_key>'],
  [mistral, '[TOOL_CALLS]'],
  [lfm2, '<|tool_call_start|>'], [lfm2, '<|tool_list_start|>'], [lfm2, 'List of tools: ['],
  [granite, '<|tool_call|>'],
  [hermes, '<tool_call>'],
  [llama3, '<|python_tag|>'], [llama3, '"parameters"', '<|start_header_id|>'],
  [gemma, 'tool_code'],
];

/** What is in templates of formats that look like one of these, and are none: MiniMax, Apriel, Seed, Command. */
const others = [']<]minimax[>[', '<tool_calls>', '<seed:tool_call>', '<|START_ACTION|>'];

/** The format of a template; {@link generic} where it knows no tools, or none of these formats. */
export function formatOf(source: string): Format {
  if (others.some((text) => source.includes(text))) return generic;
  return byText.find(([, ...texts]) => texts.every((text) => source.includes(text)))?.[0] ?? generic;
}

/** All of them, by name. */
export const formats: ReadonlyMap<string, Format> = new Map([...byText.map(([format]) => format), generic].map((one) => [one.name, one]));

const thoughts: readonly (readonly [open: string, close: string])[] = [
  ['<think>', '</think>'], ['[THINK]', '[/THINK]'], ['<|channel>thought\n', '<channel|>'], ['<seed:think>', '</seed:think>'],
  ['<|START_THINKING|>', '<|END_THINKING|>'], ['<thought>', '</thought>'],
];

/** What stands around the thoughts of a template's model, if it has any. */
export function thinkingOf(source: string): Thinking | undefined {
  const found = thoughts.find(([open, close]) => source.includes(close) || source.includes(open));
  return found && { open: found[0], close: found[1] };
}
