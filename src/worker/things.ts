/** What a page can have in the worker: the model, and what it makes of it. Arguments are the page's: the library checks them. */
import type { Chat, ChatOptions, GenerateOptions, Generation, Model, RestoreOptions } from 'clada';
import { InputError } from '../errors.ts';
import { nearest, show } from '../options.ts';
import { constraintOf } from './constraint.ts';
import type { RemoteGenerateOptions } from './generation.ts';

type Calls<Result> = Readonly<Record<string, (...args: never[]) => Result>>;

/** Something that is called by message. */
export interface Thing {
  readonly calls: Calls<unknown>;
  /** Things made of it; the first argument is a signal of their own, which fires when the page is gone. */
  readonly makes?: Calls<Thing | Promise<Thing>>;
  /** What a page can read of it without asking, told with every answer. */
  readonly state?: () => object;
  /** Ends what goes on. */
  readonly end?: () => Promise<void>;
}

/** A function that runs beside the model: what it returns (or, of an async iterable, gives) is sent to the page. */
export type Provided = (model: Model, ...args: never[]) => unknown;

/** What the application's worker has provided. */
export const provided = new Map<string, Provided>();

function providedOf(name: string): (model: Model, ...args: unknown[]) => unknown {
  const found = provided.get(name);
  if (found) return found as (model: Model, ...args: unknown[]) => unknown;
  const names = [...provided.keys()], guess = nearest(String(name), names);
  throw new InputError('E_OPTION', {
    subject: 'run', found: show(name),
    expected: names.length > 0 ? `one of ${names.join(', ')}` : "a function of the worker's, which provides none",
    remedy: guess === undefined ? 'Provide it in the worker: provide({ name(model, …) { … } }).' : `Did you mean ${guess}?`,
  });
}

/** Asks an iteration for one value after the other. Once it is to end, what was asked for ahead is not computed. */
function pulledFrom(iterable: AsyncIterable<unknown>): { next: () => Promise<unknown>; end: () => Promise<void> } {
  let iterator: AsyncIterator<unknown> | undefined, last: Promise<unknown> = Promise.resolve(), isOver = false;
  const over = { done: true, value: undefined };
  const next = (): unknown => (isOver ? over : (iterator ??= iterable[Symbol.asyncIterator]()).next());
  return {
    next: () => last = last.then(next, () => over),
    end: async () => {
      isOver = true;
      await last.catch(() => undefined);
      await iterator?.return?.();
    },
  };
}

function streamThing(iterable: AsyncIterable<unknown>): Thing & { readonly end: () => Promise<void> } {
  const { next, end } = pulledFrom(iterable);
  return { calls: { next, return: end }, end };
}

function generationThing(generation: Generation, ofChat: () => object = () => ({})): Thing {
  const { calls, end } = streamThing(generation);
  return {
    calls: {
      ...calls, made: () => undefined,
      text: () => generation.text(), tokens: () => generation.tokens(),
      save: () => generation.save(), ids: () => [...generation.ids],
    },
    state: () => ({ stats: generation.stats(), ...ofChat() }),
    end,
  };
}

/** Options of a page as the model takes them. */
type Asked = (options: RemoteGenerateOptions, signal: AbortSignal) => Promise<GenerateOptions>;

function chatThing(chat: Chat, asked: Asked): Thing {
  let told = -1;
  const state = (): object => { // messages where there are others than were told last
    const { messages, unfinished } = chat;
    if (messages.length === told) return {};
    told = messages.length;
    return { messages, unfinished };
  };
  return {
    calls: { made: () => undefined, save: () => chat.save() },
    makes: {
      send: async (signal: AbortSignal, content: string, options: RemoteGenerateOptions) =>
        generationThing(chat.send(content, await asked(options, signal)), state),
      resume: async (signal: AbortSignal, options: RemoteGenerateOptions) =>
        generationThing(chat.resume(await asked(options, signal)), state),
    },
    state,
  };
}

export function modelThing(model: Model): Thing {
  const { tokenizer, template } = model;
  const asked: Asked = async ({ constraint, ...options }, signal) =>
    ({ ...options, signal, ...(constraint == null ? {} : { constraint: await constraintOf(tokenizer, constraint) }) });
  return {
    calls: {
      encode: (...args: Parameters<typeof tokenizer.encode>) => tokenizer.encode(...args),
      decode: (...args: Parameters<typeof tokenizer.decode>) => tokenizer.decode(...args),
      tokenBytes: (id: number) => tokenizer.tokenBytes(id).slice(), // goes away: not the tokenizer's own
      isControl: (id: number) => tokenizer.isControl(id),
      render: (...args: Parameters<typeof template.render>) => template.render(...args),
      check: (...args: Parameters<typeof template.check>) => { template.check(...args); },
      encodeChat: (...args: Parameters<typeof model.encodeChat>) => model.encodeChat(...args),
      score: (...args: Parameters<typeof model.score>) => model.score(...args),
      embed: (...args: Parameters<typeof model.embed>) => model.embed(...args),
      evaluate: (...args: Parameters<typeof model.evaluate>) => model.evaluate(...args),
      measureBandwidth: () => model.measureBandwidth(),
      run: (name: string, ...args: unknown[]) => providedOf(name)(model, ...args),
    },
    makes: {
      generate: async (signal: AbortSignal, prompt: string | ArrayLike<number>, options: RemoteGenerateOptions) =>
        generationThing(model.generate(prompt, await asked(options, signal))),
      resume: async (signal: AbortSignal, snapshot: Uint8Array, options: RemoteGenerateOptions) =>
        generationThing(await model.resume(snapshot, await asked(options, signal))),
      chat: (_: AbortSignal, options: ChatOptions) => chatThing(model.chat(options), asked),
      restore: async (_: AbortSignal, snapshot: Uint8Array, options: RestoreOptions) =>
        chatThing(await model.restore(snapshot, options), asked),
      stream: (_: AbortSignal, name: string, ...args: unknown[]) => streamThing(providedOf(name)(model, ...args) as AsyncIterable<unknown>),
    },
  };
}
