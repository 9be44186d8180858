/** Turns until the model has its answer: calls are run, their results go back, a limited number of times. */
import type { ChatMessage, GenerationStats, Model } from 'clada';
import { AbortedError, InputError, StateError } from '../errors.ts';
import { checkNumber, show } from '../options.ts';
import { respond } from './respond.ts';
import type { ChatPart, ChatRequest, FinishReason, ToolCall, ToolDefinition } from './types.ts';

/** What a tool is told besides its arguments. */
export interface ToolContext {
  /** Fires when nobody waits for it any more: aborted, or out of time. */
  readonly signal: AbortSignal;
  /** As the model wrote it. */
  readonly call: ToolCall;
}

/** A tool that can be run. */
export interface RunnableTool extends ToolDefinition {
  /**
   * What it does. What it gives goes to the model: a text as it is, anything else as JSON. What it throws the model is told, too, and may
   * do better. Arguments have been checked by a schema that can (`~standard`.validate), and are what it made of them.
   */
  execute(args: never, context: ToolContext): unknown;
}

/** A request whose calls are run. */
export interface ToolRunRequest extends Omit<ChatRequest, 'tools' | 'responseFormat'> {
  /** What the model may call, and what that does. */
  readonly tools: readonly RunnableTool[];
  /** Answers of the model, at most: from 1 up. Default 8. */
  readonly maxSteps?: number | undefined;
  /** Milliseconds that one tool has. Default 60,000. */
  readonly timeout?: number | undefined;
}

/** What a call came to. */
export interface ToolResult {
  /** What was asked. */
  readonly call: ToolCall;
  /** What the model is told. */
  readonly content: string;
  /** Why it failed; absent where it did not. */
  readonly error?: unknown;
}

/** Parts of the model's answers, each with its end, and results of calls between them. */
export type ToolRunPart = ChatPart | ({ readonly type: 'tool-result' } & ToolResult);

/** All of a run. */
export interface ToolRunResult {
  /** The last answer's. */
  readonly text: string;
  /** What the model thought before it. */
  readonly reasoning: string;
  /** 'max-steps': the model would have gone on. */
  readonly reason: FinishReason | 'max-steps';
  /** Answers of the model, with the results of their calls. */
  readonly steps: readonly ToolStep[];
  /** What has joined the conversation: answers and results, the last answer included. */
  readonly messages: readonly ChatMessage[];
}

/** One answer of the model. */
export interface ToolStep {
  /** Its text, without thoughts and calls. */
  readonly text: string;
  /** What the model thought. */
  readonly reasoning: string;
  /** Of its calls, in their order. */
  readonly results: readonly ToolResult[];
  /** Why it ended. */
  readonly reason: FinishReason;
  /** What it took. */
  readonly stats: GenerationStats;
}

/** A run under way: iterated part by part, or run to its end by `result()`. */
export class ToolRun implements AsyncIterable<ToolRunPart> {
  #begun = false;
  #result: ToolRunResult | undefined;

  /** @internal use {@link runTools} */
  constructor(private readonly model: Model, private readonly request: ToolRunRequest) {}

  async *[Symbol.asyncIterator](): AsyncGenerator<ToolRunPart, void, undefined> {
    if (this.#begun) {
      throw new InputError('E_OPTION', {
        subject: 'tool run', found: 'a second iteration', expected: 'one', remedy: 'Call runTools() again.',
      });
    }
    this.#begun = true;
    const { tools, maxSteps = 8, timeout = 60_000, messages: given, toolChoice, ...options } = this.request;
    const added: ChatMessage[] = [], steps: ToolStep[] = [];
    for (let step = 1; ; step++) {
      let text = '', reasoning = '', end: Extract<ChatPart, { type: 'finish' }> | undefined;
      const calls: ToolCall[] = [], results: ToolResult[] = [];
      const choice = step === 1 ? toolChoice : toolChoice === 'none' ? 'none' : 'auto'; // one that must call must not for ever
      const request: ChatRequest = { ...options, tools: definitions(tools), toolChoice: choice, messages: [...given, ...added] };
      for await (const part of respond(this.model, request)) {
        if (part.type === 'text') text += part.text;
        else if (part.type === 'reasoning') reasoning += part.text;
        else if (part.type === 'tool-call') calls.push(part.call);
        else if (part.type === 'finish') end = part;
        yield part;
      }
      if (!end) return; // somebody else took over the sequence
      const { reason, stats } = end, goesOn = reason === 'tool-calls';
      added.push(messageOf(text, reasoning, goesOn ? calls : []));
      if (goesOn) {
        for (const running of calls.map((call) => run(call, tools, timeout, options.signal))) {
          const result = await running;
          results.push(result);
          added.push({ role: 'tool', tool_call_id: result.call.id, name: result.call.name, content: result.content });
          yield { type: 'tool-result', ...result };
        }
      }
      steps.push({ text, reasoning, results, reason, stats });
      if (!goesOn || step >= maxSteps) {
        this.#result = { text, reasoning, reason: goesOn ? 'max-steps' : reason, steps, messages: added };
        return;
      }
    }
  }

