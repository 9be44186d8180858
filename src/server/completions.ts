/** POST /v1/completions: texts that go on, OpenAI's older way. */
import * as v from 'valibot';
import type { GeneratedToken, GenerationStats, StopReason } from 'clada';
import { constraintsOf } from 'clada/chat';
import { Account, answersOf, seeded } from './answers.ts';
import { fingerprintOf } from './chat.ts';
import { freshId, tokenEntry, unixSeconds, type Context, type Served } from './context.ts';
import { check, optionsOf, refuseUnsupported, samplingFields } from './fields.ts';
import type { Job } from './job.ts';
import { checkLength } from './length.ts';
import { formatOf } from './messages.ts';
import { unsupported, wrong } from './problem.ts';
import { eventStream, merge, type ServerEvent } from './sse.ts';

const id = v.pipe(v.number(), v.integer(), v.minValue(0)), most = 128;
const schema = v.object({
  ...samplingFields,
  prompt: v.union([
    v.string(), v.pipe(v.array(v.string()), v.minLength(1), v.maxLength(most)), v.pipe(v.array(id), v.minLength(1)),
    v.pipe(v.array(v.pipe(v.array(id), v.minLength(1))), v.minLength(1), v.maxLength(most)),
  ]),
  echo: v.nullish(v.boolean()), best_of: v.nullish(v.number()),
  logprobs: v.nullish(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(5))),
  json_schema: v.nullish(v.union([v.record(v.string(), v.unknown()), v.boolean()])), grammar: v.nullish(v.string()),
  response_format: v.nullish(v.looseObject({ type: v.string() })),
});

type Part = { type: 'token'; token: GeneratedToken } | { type: 'finish'; stats: GenerationStats };
type Answers = ReturnType<typeof answersOf<Part>>;

const finishNames: Record<StopReason, string> = { eog: 'stop', stop: 'stop', loop: 'stop', length: 'length', context: 'length' };

/** OpenAI's default, and that of nobody else: a text that nothing ends would go on until the context is full. */
const defaultTokens = 16;

export async function completions(raw: Readonly<Record<string, unknown>>, job: Job, context: Context): Promise<Response> {
  const body = check(schema, raw), served = context.find(body.model), { model } = served, { tokenizer } = model, n = body.n ?? 1;
  refuseUnsupported(raw);
  const logprobs = body.logprobs ?? undefined;
  if ((body.best_of ?? n) !== n) throw unsupported('best_of', "Leave it out, or make it 'n'.");
  if (body.echo && logprobs !== undefined) throw unsupported('echo', "It cannot be together with 'logprobs'.");
  const options = optionsOf(body, { maxTokens: defaultTokens, ...context.defaults }, (text) => tokenizer.encode(text), tokenizer.vocabSize);
  if (logprobs !== undefined) options.logprobs = Math.max(1, logprobs);
  const fresh = constraintsOf(tokenizer, formatOf(body));
  const prompts = promptsOf(body.prompt);
  for (const prompt of prompts) checkLength(model, prompt, 'prompt');
  const texts = prompts.map((prompt) => (body.echo ? textOf(tokenizer, prompt) : ''));
  if (prompts.length * n > most) throw wrong('n', `A request may ask for ${most} texts at most.`);
  const sources = prompts.flatMap((prompt) => Array.from({ length: n }, (_, index) => {
    const constraint = fresh && { constraint: fresh() };
    const generation = model.generate(prompt, { ...seeded(options, index), ...constraint, signal: job.signal });
    return async function* parts(): AsyncGenerator<Part, void, undefined> {
      for await (const token of generation) yield { type: 'token', token };
      yield { type: 'finish', stats: generation.stats() };
    };
  }));
  const answers = answersOf(served, job, sources);
  const head = {
    id: freshId('cmpl-'), object: 'text_completion', created: unixSeconds(), model: served.id, system_fingerprint: fingerprintOf(served),
  };
  const echoed = (index: number): string => texts[Math.floor(index / n)]!;
  const run = new Run(answers, served, new Account(context), prompts.length, n, echoed, logprobs);
  return body.stream === true
    ? eventStream(run.chunks(head, body.stream_options?.include_usage === true), job, undefined, { data: '[DONE]' })
    : Response.json({ ...head, ...await run.whole() });
}

