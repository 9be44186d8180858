/**
 * Source → tokens, with the whitespace rules of `trim_blocks` and `lstrip_blocks`: the newline behind a tag goes, and so do the blanks
 * before one that begins its line. `-` strips everything, `+` nothing.
 */
import { mistake, unsupported } from './fault.ts';

export interface Token {
  readonly type: 'data' | 'output' | 'output end' | 'tag' | 'tag end' | 'name' | 'string' | 'integer' | 'float' | 'operator' | 'end';
  readonly text: string;
  readonly line: number;
}

const opening = /\{%([-+]?)\s*raw\s*(?:-%\}\s*|%\})|\{([%#{])([-+]?)/g;
const rawEnd = /\{%([-+]?)\s*endraw\s*(?:\+%\}|-%\}\s*|%\}\n?)/g;
const commentEnd = /\+#\}|-#\}\s*|#\}\n?/g;
const tagEnd = /\+%\}|-%\}\s*|%\}\n?/y, outputEnd = /-\}\}\s*|\}\}/y;
const inside: readonly (readonly [Token['type'] | 'blank', RegExp])[] = [
  ['blank', /\s+/y],
  ['float', /(?<!\.)(?:\d+_)*\d+(?:(?:\.(?:\d+_)*\d+)?e[+-]?(?:\d+_)*\d+|\.(?:\d+_)*\d+)/iy],
  ['integer', /0b(?:_?[01])+|0o(?:_?[0-7])+|0x(?:_?[\da-f])+|[1-9](?:_?\d)*|0(?:_?0)*/iy],
  ['name', /[\p{L}\p{N}_][\p{L}\p{N}\p{M}_]*/uy],
  ['string', /'(?:[^'\\]|\\[\s\S])*'|"(?:[^"\\]|\\[\s\S])*"/y],
  ['operator', /\/\/|\*\*|==|!=|>=|<=|[-+/*%~[\](){}><=.:|,;]/y],
];
const closing: Readonly<Record<string, string>> = { '(': ')', '[': ']', '{': '}' };

export function tokenize(template: string): Token[] {
  const source = template.replace(/\r\n?/g, '\n').replace(/\n$/, '');
  const tokens: Token[] = [];
  let at = 0, line = 1, lineBegins = true;

  const match = (expression: RegExp): RegExpExecArray | null => {
    expression.lastIndex = at;
    return expression.exec(source);
  };
  const advance = (to: number): void => {
    for (let i = source.indexOf('\n', at); i >= 0 && i < to; i = source.indexOf('\n', i + 1)) line++;
    at = to;
  };
  const push = (type: Token['type'], text: string): void => { tokens.push({ type, text, line }); };
  /** Text before a tag, stripped as the tag's sign says. */
  const data = (text: string, sign: string | undefined, isOutput: boolean): void => {
    let kept = text;
    if (sign === '-') kept = text.trimEnd();
    else if (sign !== '+' && !isOutput) {
      const begin = text.lastIndexOf('\n') + 1;
      if ((begin > 0 || lineBegins) && /^\s+$/.test(text.slice(begin))) kept = text.slice(0, begin);
    }
    if (kept !== '') push('data', kept);
  };
  /** What lies between a tag's two ends. */
  const tag = (end: RegExp): void => {
    const open: string[] = [];
    for (;;) {
      const ended = open.length === 0 ? match(end) : null;
      if (ended) {
        push(end === tagEnd ? 'tag end' : 'output end', ended[0]);
        lineBegins = ended[0].endsWith('\n');
        return advance(end.lastIndex);
      }
      let length = 0;
      for (const [type, expression] of inside) {
        const found = match(expression);
        if (!found) continue;
        const [text] = found;
        length = text.length;
        if (type === 'blank') break;
        if (type === 'operator') {
          if (closing[text]) open.push(closing[text]);
          else if ((text === ')' || text === ']' || text === '}') && open.pop() !== text) throw mistake(`unexpected '${text}'`, line);
        }
        push(type, text);
        break;
      }
      if (length === 0) {
        throw mistake(at < source.length ? `unexpected character ${JSON.stringify(source[at])}` : 'the template ends inside a tag', line);
      }
      advance(at + length);
    }
  };

  while (at < source.length) {
    const found = match(opening);
    if (!found) {
      push('data', source.slice(at));
      break;
    }
    const [whole, rawSign, kind, sign] = found;
    data(source.slice(at, found.index), rawSign ?? sign, kind === '{');
    advance(found.index + whole.length);
    lineBegins = whole.endsWith('\n');
    if (kind === undefined) {
      if (at === source.length) break;
      const end = match(rawEnd);
      if (!end) throw mistake('missing end of raw directive', line);
      data(source.slice(at, end.index), end[1], false);
      advance(rawEnd.lastIndex);
      lineBegins = end[0].endsWith('\n');
    } else if (kind === '#') {
      const end = match(commentEnd);
      if (!end) throw mistake('missing end of comment tag', line);
      advance(commentEnd.lastIndex);
      lineBegins = end[0].endsWith('\n');
    } else {
      push(kind === '%' ? 'tag' : 'output', whole);
      tag(kind === '%' ? tagEnd : outputEnd);
    }
  }
  push('end', '');
  return tokens;
}

const simple: Readonly<Record<string, string>> = {
  n: '\n', t: '\t', r: '\r', b: '\b', f: '\f', v: '\v', a: '\x07', "'": "'", '"': '"', '\\': '\\', '\n': '',
};
const escapes = /\\(?:x([\da-fA-F]{2})|u([\da-fA-F]{4})|U([\da-fA-F]{8})|([0-7]{1,3})|([\s\S]))/g;

/** The text that a string literal stands for, by Python's escapes; an unknown escape keeps its backslash. */
export function unquote(literal: string, line: number): string {
  return literal.slice(1, -1).replace(escapes, (whole, ...groups: (string | undefined)[]) => {
    const [x, u, U, octal, other] = groups;
    if (other === 'N') throw unsupported('a character by its name, \\N{…}', line);
    const hex = x ?? u ?? U, code = hex !== undefined ? parseInt(hex, 16) : octal !== undefined ? parseInt(octal, 8) : -1;
    if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000) || (other !== undefined && 'xuU'.includes(other))) {
      throw mistake(`the escape ${whole} in a string`, line);
    }
    return code >= 0 ? String.fromCodePoint(code) : simple[other!] ?? whole;
  });
}
