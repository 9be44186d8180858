/** Help texts, made from the table of commands; no line is wider than 80 columns. */
import { commandNames, commands, type Command, type CommandName } from './commands.ts';
import type { Flag } from './flags.ts';
import { plainStyle, wrap, type Style } from './style.ts';

const COLUMNS = 80;

/** The help of one command, or of the program. */
export function helpText(topic?: CommandName, style: Style = plainStyle): string {
  return topic === undefined ? programHelp(style) : commandHelp(topic, style);
}

function programHelp(style: Style): string {
  const rows = commandNames.map((name): [string, string] => [name, commands[name].summary]);
  return [
    'clada: language models in WebAssembly SIMD', '',
    `${style.bold('Usage')}  clada COMMAND [flags]`, '',
    style.bold('Commands'), ...table(rows, 10, style), '',
    'clada COMMAND --help shows the flags of a command, clada --version the version.',
    'Without -m, the embedded model is used. Results go to stdout, notes to stderr.', '',
  ].join('\n');
}

function commandHelp(name: CommandName, style: Style): string {
  const command: Command = commands[name];
  const bare = [command.positional ?? []].flat().map((key) => ` [${key.toUpperCase()}]`).join('');
  const rows = [...Object.values(command.flags).map(flagRow), ['-h, --help', 'this text'] as [string, string]];
  return [
    command.summary, '', `${style.bold('Usage')}  clada ${name}${bare} [flags]`, '',
    style.bold('Flags'), ...table(rows, 29, style), '',
    ...(command.notes ?? []).flatMap((text) => (text.startsWith(' ') ? [text] : wrap(text, COLUMNS))), ...(command.notes ? [''] : []),
  ].join('\n');
}

/** Choices that do not fit on a line are told in words. */
function flagRow(flag: Flag): [string, string] {
  const joined = flag.kind === 'choice' ? flag.choices.join('|') : '', shown = joined.length > 60 ? 'NAME' : joined;
  const words = shown === joined ? '' : `: ${joined.replaceAll('|', ', ')}`;
  const value = flag.kind === 'switch' ? '' : ` ${flag.kind === 'choice' ? shown : flag.value}`;
  const short = flag.two ? flag.name : flag.short, left = `${short ? `-${short}, ` : '    '}--${flag.name}${value}`;
  return [left, flag.default === undefined ? flag.help + words : `${flag.help}${words} (default ${flag.default})`];
}

/** Two columns, the second wrapped; a left part too wide for its column gets a line of its own. */
function table(rows: readonly [string, string][], width: number, style: Style): string[] {
  const lines: string[] = [];
  for (const [left, right] of rows) {
    const wrapped = wrap(right, COLUMNS - 2 - width);
    const fits = left.length < width;
    lines.push(fits ? `  ${style.cyan(left)}${' '.repeat(width - left.length)}${wrapped.shift() ?? ''}` : `  ${style.cyan(left)}`);
    for (const line of wrapped) lines.push(' '.repeat(2 + width) + line);
  }
  return lines;
}