const promptsOf = (given: string | readonly (string | number | readonly number[])[]): (string | number[])[] => (
  typeof given === 'string' ? [given] : typeof given[0] === 'number' ? [given as number[]] : given as (string | number[])[]);

const textOf = (tokenizer: Served['model']['tokenizer'], prompt: string | number[]): string =>
  (typeof prompt === 'string' ? prompt : tokenizer.decode(prompt));

class Run {
  /** Tokens of each prompt. */
  readonly #prompts: number[] = [];

  constructor(
    private readonly answers: Answers, private readonly served: Served, private readonly account: Account, private readonly count: number,
    private readonly n: number, private readonly echoed: (index: number) => string, private readonly logprobs: number | undefined,
  ) {}

  async whole(): Promise<object> {
    const choices = this.answers.map((_, index) => ({
      index, text: this.echoed(index), logprobs: this.logprobs === undefined ? null : new Lines(), finish_reason: 'stop',
    }));
    for await (const { index, part } of merge(this.answers)) {
      const choice = choices[index]!;
      if (part.type === 'token') {
        choice.logprobs?.add(part.token, this.served, this.logprobs!, choice.text.length);
        choice.text += part.token.text;
      } else choice.finish_reason = this.#finish(index, part.stats);
    }
    return { choices, usage: this.#usage, timings: this.account.timings, clada: { answers: this.account.clada } };
  }

  async* chunks(head: object, withUsage: boolean): AsyncGenerator<ServerEvent, void, undefined> {
    const chunk = (fields: object): ServerEvent => ({ data: { ...head, ...(withUsage ? { usage: null } : {}), ...fields } });
    const lengths = this.answers.map(() => 0), begun = new Set<number>();
    let left = this.answers.length;
    for await (const { index, part } of merge(this.answers)) {
      const before = begun.has(index) ? '' : this.echoed(index);
      begun.add(index);
      if (part.type === 'token') {
        const logprobs = this.logprobs === undefined ? null : new Lines();
        logprobs?.add(part.token, this.served, this.logprobs!, lengths[index]!);
        const text = before + part.token.text;
        lengths[index]! += text.length;
        if (text !== '' || logprobs) yield chunk({ choices: [{ index, text, logprobs, finish_reason: null }] });
      } else {
        const finish = this.#finish(index, part.stats);
        const closing = --left === 0 ? { timings: this.account.timings, clada: { answers: this.account.clada } } : {};
        yield chunk({ choices: [{ index, text: before, logprobs: null, finish_reason: finish }], ...closing });
      }
    }
    if (withUsage) yield chunk({ choices: [], usage: this.#usage });
  }

  #finish(index: number, stats: GenerationStats): string {
    this.account.add(stats);
    this.#prompts[Math.floor(index / this.n)] = stats.promptTokens;
    return finishNames[stats.stopReason ?? 'eog'];
  }

  get #usage(): object {
    return this.account.usage(Array.from({ length: this.count }, (_, i) => this.#prompts[i] ?? 0).reduce((sum, tokens) => sum + tokens, 0));
  }
}

/** `logprobs` as the older protocol has them: columns. */
class Lines {
  readonly tokens: string[] = [];
  readonly token_logprobs: number[] = [];
  readonly top_logprobs: Record<string, number>[] = [];
  readonly text_offset: number[] = [];

  add({ id, logprob, top = [] }: GeneratedToken, { model }: Served, count: number, offset: number): void {
    const own = tokenEntry(model, id, logprob);
    this.tokens.push(own.token);
    this.token_logprobs.push(own.logprob);
    this.top_logprobs.push(Object.fromEntries(top.slice(0, count).map((other) => {
      const entry = tokenEntry(model, other.id, other.logprob);
      return [entry.token, entry.logprob];
    })));
    this.text_offset.push(offset);
  }
}
