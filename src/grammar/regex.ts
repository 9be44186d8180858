/** Regular expressions in JavaScript's syntax, with code points as characters; what no automaton can do is refused. */
import {
  alt, and, empty, inverted, joined, limits, maxCodePoint, minus, refused, repeat, seq, set, tooLarge, type Expr,
} from './expr.ts';

type Anchor = { readonly kind: '^' } | { readonly kind: '$' };
/** A sequence as it was written: anchors and look-aheads among its items. */
type Item = Expr | Anchor | Group | { readonly kind: 'ahead'; readonly not: boolean; readonly options: readonly Item[][] };
interface Group { readonly kind: 'group'; readonly options: readonly Item[][] }

const digits = [0x30, 0x39], word = [0x30, 0x39, 0x41, 0x5a, 0x5f, 0x5f, 0x61, 0x7a];
const blanks = [
  9, 13, 0x20, 0x20, 0xa0, 0xa0, 0x1680, 0x1680, 0x2000, 0x200a, 0x2028, 0x2029, 0x202f, 0x202f, 0x205f, 0x205f,
  0x3000, 0x3000, 0xfeff, 0xfeff,
];
const lineEnds = [10, 10, 13, 13, 0x2028, 0x2029];
const classes: Record<string, readonly number[]> = {
  d: digits, D: inverted(digits), w: word, W: inverted(word), s: blanks, S: inverted(blanks),
};
const controls: Record<string, number> = { n: 10, t: 9, r: 13, f: 12, v: 11 };
const properties = new Map<string, readonly number[]>();

/** The code points that have a property of Unicode, as the runtime knows it. */
function property(name: string): readonly number[] | undefined {
  let ranges = properties.get(name);
  if (ranges) return ranges;
  let pattern: RegExp;
  try { pattern = new RegExp(`^\\p{${name}}`, 'u'); } catch { return undefined; }
  const found: number[] = [];
  for (let point = 0; point <= maxCodePoint; point++) {
    if ((point >= 0xd800 && point <= 0xdfff) || !pattern.test(String.fromCodePoint(point))) continue;
    if (found.length > 0 && found[found.length - 1] === point - 1) found[found.length - 1] = point;
    else found.push(point, point);
  }
  properties.set(name, ranges = found);
  return ranges;
}

class Reader {
  private at = 0;
  private depth = 0;

  constructor(private readonly source: string, private readonly dotAll: boolean) {}

  read(): Item[][] {
    const options = this.options();
    if (this.at < this.source.length) this.fail(') without (', 'balanced groups');
    return options;
  }

  private fail(found: string, expected: string): never {
    throw refused('regular expression', `${found} at ${this.at} of ${this.source}`, expected, 'Write it without.');
  }

  private match(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.source) ?? undefined;
    if (found) this.at += found[0].length;
    return found;
  }

  private options(): Item[][] {
    if (++this.depth > limits.depth) throw tooLarge('regular expression', `groups ${this.depth} deep`);
    const options: Item[][] = [[]];
    while (this.at < this.source.length && this.source[this.at] !== ')') {
      if (this.match(/\|/y)) options.push([]);
      else options[options.length - 1]!.push(this.term());
    }
    this.depth--;
    return options;
  }

  private term(): Item {
    if (this.match(/\^/y)) return { kind: '^' };
    if (this.match(/\$/y)) return { kind: '$' };
    const atom = this.atom(), times = this.match(/[*+?]|\{(\d+)(,(\d*))?\}/y);
    if (!times) return atom;
    this.match(/\?/y); // lazy: the same texts
    const [sign, least, comma, most] = times;
    const [min, max] = sign === '*' ? [0, Infinity] : sign === '+' ? [1, Infinity] : sign === '?' ? [0, 1]
      : [Number(least), comma === undefined ? Number(least) : most === '' ? Infinity : Number(most)];
    if (max! < min!) this.fail('numbers out of order', 'the least first');
    return repeat(withoutAnchors(atom), min!, max);
  }

  private atom(): Item {
    if (this.match(/\((?!\?)|\(\?:|\(\?<[\p{L}_$][\p{L}\p{N}_$]*>/uy)) {
      const options = this.options();
      if (!this.match(/\)/y)) this.fail('no )', 'the end of the group');
      return { kind: 'group', options };
    }
    const ahead = this.match(/\(\?[=!]/y);
    if (ahead) {
      const options = this.options();
      if (!this.match(/\)/y)) this.fail('no )', 'the end of the look-ahead');
      return { kind: 'ahead', not: ahead[0] === '(?!', options };
    }
    if (this.source[this.at] === '(') this.fail('a look-behind or flags', 'plain groups and look-aheads');
    if (this.match(/\[/y)) return this.set();
    if (this.match(/\./y)) return set(...(this.dotAll ? [0, maxCodePoint] : inverted(lineEnds)));
    if (this.source[this.at] === '\\') {
      if (this.match(/\\(?=[bB])/y)) this.fail('a word boundary', 'none');
      if (this.match(/\\(?=[1-9]|k<)/y)) this.fail('a back-reference', 'none');
      return set(...this.escape());
    }
    if (this.match(/(?=[*+?])/y)) this.fail('nothing to repeat', 'something before it');
    if (this.match(/(?=\{\d+(,\d*)?\})/y)) this.fail('nothing to repeat', 'something before it');
    const point = this.point();
    return set(point, point);
  }

  private point(): number {
    const point = this.source.codePointAt(this.at)!;
    this.at += point > 0xffff ? 2 : 1;
    return point;
  }

  /** Behind a backslash: the characters that are meant. */
  private escape(): readonly number[] {
    this.at++;
    const is = (point: number): readonly number[] => [point, point];
    const fail = (): never => this.fail('an escape that is not known', 'one of JavaScript');
    const name = this.match(/([pP])\{([^}]*)\}/y);
    if (name) {
      const ranges = property(name[2]!) ?? this.fail(`property ${name[2]}`, 'one of Unicode');
      return name[1] === 'P' ? inverted(ranges) : ranges;
    }
    const pair = this.match(/u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})/y);
    if (pair) return is(String.fromCharCode(parseInt(pair[1]!, 16), parseInt(pair[2]!, 16)).codePointAt(0)!);
    const hex = this.match(/x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|u\{([0-9a-fA-F]+)\}/y);
    if (hex) {
      const point = parseInt(hex[1] ?? hex[2] ?? hex[3]!, 16);
      return point <= maxCodePoint ? is(point) : fail();
    }
    const control = this.match(/c([a-zA-Z])/y);
    if (control) return is(control[1]!.charCodeAt(0) & 31);
    if (this.match(/0(?!\d)/y)) return is(0);
    const char = this.match(/./sy)?.[0] ?? fail();
    if (classes[char]) return classes[char];
    if (controls[char] !== undefined) return is(controls[char]);
    return /[a-zA-Z0-9]/.test(char) ? fail() : is(char.codePointAt(0)!);
  }

  private set(): Expr {
    const not = this.match(/\^/y), ranges: number[] = [];
    const one = (): readonly number[] => {
      if (this.match(/\\b/y)) return [8, 8];
      if (this.source[this.at] === '\\') return this.escape();
      const point = this.point();
      return [point, point];
    };
    while (!this.match(/\]/y)) {
      if (this.at >= this.source.length) this.fail('no ]', 'the end of the set');
      const first = one();
      if (first.length !== 2 || first[0] !== first[1] || !this.match(/-(?!\])/y)) { ranges.push(...first); continue; }
      const last = one();
      if (last.length !== 2 || last[0] !== last[1]) { ranges.push(...first, 0x2d, 0x2d, ...last); continue; }
      if (last[0]! < first[0]!) this.fail('a range out of order', 'the first character first');
      ranges.push(first[0]!, last[0]!);
    }
    return set(...(not ? inverted(ranges) : joined(ranges)));
  }
}

