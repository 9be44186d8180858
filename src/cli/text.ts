/** Texts from outside: the prompt of -p, -f and standard input, lines of a chat. UTF-8, or refused. */
import { fstatSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { addAbortSignal } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { AbortedError, InputError } from 'clada';
import { note } from './output.ts';

export interface TextFlags { readonly prompt?: string; readonly file?: string }

export interface ReadOptions {
  readonly signal?: AbortSignal;
  /** Text of a pipe or file joins -p, behind a blank line, as in llama-run. Otherwise -p stands alone. */
  readonly join?: boolean;
  /** Takes one newline off the end of a file or pipe, as llama.cpp's -f does: `echo` and editors put it there. */
  readonly chomp?: boolean;
}

/**
 * How long standard input may be silent beside -p: a socket then counts as nothing (programs leave one open to whom they start), a pipe is
 * waited for.
 */
const patience = 1000;

/**
 * The text of `-p`, of `-f FILE`, or of standard input where it is not a terminal.
 * @throws InputError `E_USAGE`, `E_UTF8`, `E_NOT_FOUND`; AbortedError
 */
export async function readText(
  { prompt, file }: TextFlags, command: string, { signal, join = false, chomp = false }: ReadOptions = {},
): Promise<string> {
  const trim = (text: string): string => (chomp ? text.replace(/\n$/, '') : text);
  if (prompt !== undefined) checkArgument(prompt, `clada ${command} -p`);
  if (prompt !== undefined && file !== undefined && file !== '-') throw new InputError('E_USAGE', {
    subject: `clada ${command}`, found: '--prompt and --file together', expected: 'one of the two',
    remedy: 'Remove one; -f - joins standard input.',
  });
  if (file !== undefined && file !== '-') return trim(decodeText(await readBytes(file), file));
  if (prompt === undefined) {
    if (file !== '-' && process.stdin.isTTY) throw new InputError('E_USAGE', {
      subject: `clada ${command}`, found: 'no text', expected: '-p TEXT, -f FILE, or text on standard input',
      remedy: `clada ${command} --help shows the flags.`,
    });
    return trim(decodeText(await readInput('all', signal), 'standard input'));
  }
  const kind = !join ? 'none' : file === '-' ? 'all' : inputKind();
  if (kind === 'none') return prompt;
  const more = trim(decodeText(await readInput(kind, signal), 'standard input'));
  return more === '' ? prompt : `${prompt}\n\n${more}`;
}

async function readBytes(path: string): Promise<Buffer> {
  return readFile(path).catch((cause: unknown) => {
    throw new InputError('E_NOT_FOUND', {
      subject: path, found: (cause as { code?: string }).code ?? String(cause), expected: 'a text file', remedy: 'Check the path.', cause,
    });
  });
}

/** A text file, as it is. @throws InputError `E_NOT_FOUND`, `E_UTF8` */
export const readTextFile = async (path: string): Promise<string> => decodeText(await readBytes(path), path);

/** What standard input is, as far as it can hold a text: a terminal and /dev/null cannot. */
function inputKind(): 'none' | 'all' | 'pipe' | 'socket' {
  try {
    const input = fstatSync(0);
    return input.isFile() ? 'all' : input.isFIFO() ? 'pipe' : input.isSocket() ? 'socket' : 'none';
  } catch {
    return 'none'; // closed
  }
}

/** All of standard input; of a `socket` nothing where it stays silent. @throws AbortedError */
async function readInput(kind: 'all' | 'pipe' | 'socket', signal: AbortSignal | undefined): Promise<Buffer> {
  const { stdin } = process, chunks: Buffer[] = [];
  if (signal) addAbortSignal(signal, stdin);
  const iterator = stdin[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  let next = iterator.next();
  try {
    if (kind !== 'all' && await Promise.race([next, delay(patience, 'silent', { ref: false, signal })]) === 'silent') {
      note(kind === 'socket' ? 'nothing on standard input: going on with -p alone (-f - waits for it)'
        : 'waiting for standard input, which joins -p (</dev/null: none)');
      if (kind === 'socket') {
        next.catch(() => undefined);
        stdin.destroy();
        return Buffer.alloc(0);
      }
    }
    for (let { value, done } = await next; !done; { value, done } = await (next = iterator.next())) chunks.push(value);
  } catch (error) {
    if (signal?.aborted) throw new AbortedError('standard input', signal.reason);
    throw error;
  }
  return Buffer.concat(chunks);
}

/** The lines of a stream of bytes, without their ends. @throws InputError `E_UTF8` naming the line */
export async function* linesOf(stream: AsyncIterable<Buffer>): AsyncGenerator<string, void, undefined> {
  let rest: Buffer = Buffer.alloc(0), line = 0;
  const decode = (bytes: Buffer): string => decodeText(bytes, `standard input, line ${++line}`, line === 1).replace(/\r$/, '');
  for await (const chunk of stream) {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10)) {
      yield decode(rest.subarray(0, end));
      rest = rest.subarray(end + 1);
    }
  }
  if (rest.length > 0) yield decode(rest);
}

/**
 * UTF-8, its byte order mark taken off. @throws InputError `E_UTF8` for UTF-16 and UTF-32 by their marks, and for bytes that are no UTF-8
 */
export function decodeText(bytes: Uint8Array, subject: string, atStart = true): string {
  const refuse = (found: string, from: string): never => {
    throw new InputError('E_UTF8', { subject, found, expected: 'UTF-8', remedy: `Convert it: iconv -f ${from} -t UTF-8` });
  };
  const begins = (...mark: number[]): boolean => atStart && mark.every((byte, i) => bytes[i] === byte);
  if (begins(0xff, 0xfe, 0, 0) || begins(0, 0, 0xfe, 0xff)) refuse('UTF-32 (its byte order mark)', 'UTF-32');
  if (begins(0xff, 0xfe) || begins(0xfe, 0xff)) refuse('UTF-16 (its byte order mark)', 'UTF-16');
  const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes), same = new TextEncoder().encode(text);
  // What was no UTF-8 has become U+FFFD, and so other bytes.
  const at = firstDifference(same, bytes);
  const hex = (bytes[at] ?? 0).toString(16);
  if (at >= 0) refuse(`byte 0x${hex} at offset ${at}, which is not UTF-8 (Latin-1 or Windows-1252?)`, 'WINDOWS-1252');
  return begins(0xef, 0xbb, 0xbf) ? text.slice(1) : text;
}

/** Where two texts begin to differ; -1 where they do not. */
function firstDifference(a: Uint8Array, b: Uint8Array): number {
  if (Buffer.compare(a, b) === 0) return -1;
  let at = 0;
  while (at < a.length && a[at] === b[at]) at++;
  return at;
}

/** Node gives arguments as text and has put U+FFFD where their bytes were no UTF-8. @throws InputError `E_UTF8` */
function checkArgument(text: string, subject: string): void {
  if (!text.includes('\ufffd')) return;
  throw new InputError('E_UTF8', {
    subject, found: `U+FFFD at character ${text.indexOf('\ufffd')}: bytes that are not UTF-8`, expected: 'UTF-8',
    remedy: 'Check the encoding of the terminal, or put the text into a file: -f FILE.',
  });
}