  /** All of it. */
  async result(): Promise<ToolRunResult> {
    for await (const part of this) void part;
    if (this.#result) return this.#result;
    throw new StateError('E_CLOSED', {
      subject: 'tool run', found: 'no end', expected: 'one', remedy: 'Somebody else took over its sequence: ask again.',
    });
  }
}

const definitions = (tools: readonly RunnableTool[]): ToolDefinition[] =>
  tools.map(({ name, description, parameters }) => ({ name, description, parameters }));

const messageOf = (text: string, reasoning: string, calls: readonly ToolCall[]): ChatMessage => ({
  role: 'assistant', content: text,
  ...(reasoning === '' ? {} : { reasoning_content: reasoning }),
  ...(calls.length === 0 ? {} : {
    tool_calls: calls.map(({ id, name, arguments: args }) => ({ id, type: 'function', function: { name, arguments: args } })),
  }),
});

/** What a tool has thrown, which may be anything. */
function told(error: unknown): string {
  try { return error instanceof Error ? String(error.message) : String(error); } catch { return 'it failed and cannot say how'; }
}

/** Runs one call. Never rejects but by an abort. */
async function run(call: ToolCall, tools: readonly RunnableTool[], timeout: number, signal: AbortSignal | undefined): Promise<ToolResult> {
  const failed = (error: unknown): ToolResult =>
    ({ call, content: `Error: ${told(error)}`, error });
  const tool = tools.find(({ name }) => name === call.name);
  if (call.invalid !== undefined || !tool) return failed(new Error(call.invalid ?? `there is no tool ${call.name}`));
  const own = new AbortController(), abort = (): void => { own.abort(signal!.reason); };
  let timer: ReturnType<typeof setTimeout> | undefined;
  const ended = new Promise<never>((_, reject) => {
    own.signal.addEventListener('abort', () => { reject(own.signal.reason as Error); });
    timer = setTimeout(() => { own.abort(new Error(`${call.name} gave nothing within ${timeout} ms`)); }, timeout);
  });
  ended.catch(() => undefined);
  signal?.addEventListener('abort', abort);
  if (signal?.aborted) abort();
  try {
    const work = async (): Promise<string> => {
      const value = await tool.execute(await checked(tool, JSON.parse(call.arguments)) as never, { signal: own.signal, call });
      const content = typeof value === 'string' ? value : JSON.stringify(value ?? null) as string | undefined;
      if (content !== undefined) return content;
      throw new InputError('E_OPTION', {
        subject: `result of ${call.name}`, found: `a ${typeof value}`, expected: 'what JSON can hold', remedy: 'Give a text or plain data.',
      });
    };
    return { call, content: await Promise.race([work(), ended]) };
  } catch (error) {
    if (signal?.aborted) throw new AbortedError('tools', signal.reason);
    return failed(error);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', abort);
  }
}

interface Validator { validate?(value: unknown): Validation | Promise<Validation> }
interface Validation { value?: unknown; issues?: readonly { message: string; path?: readonly unknown[] }[] }

/** Arguments as the schema's own library takes them. */
async function checked({ name, parameters }: RunnableTool, args: unknown): Promise<unknown> {
  const { '~standard': standard } = (parameters ?? {}) as { '~standard'?: Validator };
  if (typeof standard?.validate !== 'function') return args;
  const { value, issues } = await standard.validate(args);
  if (!issues) return value;
  const place = (path: readonly unknown[]): string => path.map((one) => String((one as { key?: unknown })?.key ?? one)).join('.');
  throw new InputError('E_OPTION', {
    subject: `arguments of ${name}`, found: issues.map(({ message, path = [] }) => `${place(path)}: ${message}`).join('; '),
    expected: 'what its schema takes', remedy: 'Call it again with other arguments.',
  });
}

/**
 * Answers the messages with tools at hand: runs what the model calls, tells it the results, and so on until it answers without a call, or
 * `maxSteps` is reached. A `toolChoice` that demands a call holds for the first answer.
 *
 * ```ts
 * const { text } = await runTools(model, { messages, tools: [{ name: 'now', execute: () => new Date().toISOString() }] }).result();
 * ```
 * @throws InputError `E_OPTION` at once for malformed tools and options; as {@link respond} while iterating; AbortedError
 */
export function runTools(model: Model, request: ToolRunRequest): ToolRun {
  const { tools, maxSteps = 8, timeout = 60_000, ...options } = request;
  checkNumber('maxSteps', { min: 1, integer: true }, maxSteps);
  checkNumber('timeout', { min: 1, max: 0x7fffffff }, timeout);
  const wrong = Array.isArray(tools) ? tools.find((tool) => typeof tool?.execute !== 'function') : undefined;
  if (wrong || !Array.isArray(tools)) {
    throw new InputError('E_OPTION', {
      subject: 'tools', found: wrong ? `${show(wrong.name)} without a function execute` : show(tools),
      expected: 'a list of { name, description, parameters, execute }',
      remedy: 'Give each tool what runs it.',
    });
  }
  respond(model, { ...options, tools: definitions(tools) }); // refuses now what no answer could begin with
  return new ToolRun(model, request);
}
