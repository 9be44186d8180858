/** `clada chat`: a conversation line by line, from a terminal or a pipe. Ended in whatever way, it is kept where --save-session says. */
import { addAbortSignal } from 'node:stream';
import { createInterface } from 'node:readline/promises';
import type { Chat, Model } from 'clada';
import { InputError } from 'clada';
import { exitCodes } from './args.ts';
import { chatLoopGuard, slashCommands, type Values } from './commands.ts';
import { cut, endWith } from './ending.ts';
import { afterwards, closing, generateOptions, stream, summaryOf, withTelemetry } from './generate.ts';
import { chatting, openModel, systemOf } from './model.ts';
import { complain, note, printJson } from './output.ts';
import { chatOf, checkSessionPath, likeSession, readSession, savingAfter, writeSession } from './session.ts';
import { styleFor } from './style.ts';
import type { TelemetryFile } from './telemetry.ts';
import { linesOf } from './text.ts';

export async function chat(values: Values<'chat'>, signal: AbortSignal): Promise<void> {
  await checkSessionPath(values.saveSession);
  await withTelemetry(values.telemetry, async (telemetry) => {
    const saved = await readSession(values.loadSession);
    await using model = await openModel(likeSession(values, saved), signal);
    const begun = await chatOf(model, saved, saved ? undefined : systemOf(values), generateOptions(values, signal));
    const talk = new Talk(model, begun, values, telemetry);
    await savingAfter(values.saveSession, () => talk.chat, () => (
      process.stdin.isTTY ? talk.atTerminal() : talk.through(linesOf(addAbortSignal(signal, process.stdin)))
    ));
  });
}

class Talk {
  /** The answer that runs: Ctrl-C in a terminal stops it and nothing else. */
  #answering: AbortController | undefined;
  /** How often the last message has been answered anew. */
  #again = 0;

  constructor(
    private readonly model: Model, public chat: Chat, private readonly values: Values<'chat'>,
    private readonly telemetry: TelemetryFile | undefined,
  ) {}

  async atTerminal(): Promise<void> {
    const { bold } = styleFor(process.stderr, process.env);
    const terminal = createInterface({ input: process.stdin, output: process.stderr, prompt: bold('> ') });
    cut.addEventListener('abort', () => { terminal.close(); });
    terminal.on('SIGINT', () => {
      if (cut.aborted) process.exit(exitCodes.interrupted); // it has been asked to end, and does not
      if (this.#answering && !this.#answering.signal.aborted) { this.#answering.abort(); return; }
      process.stderr.write('\n');
      endWith(exitCodes.interrupted);
    });
    note(`${this.model.info.name}\nCtrl-C stops an answer, Ctrl-D ends the chat, /help tells more.`);
    terminal.prompt();
    await this.through(terminal, () => { terminal.prompt(); });
    if (!cut.aborted) process.stderr.write('\n');
    terminal.close();
  }

  /** Every line is answered, or obeyed; `next` when that is done. */
  async through(lines: AsyncIterable<string>, next?: () => void): Promise<void> {
    try {
      for await (const line of lines) {
        const [, word, argument = ''] = /^\/(\w+)(?:\s+(.*))?$/.exec(line.trimEnd()) ?? [];
        if (word !== undefined) {
          if (!await this.#obey(word, argument)) break;
        } else if (line.trim() !== '') {
          this.#again = 0;
          await this.#answer(line);
        }
        if (cut.aborted) break;
        next?.();
      }
    } catch (error) {
      if (!cut.aborted) throw error;
    }
  }

  /** False where the chat is to end. */
  async #obey(word: string, argument: string): Promise<boolean> {
    const { messages } = this.chat;
    switch (word) {
      case 'quit': case 'exit': return false;
      case 'help': for (const [name, help] of Object.entries(slashCommands)) note(`  ${name.padEnd(12)} ${help}`); break;
      case 'reset': case 'clear':
        this.chat = this.model.chat({ messages: messages.filter(({ role }, i) => i === 0 && role === 'system') });
        note('The conversation is forgotten.');
        break;
      case 'regen': {
        const last = messages.findLastIndex(({ role }) => role === 'user');
        if (last < 0) { note('There is nothing to answer anew.'); break; }
        const { content } = messages[last]!;
        this.chat = this.model.chat({ messages: messages.slice(0, last) });
        this.#again++;
        await this.#answer(String(content)); // what this command line asked is text
        break;
      }
      case 'save': {
        const path = argument || this.values.saveSession;
        if (path === undefined) { note('/save FILE: where to?'); break; }
        await writeSession(path, this.chat).catch(complain);
        break;
      }
      default: note(`/${word} is no command (/help lists them). With a blank before it, it is a message.`);
    }
    return true;
  }

  async #answer(message: string): Promise<void> {
    const { json, stats, seed } = this.values;
    this.#answering = new AbortController();
    const flags = this.#again > 0 ? this.values : chatting(this.values); // another answer needs llama.cpp's livelier sampling
    const options = generateOptions(flags, AbortSignal.any([cut, this.#answering.signal]));
    options.loopGuard ??= chatLoopGuard;
    if (typeof seed === 'number' && seed >= 0) options.seed = (seed + this.#again) % 2 ** 32; // the same one would say the same
    try {
      const generation = this.chat.send(message, options), streamed = await stream(generation, json === true, this.telemetry);
      if (json) printJson({ message, ...summaryOf(generation, streamed) });
      if (streamed.aborted && !cut.aborted) note('stopped');
      afterwards(generation, this.model);
      if (stats) closing(generation, this.model, streamed);
    } catch (error) {
      if (!(error instanceof InputError)) throw error; // what was asked for cannot be: the next message can
      if (json) printJson({ message, error: { code: error.code, message: error.message } });
      complain(error);
      if (error.code === 'E_CONTEXT_FULL') {
        note('The conversation fills the context: /reset begins a new one, --ctx-size makes room for a longer one.');
      }
    } finally {
      this.#answering = undefined;
    }
  }
}
