/** Pages with generated parts, each between <!-- results:NAME --> and <!-- /results:NAME -->, and with curves in a folder of their own beside them. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

/** Median, least and most. */
export type Spread = readonly [middle: number, least: number, most: number];

export const empty = 'No results in this checkout yet.';

/** "median (least … most)". */
export const showSpread = ([middle, least, most]: Spread, digits: number): string => `${middle.toFixed(digits)} (${least.toFixed(digits)} … ${most.toFixed(digits)})`;

/** Whether a page shows this part. */
export const hasPart = (page: string, name: string): boolean => page.includes(`<!-- results:${name} -->`);

/** The page with these parts made anew, paragraph by paragraph. @throws Error for a page that lacks a marker */
export function withParts(page: string, parts: Readonly<Record<string, readonly string[]>>): string {
  return Object.entries(parts).reduce((before, [name, lines]) => {
    const open = `<!-- results:${name} -->`, close = `<!-- /results:${name} -->`, start = before.indexOf(open), end = before.indexOf(close);
    if (start < 0 || end < start) throw new Error(`the page has no ${open} … ${close}`);
    return `${before.slice(0, start + open.length)}\n${(lines.length === 0 ? [empty] : lines).join('\n\n')}\n${before.slice(end)}`;
  }, page);
}

/**
 * Writes a page, and its curves into the folder of its name; `check`: only says what is not what the results give, and fails the process.
 * `script`: the one to run then.
 */
export function publish(
  path: string, { page, images }: { page: string; images: ReadonlyMap<string, string> }, check: boolean | undefined, script: string,
): void {
  const folder = join(dirname(path), basename(path, '.md'));
  const files = [[path, page] as const, ...[...images].map(([name, svg]) => [join(folder, name), svg] as const)];
  const stale = files.filter(([file, text]) => !existsSync(file) || readFileSync(file, 'utf8') !== text);
  if (check) {
    for (const [file] of stale) console.error(`${file} is not what the results give: run tsx ${script}`);
    if (stale.length > 0) process.exitCode = 1;
    return;
  }
  if (images.size > 0) mkdirSync(folder, { recursive: true });
  for (const [file, text] of stale) writeFileSync(file, text);
  console.error(`${path}: ${stale.length} files changed`);
}
