/** A conversation: messages in the model's own template, answers streamed, history kept. */
import { InputError } from '../errors.ts';
import { checkNames, show } from '../options.ts';
import type { GenerateOptions, GeneratedToken, GenerationSource } from './generate.ts';
import { Generation } from './generate.ts';
import type { ChatMessage, ChatTemplate } from './template.ts';

export interface ChatOptions {
  /** System message. Default: the template's own. */
  system?: string;
  /** Earlier messages to start from. */
  messages?: readonly ChatMessage[];
}

export class Chat {
  readonly #messages: ChatMessage[];

  /** @internal use `model.chat` */
  constructor(private readonly source: (options: GenerateOptions) => GenerationSource, private readonly template: ChatTemplate, options: ChatOptions) {
    checkNames('chat options', options, ['system', 'messages']);
    this.#messages = [...(options.system === undefined ? [] : [{ role: 'system', content: options.system }]), ...(options.messages ?? [])];
    template.encode([...this.#messages, { role: 'user', content: '' }], { addGenerationPrompt: true }); // a missing template says so now
  }

  /** The conversation so far. */
  get messages(): readonly ChatMessage[] { return this.#messages; }

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
    const messages = this.#messages;
    return new Answer(this.source(options), () => {
      messages.push({ role: 'user', content });
      return this.template.encode(messages, { addGenerationPrompt: true });
    }, options, (answer, failed) => {
      if (failed && answer === '') messages.pop(); // nothing was said: the question can be asked again
      else messages.push({ role: 'assistant', content: answer });
    });
  }
}

/** A generation that reports its text at the end, however it ends. */
class Answer extends Generation {
  constructor(source: GenerationSource, prompt: () => ArrayLike<number>, options: GenerateOptions, private readonly done: (text: string, failed: boolean) => void) {
    super(source, prompt, options);
  }

  override async *[Symbol.asyncIterator](): AsyncGenerator<GeneratedToken, void, undefined> {
    let answer = '', failed = false;
    try {
      for await (const token of { [Symbol.asyncIterator]: () => super[Symbol.asyncIterator]() }) {
        answer += token.text;
        yield token;
      }
    } catch (error) {
      failed = true;
      throw error;
    } finally {
      this.done(answer, failed);
    }
  }
}
