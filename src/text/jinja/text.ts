/** Python's methods of `str`. Whatever searches or looks at characters does so in plain text; what is cut out keeps its marks. */
import { plain, recased } from './marks.ts';
import { mistake, unsupported } from './fault.ts';
import type { Args, Value } from './values.ts';
import { iterate, None, str, Tuple, typeName } from './values.ts';

type Method = (text: string, args: Args) => Value;

/** What Python counts as whitespace. */
const blanks = new Set(Array.from({ length: 0x3001 }, (_, code) => String.fromCharCode(code)).filter((c) => (/[\s\x1c-\x1f\x85]/.test(c))));

const textOf = (value: Value, callee: string): string => {
  if (typeof value === 'string') return value;
  throw mistake(`${callee} wants a str, not ${typeName(value)}`);
};
const integerOf = (value: Value | undefined, callee: string, preset: number): number => {
  if (value === undefined || value === None) return preset;
  if (typeof value === 'bigint' || typeof value === 'boolean') return Number(value);
  throw mistake(`${callee} wants an int, not ${typeName(value)}`);
};

/** Takes characters of a set away from one end or both. */
export function strip(text: string, characters: Value | undefined, ends: 'left' | 'right' | 'both' = 'both'): string {
  const set = characters === undefined || characters === None ? blanks : new Set(Array.from(plain(textOf(characters, 'strip'))));
  const all = Array.from(text);
  let from = 0, to = all.length;
  if (ends !== 'right') while (from < to && set.has(plain(all[from]!))) from++;
  if (ends !== 'left') while (to > from && set.has(plain(all[to - 1]!))) to--;
  return all.slice(from, to).join('');
}

export const upper = (text: string): string => recased(text, (part) => part.toUpperCase());
export const lower = (text: string): string => recased(text, (part) => part.toLowerCase());
export function capitalize(text: string): string {
  const [first = '', ...rest] = Array.from(text), [initial = '', ...tail] = Array.from(upper(first));
  return initial + lower(tail.join('')) + lower(rest.join(''));
}

/** A letter behind anything but a letter becomes large, the others small. */
function title(text: string): string {
  let at = 0;
  return plain(text).split(/([\p{L}\p{M}]+)/u).map((part, i) => {
    const own = text.slice(at, at += part.length);
    return i % 2 === 0 ? own : /^\p{M}/u.test(part) ? lower(own) : capitalize(own);
  }).join('');
}

export function replace(text: string, old: string, by: string, count = -1): string {
  const searched = plain(text), wanted = plain(old);
  if (wanted === '') {
    const all = Array.from(text), times = count < 0 ? all.length + 1 : Math.min(count, all.length + 1);
    return all.map((c, i) => (i < times ? by : '') + c).join('') + (times > all.length ? by : '');
  }
  let result = '', from = 0;
  for (let at = searched.indexOf(wanted); at >= 0 && count !== 0; at = searched.indexOf(wanted, from), count--) {
    result += text.slice(from, at) + by;
    from = at + wanted.length;
  }
  return result + text.slice(from);
}

/** Lines without their ends, by Python's line ends. */
export function splitLines(text: string): string[] {
  const lines = text.split(/\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]/);
  if (lines.at(-1) === '') lines.pop();
  return lines;
}

function split(text: string, args: Args, isFromRight: boolean): string[] {
  const callee = isFromRight ? 'rsplit' : 'split', [separator = None, limit] = args.take(callee, 'sep', 'maxsplit');
  const parts = separator === None ? words(text) : pieces(text, textOf(separator, callee)), most = integerOf(limit, callee, -1);
  const cut = parts.map(([from, to]) => text.slice(from, to));
  if (most < 0 || parts.length <= most) return cut;
  if (isFromRight) return [text.slice(0, parts.at(-most - 1)![1]), ...cut.slice(parts.length - most)];
  return [...cut.slice(0, most), text.slice(parts[most]![0])];
}

function words(text: string): (readonly [number, number])[] {
  return [...plain(text).matchAll(/[^\s\x1c-\x1f\x85]+/g)].map(({ 0: word, index }) => [index, index + word.length]);
}

function pieces(text: string, separator: string): (readonly [number, number])[] {
  const searched = plain(text), wanted = plain(separator), found: (readonly [number, number])[] = [];
  if (wanted === '') throw mistake('empty separator');
  let from = 0;
  for (let at = searched.indexOf(wanted); at >= 0; at = searched.indexOf(wanted, from)) {
    found.push([from, at]);
    from = at + wanted.length;
  }
  return [...found, [from, text.length]];
}

