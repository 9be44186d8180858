/**
 * Where text comes from. A control token counts only where the template itself wrote it: in what a caller hands over, the characters that
 * such tokens begin with are marked, one character for one, by lone surrogates, which no text has. Lengths and positions stay; whoever
 * compares, searches or looks at characters reads `plain` text, whoever cuts and joins keeps the marks.
 */
const lone = /(?<![\ud800-\udbff])[\udc00-\udfff]/g, parts = /((?<![\ud800-\udbff])[\udc00-\udfff])/, first = 0xdc00;

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

/** Text of another case: what was marked stays marked, also as another letter, and where the text becomes longer or shorter. */
export function recased(text: string, change: (text: string) => string): string {
  const whole = change(plain(text));
  if (text.search(lone) < 0) return whole;
  const mark = (c: string): string => (c.length === 1 && c.charCodeAt(0) < markable ? String.fromCharCode(first + c.charCodeAt(0)) : c);
  if (whole.length === text.length) return text.split('').map((c, i) => (plain(c) === c ? whole[i]! : mark(whole[i]!))).join('');
  return text.split(parts).map((part, i) => (i % 2 === 1 ? mark(change(plain(part))) : change(part))).join('');
}
