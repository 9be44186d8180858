/** Grammars in GBNF, as llama.cpp reads them (grammars/README.md there). */
import {
  alt, inverted, joined, limits, maxCodePoint, refused, repeat, rule, seq, set, text, tooLarge, type Expr, type Grammar,
} from './expr.ts';

const escapes: Record<string, string> = { t: '\t', r: '\r', n: '\n', '\\': '\\', '"': '"', '[': '[', ']': ']', '-': '-' };
const hexDigits: Record<string, number> = { x: 2, u: 4, U: 8 };
/** Repetitions above which llama.cpp takes a limit for none, and refuses a least number. */
const mostRepeats = 2000;

class Reader {
  private at = 0;
  private readonly indices = new Map<string, number>();
  private readonly rules: { name: string; expr: Expr | undefined }[] = [];
  private depth = 0;

  constructor(private readonly source: string) {}

  read(): Grammar {
    this.indexOf('root');
    this.space(true);
    while (this.at < this.source.length) this.rule();
    const defined = this.rules.map(({ name, expr }) => {
      if (!expr) throw refused('GBNF grammar', `no rule ${JSON.stringify(name)}`, 'a definition of it', 'Define it, or correct its name.');
      return { name, expr };
    });
    return { rules: defined };
  }

  private indexOf(name: string): number {
    let index = this.indices.get(name);
    if (index === undefined) this.indices.set(name, index = this.rules.push({ name, expr: undefined }) - 1);
    return index;
  }

  private fail(expected: string): never {
    const line = this.source.slice(0, this.at).split('\n').length, rest = this.source.slice(this.at, this.at + 20);
    throw refused(`GBNF grammar, line ${line}`, rest === '' ? 'its end' : JSON.stringify(rest), expected, 'Correct the grammar.');
  }

  private is(char: string): boolean {
    if (this.source[this.at] !== char) return false;
    this.at++;
    return true;
  }

  private match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.source)?.[0];
    if (found !== undefined) this.at += found.length;
    return found;
  }

  private space(lines: boolean): void {
    this.match(lines ? /(?:[ \t\r\n]|#[^\r\n]*)*/y : /(?:[ \t]|#[^\r\n]*)*/y);
  }

  private rule(): void {
    const name = this.match(/[a-zA-Z0-9-]+/y) ?? this.fail('the name of a rule');
    this.space(false);
    if (this.match(/::=/y) === undefined) this.fail('::=');
    this.space(true);
    const index = this.indexOf(name);
    this.rules[index]!.expr = this.alternatives(false); // the last definition holds
    if (this.at < this.source.length && this.match(/\r\n?|\n/y) === undefined) this.fail('the end of the line');
    this.space(true);
  }

  private alternatives(nested: boolean): Expr {
    if (++this.depth > limits.depth) throw tooLarge('GBNF grammar', `groups ${this.depth} deep`);
    const parts = [this.sequence(nested)];
    while (this.is('|')) {
      this.space(true);
      parts.push(this.sequence(nested));
    }
    this.depth--;
    return alt(...parts);
  }

  private sequence(nested: boolean): Expr {
    const parts: Expr[] = [];
    const times = (min: number, max: number): void => {
      const last = parts.pop() ?? this.fail('something before it that is repeated');
      parts.push(repeat(last, min, max));
    };
    for (;;) {
      const part = this.item();
      if (part) parts.push(part);
      else if (this.is('*')) times(0, Infinity);
      else if (this.is('+')) times(1, Infinity);
      else if (this.is('?')) times(0, 1);
      else if (this.is('{')) times(...this.counts(nested));
      else return seq(...parts);
      this.space(nested);
    }
  }

  private counts(nested: boolean): [number, number] {
    this.space(nested);
    const min = Number(this.match(/\d+/y) ?? this.fail('a number'));
    let max = min;
    this.space(nested);
    if (this.is(',')) {
      this.space(nested);
      max = Number(this.match(/\d+/y) ?? Infinity);
      this.space(nested);
    }
    if (!this.is('}')) this.fail('}');
    if (min > mostRepeats) throw tooLarge('GBNF grammar', `a repetition of at least ${min}, more than ${mostRepeats}`);
    if (max < min) this.fail('a largest number that is not below the least');
    return [min, max > mostRepeats ? Infinity : max];
  }

  private item(): Expr | undefined {
    if (this.is('"')) {
      let chars = '';
      while (!this.is('"')) chars += String.fromCodePoint(this.char());
      return text(chars);
    }
    if (this.is('[')) return this.set();
    if (this.is('.')) return set(0, maxCodePoint);
    if (this.is('(')) {
      this.space(true);
      const inner = this.alternatives(true);
      if (!this.is(')')) this.fail(')');
      return inner;
    }
    if (/[<!]/.test(this.source[this.at] ?? '')) this.fail('text: elements of single tokens (<think>, <[1000]>) are not supported');
    const name = this.match(/[a-zA-Z0-9-]+/y);
    return name === undefined ? undefined : rule(this.indexOf(name));
  }

  private set(): Expr {
    const not = this.is('^'), ranges: number[] = [];
    while (!this.is(']')) {
      const first = this.char(), isRange = this.source[this.at] === '-' && this.source[this.at + 1] !== ']';
      if (isRange) this.at++;
      const last = isRange ? this.char() : first;
      if (last >= first) ranges.push(first, last);
    }
    return set(...(not ? inverted(ranges) : joined(ranges)));
  }

  private char(): number {
    if (this.at >= this.source.length) this.fail('the rest of the text or set');
    const point = this.source.codePointAt(this.at)!;
    if (point !== 0x5c) {
      this.at += point > 0xffff ? 2 : 1;
      return point;
    }
    const kind = this.source[this.at + 1] ?? '', digits = hexDigits[kind];
    if (digits === undefined) {
      const plain = escapes[kind] ?? this.fail('one of the escapes \\x \\u \\U \\t \\r \\n \\\\ \\" \\[ \\] \\-');
      this.at += 2;
      return plain.codePointAt(0)!;
    }
    const hex = this.source.slice(this.at + 2, this.at + 2 + digits), value = parseInt(hex, 16);
    const isHex = /^[0-9a-fA-F]+$/.test(hex) && hex.length === digits;
    if (!isHex || value > maxCodePoint) this.fail(`${digits} hexadecimal digits of a code point`);
    this.at += 2 + digits;
    return value;
  }
}

/** @throws InputError `E_OPTION` */
export function readGbnf(source: string): Grammar {
  if (typeof source !== 'string') throw refused('GBNF grammar', typeof source, 'a text', 'Pass the grammar itself.');
  if (source.length > limits.text) throw tooLarge('GBNF grammar', `${source.length} characters`);
  return new Reader(source).read();
}
