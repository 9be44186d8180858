/** Command line → typed values, over `node:util`'s parseArgs. Every mistake is an `E_USAGE` that says what would be right. */
import { parseArgs } from 'node:util';
import { AbortedError, CladaError, InputError } from '../errors.ts';
import { describeRange, inRange, nearest } from '../options.ts';
import { samplerOptionNames, type SamplerOptions } from '../sampler/options.ts';
import { commandNames, commands, type Command, type CommandName, type Values } from './commands.ts';
import type { Flag } from './flags.ts';

export type Parsed =
  | { [C in CommandName]: { command: C; values: Values<C> } }[CommandName]
  | { command: 'help'; topic?: CommandName }
  | { command: 'version' };

export const exitCodes = { ok: 0, failure: 1, usage: 2, partial: 3, interrupted: 130 } as const;

/** The exit code for what a command threw. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof AbortedError) return exitCodes.interrupted;
  if (error instanceof CladaError && (error.code === 'E_USAGE' || error.code === 'E_OPTION')) return exitCodes.usage;
  return exitCodes.failure;
}

/** Parses the arguments after the program's name. @throws InputError `E_USAGE` */
export function parseCommandLine(argv: readonly string[]): Parsed {
  const [first, ...rest] = argv;
  if (first === undefined || first === '--help' || first === '-h') return { command: 'help' };
  if (first === '--version') return { command: 'version' };
  if (first === 'help') return rest[0] === undefined ? { command: 'help' } : { command: 'help', topic: commandOf(rest[0]) };
  const name = commandOf(first);
  const values = parseFlags(name, commands[name], rest);
  return values === 'help' ? { command: 'help', topic: name } : { command: name, values } as Parsed;
}

/** The sampling flags among `values`, named as the sampler's options are. */
export function samplerOptionsOf(values: Values<'run'> | Values<'chat'>): SamplerOptions {
  const given = values as Record<string, unknown>;
  return Object.fromEntries(samplerOptionNames.filter((name) => given[name] !== undefined).map((name) => [name, given[name]]));
}

function commandOf(word: string): CommandName {
  const known = commandNames.find((name) => name === word);
  if (known) return known;
  const guess = nearest(word, commandNames);
  throw usage('clada', JSON.stringify(word), `a command: ${commandNames.join(', ')}`,
    guess ? `Did you mean clada ${guess}?` : 'Try clada --help.');
}

function parseFlags(name: CommandName, command: Command, argv: string[]): Record<string, unknown> | 'help' {
  const entries = Object.entries(command.flags);
  const { tokens } = parseArgs({
    args: argv.map((arg) => longOf(command, arg)), allowPositionals: true, tokens: true,
    strict: false, // -0.5 is a value, and the messages are ours
    options: {
      help: { type: 'boolean', short: 'h' },
      ...Object.fromEntries(entries.map(([, flag]) =>
        [flag.name, { type: flag.kind === 'switch' ? 'boolean' : 'string', ...(flag.short ? { short: flag.short } : {}) }] as const)),
    },
  });
  if (tokens.some((token) => token.kind === 'option' && token.name === 'help')) return 'help';
  const values: Record<string, unknown> = {};
  for (const token of tokens) {
    if (token.kind === 'option') {
      const entry = entries.find(([, flag]) => flag.name === token.name);
      if (!entry) throw unknownFlag(name, command, token.rawName);
      const [key, flag] = entry;
      const inline = token.inlineValue === true, isShort = !token.rawName.startsWith('--');
      const text = inline && isShort ? token.value.replace(/^=/, '') : token.value; // -p=TEXT is meant as --prompt=TEXT
      values[key] = readValue(`clada ${name} ${token.rawName}`, command, flag, text, inline, values[key]);
    } else if (token.kind === 'positional') {
      const keys = [command.positional ?? []].flat(), key = keys.find((one) => values[one] === undefined);
      if (key === undefined) {
        throw usage(`clada ${name}`, `one argument too many: ${JSON.stringify(token.value)}`,
          keys.length === 0 ? 'flags only' : `one ${keys.join(' and one ')}`,
          `Quote texts with spaces; clada ${name} --help shows the flags.`);
      }
      values[key] = token.value;
    }
  }
  for (const [a, b] of command.conflicts ?? []) {
    if (values[a] === undefined || values[b] === undefined) continue;
    throw usage(`clada ${name}`, `--${command.flags[a]!.name} and --${command.flags[b]!.name} together`, 'one of the two', 'Remove one.');
  }
  return values;
}

/** Flags of two letters, llama-bench's `-pg`: parseArgs takes one dash for single letters. */
function longOf({ flags }: Command, arg: string): string {
  const [name] = arg.slice(1).split('=', 1);
  return Object.values(flags).some((flag) => flag.two === true && flag.name === name) ? `-${arg}` : arg;
}

