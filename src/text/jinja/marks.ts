/**
 * Where text comes from. A control token counts only where the template itself wrote it: in what a caller hands over, the characters that
 * such tokens begin with are marked, one character for one, by lone surrogates, which no text has. Lengths and positions stay; whoever
 * compares, searches or looks at characters reads `plain` text, whoever cuts and joins keeps the marks.
 */
const lone = /(?<![\ud800-\udbff])[\udc00-\udfff]/g, first = 0xdc00;

/** Characters that can be marked have codes below this. */
export const markable = 0x400;

/** The text without its marks. */
export function plain(text: string): string {
  return text.replace(lone, (mark) => String.fromCharCode(mark.charCodeAt(0) - first));
}

/** Marks these characters wherever they stand. */
export function marker(characters: ReadonlySet<string>): (text: string) => string {
  if (characters.size === 0) return (text) => text;
  const expression = new RegExp(`[${[...characters].map((c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`).join('')}]`, 'g');
  return (text) => text.replace(expression, (c) => String.fromCharCode(first + c.charCodeAt(0)));
}

/** What became of `source` (`text`, made from its plain text), with the marks of characters that are still the same. */
export function likewise(source: string, text: string): string {
  const marks = new Map([...source.matchAll(lone)].map(({ 0: mark, index }) => [index, mark]));
  if (marks.size === 0 || source.length !== text.length) return text;
  return text.split('').map((c, i) => { const mark = marks.get(i); return mark !== undefined && plain(mark) === c ? mark : c; }).join('');
}