function partition(text: string, args: Args, isFromRight: boolean): Tuple {
  const [separator = ''] = args.take('partition', 'sep'), found = pieces(text, textOf(separator, 'partition'));
  if (found.length === 1) return new Tuple(isFromRight ? ['', '', text] : [text, '', '']);
  const [before, after] = isFromRight ? [found.at(-2)!, found.at(-1)!] : [found[0]!, found[1]!];
  return new Tuple([text.slice(0, before[1]), text.slice(before[1], after[0]), text.slice(after[0])]);
}

/** Where a text begins or ends with another, or with one of a tuple. */
const affix = (callee: 'startswith' | 'endswith'): Method => (text, args) => {
  const [wanted = '', from, to] = args.take(callee, 'prefix', 'start', 'end'), part = plain(section(text, from, to));
  const candidates: readonly Value[] = wanted instanceof Tuple ? wanted.items : [wanted];
  const isAffix = (one: string): boolean => (callee === 'startswith' ? part.startsWith(one) : part.endsWith(one));
  return candidates.some((one) => isAffix(plain(textOf(one, callee))));
};

function section(text: string, from: Value | undefined, to: Value | undefined): string {
  if (from === undefined && to === undefined) return text;
  return Array.from(text).slice(integerOf(from, 'str', 0), integerOf(to, 'str', Infinity)).join('');
}

/** Place of a text in another, in characters; -1 where it is not. */
const find = (callee: string, isLast: boolean, mustBe: boolean): Method => (text, args) => {
  const [wanted = '', from, to] = args.take(callee, 'sub', 'start', 'end');
  const part = plain(section(text, from, to)), sought = plain(textOf(wanted, callee));
  const at = isLast ? part.lastIndexOf(sought) : part.indexOf(sought);
  if (at < 0 && mustBe) throw mistake('substring not found');
  const start = integerOf(from, callee, 0), length = Array.from(text).length;
  return at < 0 ? -1n : BigInt(Array.from(part.slice(0, at)).length + (start < 0 ? Math.max(0, length + start) : start));
};

const pad = (callee: string, side: 'left' | 'right' | 'both' | 'zeros'): Method => (text, args) => {
  const [width, fill = ' '] = args.take(callee, 'width', 'fillchar'), length = Array.from(text).length;
  const missing = integerOf(width, callee, 0) - length;
  if (missing <= 0) return text;
  if (missing > 1 << 20) throw mistake(`a width of ${length + missing} characters`);
  if (side === 'zeros') return /^[+-]/.test(plain(text)) ? text[0]! + '0'.repeat(missing) + text.slice(1) : '0'.repeat(missing) + text;
  const left = side === 'left' ? missing : side === 'both' ? Math.floor(missing / 2) + (missing & (length + missing) & 1) : 0;
  return textOf(fill, callee).repeat(left) + text + textOf(fill, callee).repeat(missing - left);
};

/** Puts arguments in place of `{}`, `{0}` and `{name}`. */
const format: Method = (text, args) => {
  let result = '', from = 0, next = 0;
  for (const { 0: found, 1: field, index } of plain(text).matchAll(/\{\{|\}\}|\{([^{}]*)\}|[{}]/g)) {
    result += text.slice(from, index);
    from = index + found.length;
    if (field === undefined) {
      if (found.length === 1) throw mistake(`Single '${found}' encountered in format string`);
      result += text[index]!;
      continue;
    }
    if (!/^\w*$/.test(field)) throw unsupported(`'${found}' in str.format()`);
    const value = /^\d*$/.test(field) ? args.positional[field === '' ? next++ : Number(field)] : args.named.get(field);
    if (value === undefined) throw mistake(`str.format() lacks an argument for '${found}'`);
    result += str(value);
  }
  return result + text.slice(from);
};

/** True where there are characters and each is of the kind. */
const every = (kind: RegExp): Method => (text, args) => {
  args.take('str');
  return text !== '' && Array.from(plain(text)).every((c) => kind.test(c));
};
const simple = (callee: string, change: (text: string) => Value): Method => (text, args) => {
  args.take(callee);
  return change(text);
};
const hasCase = (text: string): boolean => plain(text).toUpperCase() !== plain(text).toLowerCase();

export const isUpper = (text: string): boolean => hasCase(text) && plain(text) === plain(text).toUpperCase();
export const isLower = (text: string): boolean => hasCase(text) && plain(text) === plain(text).toLowerCase();