/** The value of one flag; `before` is what earlier ones gave: lists grow, of anything else the last one counts. */
function readValue(subject: string, command: Command, flag: Flag, text: string | undefined, inline: boolean, before: unknown): unknown {
  if (flag.kind === 'switch') {
    if (text === undefined) return true;
    throw usage(subject, `the value ${JSON.stringify(text)}`, 'no value', 'Give the flag alone, or leave it out.');
  }
  const expected = describeValue(flag);
  // `-p --json` forgot the text; a text that looks like a flag is written --prompt=--json.
  if (text === undefined || (!inline && looksLikeFlag(command, text))) {
    throw usage(subject, text === undefined ? 'no value' : `${text}, a flag, where its value should be`, expected,
      `Write --${flag.name}=VALUE, or --${flag.name} VALUE.`);
  }
  const refuse = (): never => { throw usage(subject, JSON.stringify(text), expected, 'Change the value.'); };
  switch (flag.kind) {
    case 'text': return text;
    case 'texts': return text === '' ? refuse() : [...(before as string[] | undefined ?? []), text];
    case 'choice': {
      if (flag.choices.includes(text)) return text;
      return refuseWith(subject, text, expected, nearest(text, flag.choices));
    }
    case 'number': {
      const value = parseNumber(text);
      return inRange(flag.range, value) ? value : refuse();
    }
    case 'numbers': {
      const list = text.split(',').flatMap(parseNumbers);
      return list.every((value) => inRange(flag.range, value)) ? [...(before as number[] | undefined ?? []), ...list] : refuse();
    }
    case 'list': {
      const words = text === 'all' && flag.all ? flag.all : text.split(',').map((word) => word.trim());
      for (const word of words) {
        if (word === '') refuse();
        if (!flag.choices || flag.choices.includes(word)) continue;
        refuseWith(subject, word, expected, nearest(word, flag.choices));
      }
      return [...new Set(words)];
    }
    case 'bias': {
      const match = /^(\d+)([+-])(.+)$/.exec(text) ?? refuse();
      const id = Number(match[1]);
      const size = match[3] === 'inf' && match[2] === '-' ? Infinity : parseNumber(match[3]!);
      if (!Number.isSafeInteger(id) || Number.isNaN(size) || /^[+-]/.test(match[3]!)) return refuse();
      return new Map(before as Map<number, number> | undefined).set(id, match[2] === '-' ? -size : size);
    }
  }
}

function describeValue(flag: Flag): string {
  switch (flag.kind) {
    case 'switch': return 'no value';
    case 'text': return 'a text';
    case 'texts': return 'a text that is not empty';
    case 'choice': return flag.choices.join(', ').replace(/, ([^,]*)$/, ' or $1');
    case 'list': {
      const words = flag.choices && [...flag.choices, ...(flag.all ? ['all'] : [])];
      return words ? `any of ${words.join(', ')}, with commas between` : 'words with commas between';
    }
    case 'number': return describeRange(flag.range);
    case 'numbers': return `${describeRange(flag.range)}, or several with commas between`;
    case 'bias': return 'a token id, + or -, and a number (or -inf)';
  }
}

/** Decimal notation only: no hexadecimal, no blanks, not the empty text that `Number` takes for 0. */
function parseNumber(text: string): number {
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : NaN;
}

/** Of llama-bench: a number, or FIRST-LAST in steps of +N or *N. */
function parseNumbers(text: string): number[] {
  const match = /^(\d+)-(\d+)(?:([+*])(\d+))?$/.exec(text);
  if (!match) return [parseNumber(text)];
  const [first, last, step] = [match[1], match[2], match[4] ?? 1].map(Number) as [number, number, number], list = [];
  if (first > last || step < (match[3] === '*' ? 2 : 1) || (match[3] === '*' && first < 1)) return [NaN];
  for (let n = first; n <= last && list.length < 1000; n = match[3] === '*' ? n * step : n + step) list.push(n);
  return list;
}

function looksLikeFlag({ flags }: Command, text: string): boolean {
  return [...Object.values(flags), { name: 'help', short: 'h' }].some(({ name, short }) =>
    text === `--${name}` || text.startsWith(`--${name}=`) || (short !== undefined && text === `-${short}`));
}

function unknownFlag(name: CommandName, { flags }: Command, raw: string): InputError {
  const known = Object.values(flags).map((flag) => `--${flag.name}`);
  const guess = nearest(raw, known);
  const remedy = guess ? `Did you mean ${guess}?` : `clada ${name} --help lists them.`;
  return usage(`clada ${name}`, `unknown flag ${raw}`, `flags of ${name}`, remedy);
}

function refuseWith(subject: string, text: string, expected: string, guess: string | undefined): never {
  throw usage(subject, JSON.stringify(text), expected, guess === undefined ? 'Change the value.' : `Did you mean ${guess}?`);
}

function usage(subject: string, found: string, expected: string, remedy: string): InputError {
  return new InputError('E_USAGE', { subject, found, expected, remedy });
}
