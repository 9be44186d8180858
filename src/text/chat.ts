/** A conversation: messages in the model's own template, answers streamed, history kept. */
import type { SparsityOptions } from '../adapt/methods.ts';
import { InputError } from '../errors.ts';
import { checkNames, show } from '../options.ts';
import { Line } from '../session/line.ts';
import type { Claim } from '../session/pool.ts';
import { Generation } from './generate.ts';
import type { Prompt } from './overflow.ts';
import { goingOn, saveChat } from './snapshot.ts';
import type { ChatMessage, ChatTemplate, TemplateInput } from './template.ts';
import type { GenerateOptions, GenerationSource, GenerationState } from './types.ts';

/** How a conversation begins, and what its turns do unless they say otherwise. */
export interface ChatOptions {
  /** System message. Default: the template's own. */
  system?: string;
  /** Earlier messages to start from. */
  messages?: readonly ChatMessage[];
  /**
   * What the template reads besides the messages, in every turn: `{ variables: { enable_thinking: false } }`. Saved with the conversation.
   */
  template?: TemplateInput | undefined;
}

/** @internal where a saved conversation stood: its tokens in the cache, and an answer that had not ended */
export interface ChatProgress { readonly tokens: readonly number[]; readonly answer?: GenerationState | undefined }

/**
 * The turn under way: what was asked, which joins the history with the answer. Of an answer that goes on the question is in the history.
 */
interface Turn { readonly answer: Answer; readonly question: ChatMessage | undefined }

/** A conversation: turns in the template of the model, its past in the cache. */
export class Chat {
  #messages: ChatMessage[];
  readonly #input: TemplateInput | undefined;
  #turn: Turn | undefined;
  /** An answer that was begun before the conversation was saved. */
  #unfinished: GenerationState | undefined;
  /** Of the last answer. */
  #tokens: readonly number[];
  /** Turns that wait for the one under way. */
  readonly #line: Line;