export const textMethods: Readonly<Record<string, Method>> = {
  upper: simple('upper', upper), lower: simple('lower', lower), title: simple('title', title), capitalize: simple('capitalize', capitalize),
  swapcase: simple('swapcase', (text) => Array.from(text, (c) => (isUpper(c) ? lower(c) : upper(c))).join('')),
  strip: (text, args) => strip(text, args.take('strip', 'chars')[0]),
  lstrip: (text, args) => strip(text, args.take('lstrip', 'chars')[0], 'left'),
  rstrip: (text, args) => strip(text, args.take('rstrip', 'chars')[0], 'right'),
  startswith: affix('startswith'), endswith: affix('endswith'),
  removeprefix: (text, args) => {
    const prefix = textOf(args.take('removeprefix', 'prefix')[0] ?? '', 'removeprefix');
    return plain(text).startsWith(plain(prefix)) ? text.slice(prefix.length) : text;
  },
  removesuffix: (text, args) => {
    const suffix = textOf(args.take('removesuffix', 'suffix')[0] ?? '', 'removesuffix');
    return plain(text).endsWith(plain(suffix)) ? text.slice(0, text.length - suffix.length) : text;
  },
  split: (text, args) => split(text, args, false), rsplit: (text, args) => split(text, args, true),
  splitlines: (text, args) => {
    const [keep = false] = args.take('splitlines', 'keepends'), lines = splitLines(text);
    let at = 0;
    return keep === false ? lines : lines.map((line) => {
      const end = at + line.length, length = text.startsWith('\r\n', end) ? 2 : end < text.length ? 1 : 0;
      return text.slice(at, at = end + length);
    });
  },
  partition: (text, args) => partition(text, args, false), rpartition: (text, args) => partition(text, args, true),
  replace: (text, args) => {
    const [old = '', by = '', count] = args.take('replace', 'old', 'new', 'count');
    return replace(text, textOf(old, 'replace'), textOf(by, 'replace'), integerOf(count, 'replace', -1));
  },
  format, find: find('find', false, false), rfind: find('rfind', true, false),
  index: find('index', false, true), rindex: find('rindex', true, true),
  count: (text, args) => {
    const [wanted = ''] = args.take('count', 'sub');
    return BigInt(textOf(wanted, 'count') === '' ? Array.from(text).length + 1 : pieces(text, textOf(wanted, 'count')).length - 1);
  },
  join: (text, args) => iterate(args.take('join', 'iterable')[0] ?? None).map((item: Value) => textOf(item, 'join')).join(text),
  ljust: pad('ljust', 'right'), rjust: pad('rjust', 'left'), center: pad('center', 'both'), zfill: pad('zfill', 'zeros'),
  isdigit: every(/^[\p{Nd}\u00b2\u00b3\u00b9\u2070-\u2079\u2080-\u2089]$/u), isdecimal: every(/^\p{Nd}$/u), isnumeric: every(/^\p{N}$/u),
  isalpha: every(/^\p{L}$/u), isalnum: every(/^[\p{L}\p{N}]$/u), isspace: every(/^[\s\x1c-\x1f\x85]$/),
  isupper: simple('isupper', isUpper), islower: simple('islower', isLower),
};

/** Methods that Python has and this file has not. */
export const foreignTextMethods: readonly string[] = ['casefold', 'encode', 'expandtabs', 'format_map', 'isascii', 'isidentifier',
  'isprintable', 'istitle', 'maketrans', 'translate'];

/** Python's `int(text, base)`; undefined for what is none. */
export function parseInteger(text: string, base: number): bigint | undefined {
  const [, sign = '', prefix, rest = ''] = /^([+-]?)(0[box])?(\w+)$/i.exec(strip(plain(text), undefined)) ?? [];
  const isPrefixed = prefix !== undefined && ({ 2: 'b', 8: 'o', 16: 'x' } as Record<number, string>)[base] === prefix[1]!.toLowerCase();
  const digits = prefix === undefined || isPrefixed ? rest : prefix + rest, isWhole = /^[^_]+(_[^_]+)*$/.test(digits);
  const bare = digits.replaceAll('_', '').toLowerCase();
  if (!isWhole || !Array.from(bare).every((c) => /[0-9a-z]/.test(c) && parseInt(c, 36) < base)) return undefined;
  const value = Array.from(bare).reduce((sum, c) => sum * BigInt(base) + BigInt(parseInt(c, 36)), 0n);
  return sign === '-' ? -value : value;
}

/** Python's `float(text)`; undefined for what is none. */
export function parseFloating(text: string): number | undefined {
  const bare = strip(plain(text), undefined).toLowerCase();
  if (/^[+-]?(inf|infinity|nan)$/.test(bare)) return bare.includes('nan') ? NaN : bare.startsWith('-') ? -Infinity : Infinity;
  return /^[+-]?(\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(e[+-]?\d+)?$/.test(bare) ? Number(bare.replaceAll('_', '')) : undefined;
}
