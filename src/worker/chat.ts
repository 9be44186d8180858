/** A conversation over there. */
import type { ChatMessage } from 'clada';
import type { RemoteGenerateOptions } from './generation.ts';
import { RemoteGeneration } from './generation.ts';
import type { Link } from './link.ts';

/** What comes with answers, where it has changed. */
interface State { readonly messages?: readonly ChatMessage[]; readonly unfinished?: string | undefined }

/** As `Chat`. What is wrong with its options, or a model without a template, the first question is told. */
export class RemoteChat {
  #messages: readonly ChatMessage[];
  #unfinished: string | undefined;
  readonly #id: number;

  /** @internal use `model.chat` or `model.restore` */
  constructor(
    private readonly link: Link, name: 'chat' | 'restore', args: readonly unknown[], private readonly ahead: number,
    messages: readonly ChatMessage[] = [],
  ) {
    this.#messages = messages;
    this.#id = link.make(name, args, this);
  }

  /** The conversation as of the last answer that was read. */
  get messages(): readonly ChatMessage[] { return this.#messages; }

  /** Of a restored conversation: what had been said of an answer that was saved while it was being given. */
  get unfinished(): string | undefined { return this.#unfinished; }

  /** As `chat.send`: says something and streams the answer. It begins when it is iterated. */
  send(content: string, options: RemoteGenerateOptions = {}): RemoteGeneration { return this.#generation('send', [content], options); }

  /** As `chat.resume`: goes on with the answer that a restored conversation had not ended. */
  resume(options: RemoteGenerateOptions = {}): RemoteGeneration { return this.#generation('resume', [], options); }

  /** As `chat.save`: the conversation as bytes, which `model.restore` takes here and anywhere. */
  async save(): Promise<Uint8Array<ArrayBuffer>> { return (await this.#ask('save')) as Uint8Array<ArrayBuffer>; }

  /** @internal made over there, or told what was wrong */
  async made(): Promise<this> {
    await this.#ask('made');
    return this;
  }

  #generation(name: string, args: readonly unknown[], { readAhead = this.ahead, ...options }: RemoteGenerateOptions): RemoteGeneration {
    const make = (owner: object): number => this.link.make(name, [...args, options], owner, this.#id);
    return new RemoteGeneration(this.link, make, readAhead, (state) => { this.#see(state as State); });
  }

  async #ask(name: string): Promise<unknown> {
    const { value, error, state } = await this.link.ask(name, [], this.#id);
    this.#see(state as State | undefined);
    if (error) throw error;
    return value;
  }

  #see(state: State | undefined): void {
    if (!state?.messages) return;
    this.#messages = state.messages;
    this.#unfinished = state.unfinished;
  }
}
