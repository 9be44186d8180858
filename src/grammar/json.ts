/** The pieces that JSON is written with: white space, strings, numbers, any value. Digits and white space end, as with llama.cpp. */
import {
  alt, common, empty, inverted, joined, maxCodePoint, never, optional, repeat, seq, set, text, type Expr, type Grammar, type Rule,
} from './expr.ts';

const range = (first: string, last = first): Expr => set(first.charCodeAt(0), last.charCodeAt(0));
export const digit = range('0', '9');
const hex = set(0x30, 0x39, 0x41, 0x46, 0x61, 0x66);

/** Between tokens: none, a blank, or a line break and what indents the next line. */
const space = alt(empty, text(' '), seq(repeat(text('\n'), 1, 2), repeat(set(9, 9, 0x20, 0x20), 0, 20)));

/** Characters of strings that need no escape. */
const plainRanges = inverted([0, 0x1f, 0x22, 0x22, 0x5c, 0x5c]);
/** As JSON.stringify writes them, one way for each character: with a letter, or by a number below 0x20. */
const letters = new Map<number, string>([[8, 'b'], [9, 't'], [10, 'n'], [12, 'f'], [13, 'r'], [0x22, '"'], [0x5c, '\\']]);

function encodeSet(ranges: readonly number[]): Expr {
  const wanted = Array.from({ length: 0x5d }, (_, code) => code).filter((code) => code < 0x20 || letters.has(code))
    .filter((code) => ranges.some((first, i) => i % 2 === 0 && first <= code && code <= ranges[i + 1]!));
  const named = wanted.filter((code) => letters.has(code)).map((code) => letters.get(code)!.charCodeAt(0));
  const numbered = ['0', '1'].map((high, i) => {
    const low = wanted.filter((code) => code >> 4 === i && !letters.has(code)).map((code) => (code & 15).toString(16).charCodeAt(0));
    return low.length === 0 ? never : seq(text(high), set(...joined(low.flatMap((code) => [code, code]))));
  }).filter((part) => part !== never);
  const behind = named.length > 0 ? [set(...joined(named.flatMap((code) => [code, code])))] : [];
  if (numbered.length > 0) behind.push(seq(text('u00'), alt(...numbered)));
  return behind.length === 0 ? set(...ranges) : alt(set(...common(ranges, plainRanges)), seq(text('\\'), alt(...behind)));
}

/** An expression over the characters of a string as one over how JSON writes them. */
export function encoded(expr: Expr): Expr {
  switch (expr.kind) {
    case 'set': return encodeSet(expr.ranges);
    case 'seq': case 'alt': return { kind: expr.kind, parts: expr.parts.map(encoded) };
    case 'repeat': return { ...expr, of: encoded(expr.of) };
    case 'and': case 'minus': return { ...expr, left: encoded(expr.left), right: encoded(expr.right) };
    case 'rule': return expr;
  }
}

/** Any character, as strings hold it whose characters are counted or compared. */
export const anyChar = encodeSet([0, maxCodePoint]);

/** `D`, and what follows: a surrogate, or a character before them. */
const surrogate = (of: Expr): Expr => seq(set(0x44, 0x44, 0x64, 0x64), of, repeat(hex, 2, 2));
/** Four digits, or a pair of surrogates. */
const unit = alt(
  seq(set(0x30, 0x39, 0x41, 0x43, 0x45, 0x46, 0x61, 0x63, 0x65, 0x66), repeat(hex, 3, 3)), surrogate(range('0', '7')),
  seq(surrogate(set(0x38, 0x39, 0x41, 0x42, 0x61, 0x62)), text('\\u'), surrogate(set(0x43, 0x46, 0x63, 0x66))),
);
/** What a free string is made of: as llama.cpp has it, but half a pair of surrogates is no character. */
const freeChar = alt(
  set(...common(plainRanges, inverted([0x7f, 0x7f]))), seq(text('\\'), alt(...Array.from('"\\bfnrt', text), seq(text('u'), unit))),
);
const freeString = seq(text('"'), repeat(freeChar, 0), text('"'));

const sign = optional(text('-'));
const integralPart = alt(text('0'), seq(range('1', '9'), repeat(digit, 0, 15)));
/** Of two digits: with more it might be Infinity. */
const exponent = seq(set(0x45, 0x45, 0x65, 0x65), optional(set(0x2b, 0x2b, 0x2d, 0x2d)), repeat(digit, 1, 2));
export const integer = seq(sign, integralPart);
export const number = seq(sign, integralPart, optional(seq(text('.'), repeat(digit, 1, 16))), optional(exponent));
export const boolean = alt(text('true'), text('false'));
export const nothing = text('null');

/** Rules under construction; those of JSON itself are made when they are first asked for. */
export class JsonRules {
  readonly rules: (Rule | undefined)[] = [undefined]; // 0: the document
  private readonly named = new Map<string, number>();

  /** A rule that is known by its name before it is made, so that it can call itself. */
  rule(name: string, make: () => Expr, inline?: boolean): Expr {
    let index = this.named.get(name);
    if (index === undefined) {
      this.named.set(name, index = this.rules.push(undefined) - 1);
      this.rules[index] = { name, expr: make(), ...(inline === undefined ? {} : { inline }) };
    }
    return { kind: 'rule', rule: index };
  }

  finish(document: Expr): Grammar {
    this.rules[0] = { name: 'document', expr: document };
    return { rules: this.rules as Rule[] };
  }

  get space(): Expr { return this.rule(' space', () => space, false); }
  get string(): Expr { return this.rule(' string', () => freeString, false); }

  /** Any value. */
  get value(): Expr {
    return this.rule(' value', () => alt(
      this.list('{', '}', this.member(this.string, this.value)), this.list('[', ']', this.value), this.string, number, boolean, nothing,
    ), false);
  }

  member(key: Expr, value: Expr): Expr { return seq(key, text(':'), this.space, value); }

  /** What is between the brackets, with a comma and white space before each but the first. */
  between(open: string, inner: Expr, close: string): Expr { return seq(text(open), this.space, inner, this.space, text(close)); }

  comma(item: Expr): Expr { return seq(text(','), this.space, item); }

  list(open: string, close: string, item: Expr, min = 0, max = Infinity): Expr {
    if (max < Math.max(1, min)) return max < min ? alt(...[]) : this.between(open, empty, close);
    const some = seq(item, repeat(this.comma(item), Math.max(0, min - 1), max - 1));
    return this.between(open, min === 0 ? optional(some) : some, close);
  }
}

/** Any JSON value. */
export function anyJson(): Grammar {
  const rules = new JsonRules();
  return rules.finish(rules.value);
}