  /** @internal use `model.chat`; `sparsity`: what `source` takes where a call says nothing */
  constructor(
    private readonly source: (options: GenerateOptions) => GenerationSource, private readonly claim: Claim,
    private readonly template: ChatTemplate, options: ChatOptions,
    private readonly sparsity: SparsityOptions, progress: ChatProgress = { tokens: [] },
  ) {
    checkNames('chat options', options, ['system', 'messages', 'template']);
    checkNames('chat template options', options.template ?? {}, ['tools', 'documents', 'variables']);
    this.#input = options.template;
    this.#messages = [...(options.system === undefined ? [] : [{ role: 'system', content: options.system }]), ...(options.messages ?? [])];
    this.#tokens = progress.tokens;
    this.#unfinished = progress.answer;
    this.#line = new Line(() => this.claim.patience);
    template.check(this.#messages, this.#input); // a missing template says so now
  }

  /** The conversation so far. */
  get messages(): readonly ChatMessage[] { return this.#turn?.question ? [...this.#messages, this.#turn.question] : this.#messages; }

  /**
   * Of a restored conversation: what had been said of an answer that was saved while it was being given; {@link resume} goes on with it.
   */
  get unfinished(): string | undefined { return this.#unfinished?.text; }

  /**
   * Says something and streams the answer. Question and answer join the history as far as it was generated, also when the iteration ends
   * early. One turn follows the other: it begins when it is iterated, and waits until the turn before has ended; one that nobody has asked
   * for a token for a second ends there. When the context is full the oldest turns are left out, not the system message
   * (`overflow: 'error'`: it is refused).
   *
   * ```ts
   * for await (const { text } of model.chat().send('Hi')) process.stdout.write(text);
   * ```
   * @throws as `model.generate`
   */
  send(content: string, options: GenerateOptions = {}): Generation {
    if (typeof content !== 'string') {
      throw new InputError('E_OPTION', { subject: 'chat message', found: show(content), expected: 'a text', remedy: 'Pass a string.' });
    }
    const question: ChatMessage = { role: 'user', content };
    const answer: Answer = new Answer(this.source(options), this.#prompt(question), { ...options, overflow: options.overflow ?? 'shift' }, {
      begin: (signal) => this.#begin({ answer, question }, signal), done: () => { this.#end(answer); },
    });
    return answer;
  }

  /**
   * Goes on with the answer that a restored conversation had not ended, with the options that it had and those given here: `maxTokens`
   * counts from here. Streams the rest; the whole answer joins the history.
   * @throws InputError `E_OPTION` where there is none; as `model.generate`
   */
  resume(options: GenerateOptions = {}): Generation {
    const unfinished = this.#unfinished;
    const refuse = (found: string, expected: string, remedy: string): never => {
      throw new InputError('E_OPTION', { subject: 'chat.resume', found, expected, remedy });
    };
    const none = (): never => refuse('no unfinished answer', 'a chat saved in the middle of one', 'Use chat.send.');
    if (!unfinished) return none();
    if (options.sparsity) refuse('a sparsity', 'the one that the answer began with', 'Give it to model.restore.');
    const { state, options: merged } = goingOn(unfinished, options);
    const answer: Answer = new Answer(this.source({}), this.#prompt(undefined), merged, {
      begin: (signal) => this.#begin({ answer, question: undefined }, signal, () => { if (this.#unfinished !== unfinished) none(); }),
      done: () => { this.#end(answer); },
    }, state);
    return answer;
  }

  /**
   * The conversation as bytes: messages, the cached state of its tokens, the model's sparsity; between two answers or in the middle of one.
   * `model.restore` takes it, in any runtime with the same model and build.
   * @throws StateError `E_CLOSED`, `E_POISONED`
   */
  save(): Promise<Uint8Array<ArrayBuffer>> {
    return saveChat(this.source({}), () => {
      const answer = this.#turn ? this.#turn.answer.state : this.#unfinished;
      if (this.#turn && !answer) return undefined;
      return { chat: { messages: this.messages, template: this.#input, sparsity: this.sparsity }, answer, tokens: this.#tokens };
    }, async () => this.#turn?.answer.settled());
  }

  /**
   * History and question in the template, less the oldest turns where that is asked for: leading system messages stay, and the last
   * question.
   */
  #prompt(question: ChatMessage | undefined): Prompt {
    return (room) => {
      const all = question ? [...this.#messages, question] : this.#messages;
      const first = all.findIndex(({ role }) => role !== 'system'), system = all.slice(0, first);
      const { contextSize } = this.source({}).pool.engine;
      for (let from = first; ;) {
        const next = room === undefined ? -1 : all.findIndex(({ role }, i) => i > from && role === 'user');
        try {
          const maxTokens = next < 0 ? contextSize : room!;
          const tokens = this.template.encode([...system, ...all.slice(from)], { ...this.#input, maxTokens });
          return { tokens, keep: tokens.length };
        } catch (error) {
          if (next < 0 || (error as InputError).code !== 'E_CONTEXT_FULL') throw error;
          from = next;
        }
      }
    };
  }

  /** Waits for the turn before. One whose reader is gone ends with what it had said. `check` throws where there is nothing left to do. */
  async #begin(turn: Turn, signal: AbortSignal | undefined, check = (): void => undefined): Promise<void> {
    await this.#line.wait(() => {
      const before = this.#turn?.answer;
      if (before && !(this.claim.waits && this.claim.patience === 0)) return false;
      if (before) {
        before.end();
        this.#end(before);
      }
      check();
      if (this.#unfinished && turn.question) this.#messages = [...this.#messages, { role: 'assistant', content: this.#unfinished.text }];
      this.#unfinished = undefined;
      this.#turn = turn;
      this.claim.awake();
      return true;
    }, signal, 'chat');
  }

  #end(answer: Answer): void {
    if (this.#turn?.answer !== answer) return; // another has gone on
    const { question } = this.#turn, text = answer.said;
    const withdrawn = text === '' && answer.stats().stopReason === undefined; // nothing was said: the question can be asked again
    if (!withdrawn) this.#messages = [...this.#messages, ...(question ? [question] : []), { role: 'assistant', content: text }];
    else if (!question) this.#messages = this.#messages.slice(0, -1);
    this.#tokens = answer.ids;
    this.#turn = undefined;
    this.#line.wake();
  }
}

interface Hooks {
  readonly begin: (signal: AbortSignal | undefined) => Promise<void>;
  readonly done: () => void;
}

/** A generation that waits for its turn, and tells when it ends, however that is. */
class Answer extends Generation {
  constructor(
    source: GenerationSource, prompt: Prompt,
    private readonly own: GenerateOptions, private readonly hooks: Hooks, from?: GenerationState,
  ) {
    super(source, prompt, own, from);
  }

  protected override begin(): Promise<void> { return this.hooks.begin(this.own.signal); }

  protected override done(): void { this.hooks.done(); }
}
