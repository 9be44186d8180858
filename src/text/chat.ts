/** A conversation: messages in the model's own template, answers streamed, history kept. */
import type { SparsityOptions } from '../adapt/methods.ts';
import { InputError } from '../errors.ts';
import { checkNames, show } from '../options.ts';
import type { GenerateOptions, GeneratedToken, GenerationSource, GenerationState } from './generate.ts';
import { Generation } from './generate.ts';
import { goingOn, saveChat } from './snapshot.ts';
import type { ChatMessage, ChatTemplate, TemplateInput } from './template.ts';

export interface ChatOptions {
  /** System message. Default: the template's own. */
  system?: string;
  /** Earlier messages to start from. */
  messages?: readonly ChatMessage[];
  /** What the template reads besides the messages, in every turn: `{ variables: { enable_thinking: false } }`. Saved with the conversation. */
  template?: TemplateInput | undefined;
}

/** @internal where a saved conversation stood: its tokens in the cache, and an answer that had not ended */
export interface ChatProgress { readonly tokens: readonly number[]; readonly answer?: GenerationState | undefined }

export class Chat {
  readonly #messages: ChatMessage[];
  readonly #input: TemplateInput | undefined;
  /** The answer that runs. */
  #answer: Answer | undefined;
  /** One that was begun before the conversation was saved. */
  #unfinished: GenerationState | undefined;
  /** Of the last answer. */
  #tokens: readonly number[];

  /** @internal use `model.chat`; `sparsity`: what `source` takes where a call says nothing */
  constructor(private readonly source: (options: GenerateOptions) => GenerationSource, private readonly template: ChatTemplate, options: ChatOptions,
    private readonly sparsity: SparsityOptions, progress: ChatProgress = { tokens: [] }) {
    checkNames('chat options', options, ['system', 'messages', 'template']);
    checkNames('chat template options', options.template ?? {}, ['tools', 'documents', 'variables']);
    this.#input = options.template;
    this.#messages = [...(options.system === undefined ? [] : [{ role: 'system', content: options.system }]), ...(options.messages ?? [])];
    this.#tokens = progress.tokens;
    this.#unfinished = progress.answer;
    template.check(this.#messages, this.#input); // a missing template says so now, and one that does not take these messages
  }

  /** The conversation so far. */
  get messages(): readonly ChatMessage[] { return this.#messages; }

  /** Of a restored conversation: what had been said of an answer that was saved while it was being given; {@link resume} goes on with it. */
  get unfinished(): string | undefined { return this.#unfinished?.text; }

  /**
   * Says something and streams the answer. The answer joins the history as far as it was generated, also when the iteration ends early.
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
    const answer: Answer = new Answer(this.source(options), () => {
      if (this.#unfinished) this.#end(this.#unfinished.text, false);
      this.#answer = answer;
      this.#messages.push({ role: 'user', content });
      return this.template.encode(this.#messages, this.#input);
    }, options, { done: (text, failed) => { this.#end(text, failed, answer); } });
    return answer;
  }

  /**
   * Goes on with the answer that a restored conversation had not ended, with the options that it had and those given here: `maxTokens` counts
   * from here. Streams the rest; the whole answer joins the history.
   * @throws InputError `E_OPTION` where there is none; as `model.generate`
   */
  resume(options: GenerateOptions = {}): Generation {
    const unfinished = this.#unfinished;
    if (!unfinished) throw new InputError('E_OPTION', { subject: 'chat.resume', found: 'no unfinished answer', expected: 'a chat saved in the middle of one', remedy: 'Use chat.send.' });
    if (options.sparsity) throw new InputError('E_OPTION', { subject: 'chat.resume', found: 'a sparsity', expected: 'the one that the answer began with', remedy: 'Give it to model.restore.' });
    const { state, options: merged } = goingOn(unfinished, options);
    const answer: Answer = new Answer(this.source({}), () => state.tokens, merged, {
      begun: () => { this.#unfinished = undefined; this.#answer = answer; }, done: (text, failed) => { this.#end(text, failed, answer); },
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
      const answer = this.#answer ? this.#answer.state : this.#unfinished;
      return this.#answer && !answer ? undefined : { chat: { messages: this.#messages, template: this.#input, sparsity: this.sparsity }, answer, tokens: this.#tokens };
    }, async () => this.#answer?.settled());
  }

  #end(text: string, failed: boolean, answer?: Answer): void {
    if (failed && text === '') this.#messages.pop(); // nothing was said: the question can be asked again
    else this.#messages.push({ role: 'assistant', content: text });
    this.#unfinished = undefined;
    if (answer) this.#tokens = answer.ids;
    if (this.#answer === answer) this.#answer = undefined;
  }
}

interface Hooks { readonly begun?: () => void; readonly done: (text: string, failed: boolean) => void }

/** A generation that reports its text at the end, however it ends. */
class Answer extends Generation {
  constructor(source: GenerationSource, prompt: () => ArrayLike<number>, options: GenerateOptions, private readonly hooks: Hooks, private readonly from?: GenerationState) {
    super(source, prompt, options, from);
  }

  override async *[Symbol.asyncIterator](): AsyncGenerator<GeneratedToken, void, undefined> {
    let answer = this.from?.text ?? '', failed = false;
    this.hooks.begun?.();
    try {
      for await (const token of { [Symbol.asyncIterator]: () => super[Symbol.asyncIterator]() }) {
        answer += token.text;
        yield token;
      }
    } catch (error) {
      failed = true;
      throw error;
    } finally {
      this.hooks.done(answer, failed);
    }
  }
}
