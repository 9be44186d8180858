/** Pages with generated parts: each between <!-- results:NAME --> and <!-- /results:NAME -->. */

/** Median, least and most. */
export type Spread = [middle: number, least: number, most: number];

export const empty = 'No results in this checkout yet.';

/** "median (least … most)". */
export const showSpread = ([middle, least, most]: Spread, digits: number): string => `${middle.toFixed(digits)} (${least.toFixed(digits)} … ${most.toFixed(digits)})`;

/** The page with these parts made anew, paragraph by paragraph. @throws Error for a page that lacks a marker */
export function withParts(page: string, parts: Readonly<Record<string, readonly string[]>>): string {
  return Object.entries(parts).reduce((before, [name, lines]) => {
    const open = `<!-- results:${name} -->`, close = `<!-- /results:${name} -->`, start = before.indexOf(open), end = before.indexOf(close);
    if (start < 0 || end < start) throw new Error(`the page has no ${open} … ${close}`);
    return `${before.slice(0, start + open.length)}\n${(lines.length === 0 ? [empty] : lines).join('\n\n')}\n${before.slice(end)}`;
  }, page);
}
