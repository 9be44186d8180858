/**
 * How text looks in a terminal: colours, bars, lines that break between words. kleur knows one global switch; stdout and stderr may differ,
 * so each gets its own style.
 */
import kleur from 'kleur';

export interface Style {
  bold(text: string): string;
  dim(text: string): string;
  red(text: string): string;
  cyan(text: string): string;
}

const same = (text: string): string => text;

/** Changes nothing: for pipes, files and tests. */
export const plainStyle: Style = { bold: same, dim: same, red: same, cyan: same };

/** Colours only for a terminal, and never where NO_COLOR (https://no-color.org) is set to anything or TERM is `dumb`. */
export function styleFor(stream: { isTTY?: boolean | undefined }, env: Readonly<Record<string, string | undefined>>): Style {
  if (!stream.isTTY || env['NO_COLOR'] || env['TERM'] === 'dumb') return plainStyle;
  kleur.enabled = true;
  return { bold: kleur.bold, dim: kleur.dim, red: kleur.red, cyan: kleur.cyan };
}

/** A share of 1 as a bar of 20 characters. */
export function bar(share: number): string {
  const full = Math.round(20 * share);
  return `[${'='.repeat(full)}${' '.repeat(20 - full)}]`;
}

/** Breaks at blanks into lines of at most `width` characters. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  return [...lines, line];
}