function withoutAnchors(item: Item): Expr {
  if (item.kind === '^' || item.kind === '$') {
    throw refused('regular expression', `${item.kind} within it`, 'anchors at its beginning and end', 'Write it without.');
  }
  if (item.kind === 'ahead') {
    throw refused('regular expression', 'a look-ahead in a repetition or another one', 'look-arounds that are look-aheads beside neither',
      'Write it without.');
  }
  return item.kind === 'group' ? alt(...item.options.map((items) => seq(...items.map(withoutAnchors)))) : item;
}

const anything = repeat(set(0, maxCodePoint), 0);

const looksAhead = (items: readonly Item[]): boolean =>
  items.some((item) => item.kind === 'ahead' || (item.kind === 'group' && item.options.some(looksAhead)));

/** Where the anchors at the end begin. */
function endOf(items: readonly Item[]): number {
  let end = items.length;
  while (items[end - 1]?.kind === '$') end--;
  return end;
}

/** Items, and after them `rest`, which is all that follows: look-aheads say of it what they say of the text. */
function followed(items: readonly Item[], rest: Expr): Expr {
  return looksAhead(items) ? items.reduceRight<Expr>((tail, item) => {
    if (item.kind === 'group' && looksAhead([item])) return alt(...item.options.map((option) => followed(option, tail)));
    if (item.kind !== 'ahead') return seq(withoutAnchors(item), tail);
    const seen = alt(...item.options.map((option) => {
      const end = endOf(option);
      return seq(...option.slice(0, end).map(withoutAnchors), end < option.length ? empty : anything);
    }));
    return item.not ? minus(tail, seen) : and(tail, seen);
  }, rest) : seq(...items.map(withoutAnchors), rest);
}

/** What the expression matches as a whole; `search`: what it is found in. */
function whole(options: readonly Item[][], search: boolean): Expr {
  const any = search ? anything : empty;
  return alt(...options.map((items) => {
    const [only] = items;
    if (items.length === 1 && only?.kind === 'group') return whole(only.options, search);
    let first = 0;
    while (items[first]?.kind === '^') first++;
    const last = Math.max(first, endOf(items));
    return seq(first > 0 ? empty : any, followed(items.slice(first, last), last < items.length ? empty : any));
  }));
}

/**
 * @param search as JSON schemas mean it: found somewhere unless it is anchored
 * @throws InputError `E_OPTION` for look-behind, look-aheads in repetitions, back-references, word boundaries, anchors in the middle, wrong
 * syntax
 */
export function readRegex(pattern: string | RegExp, search = false): Expr {
  const { source, flags } = pattern instanceof RegExp ? pattern : { source: pattern, flags: '' };
  const unknown = flags.replace(/[dgsuy]/g, '');
  if (typeof source !== 'string' || unknown !== '') {
    const found = typeof source === 'string' ? `flags ${unknown}` : typeof pattern;
    throw refused('regular expression', found, 'a text, or a RegExp without them', 'Write it without.');
  }
  if (source.length > limits.text) throw tooLarge('regular expression', `${source.length} characters`);
  return whole(new Reader(source, flags.includes('s')).read(), search);
}
