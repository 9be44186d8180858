/** Strings: lengths, patterns and formats. */
import { and, limits, repeat, seq, text, tooLarge, type Expr } from './expr.ts';
import { formats } from './formats.ts';
import { anyChar, encoded } from './json.ts';
import type { SchemaObject } from './merge.ts';
import { readRegex } from './regex.ts';
import type { Reading } from './reading.ts';

const quote = text('"');
/** Strings are counted in blocks of so many characters, which are rules of their own: long ones in large blocks. */
const blocks = [32, 128] as const, largest = blocks[1];

function counted(reader: Reading, count: number): readonly [block: Expr, size: number] {
  const size = count < 4096 ? blocks[0] : largest;
  return [reader.json.rule(` block ${size}`, () => repeat(anyChar, size, size), false), size];
}

function exactly(reader: Reading, count: number): Expr {
  if (count < 2 * blocks[0]) return repeat(anyChar, count, count);
  const [block, size] = counted(reader, count), most = Math.floor(count / size);
  return seq(repeat(block, most, most), repeat(anyChar, count % size, count % size));
}

function upTo(reader: Reading, count: number): Expr {
  if (count < 2 * blocks[0]) return repeat(anyChar, 0, count);
  const [block, size] = counted(reader, count), most = Math.floor(count / size);
  return { kind: 'alt', parts: [
    seq(repeat(block, 0, most - 1), repeat(anyChar, 0, size - 1)), seq(repeat(block, most, most), repeat(anyChar, 0, count % size)),
  ] };
}

/** The characters of a string between its quotes, by what the schema says; undefined where it says nothing. */
export function contentExpr(reader: Reading, schema: SchemaObject, at: string): Expr | undefined {
  const { pattern, format } = schema;
  const min = reader.limit(schema, 'minLength', at) ?? 0, max = reader.limit(schema, 'maxLength', at) ?? Infinity;
  const parts: Expr[] = [];
  if (format !== undefined) {
    const known = typeof format === 'string' && Object.hasOwn(formats, format) ? formats[format] : undefined;
    if (known !== undefined) parts.push(encoded(readRegex(known)));
    else if (pattern === undefined) { // beside a pattern it only names it, as libraries do
      reader.fail(`${at}/format`, JSON.stringify(format), `one of ${Object.keys(formats).join(', ')}`, 'Leave it out, or write a pattern.');
    }
  }
  if (pattern !== undefined) {
    if (typeof pattern !== 'string') reader.fail(`${at}/pattern`, typeof pattern, 'a text');
    parts.push(encoded(readRegex(pattern as string, true)));
  }
  const most = limits.repeats * largest;
  if (min > most || (max !== Infinity && max > most)) throw tooLarge(`JSON schema at ${at || '/'}`, `a length of ${Math.max(min, max)}`);
  if (min > 0 || max !== Infinity) {
    if (max < min) return { kind: 'alt', parts: [] };
    // what is compared calls no rules
    if (parts.length > 0) parts.push(seq(repeat(anyChar, min, min), repeat(anyChar, 0, max - min)));
    else parts.push(seq(exactly(reader, min), max === Infinity ? repeat(anyChar, 0) : upTo(reader, max - min)));
  }
  return parts.length === 0 ? undefined : parts.reduce(and);
}

export function stringExpr(reader: Reading, schema: SchemaObject, at: string): Expr {
  const content = contentExpr(reader, schema, at);
  return content ? seq(quote, content, quote) : reader.json.string;
}
