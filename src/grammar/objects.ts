/** Objects: named properties in the order of the schema, then others where they are allowed. */
import { alt, and, empty, minus, never, optional, repeat, seq, set, text, type Expr } from './expr.ts';
import { anyChar, encoded } from './json.ts';
import { matcher } from './matcher.ts';
import { fitsPattern, isAnnotation, isObject, type SchemaObject } from './merge.ts';
import { readRegex } from './regex.ts';
import type { Reading } from './reading.ts';
import { contentExpr } from './strings.ts';

const quote = text('"');

const ofNames = ['pattern', 'format', 'minLength', 'maxLength'];

/** Names that properties may have, between their quotes; undefined: any. */
function allowedNames(reader: Reading, given: unknown, at: string): Expr | undefined {
  if (given === undefined || given === true) return undefined;
  if (given === false) return never;
  if (!isObject(given)) return reader.fail(at, typeof given, 'a schema of strings');
  const { type = 'string', enum: values, const: only, ...rest } = given, parts: Expr[] = [];
  const said = Object.keys(rest).filter((keyword) => !isAnnotation(keyword)), strange = said.find((keyword) => !ofNames.includes(keyword));
  if (strange !== undefined) reader.fail(`${at}/${strange}`, `keyword ${strange}`, `any of type, enum, const, ${ofNames.join(', ')}`);
  if (![type].flat().includes('string')) return never;
  if (values !== undefined && !Array.isArray(values)) reader.fail(`${at}/enum`, typeof values, 'a list');
  for (const list of [values, only === undefined ? undefined : [only]] as (unknown[] | undefined)[]) {
    if (list) parts.push(alt(...list.filter((one) => typeof one === 'string').map((one) => text(JSON.stringify(one).slice(1, -1)))));
  }
  if (said.length > 0) parts.push(contentExpr(reader, { pattern: '', ...rest }, at)!); // what is compared calls no rules
  return parts.length === 0 ? undefined : parts.reduce(and);
}

/** Members with other names than those of `properties`; `allowed`: as {@link allowedNames}. */
function otherMembers(
  reader: Reading, schema: SchemaObject, names: readonly string[], allowed: Expr | undefined, at: string,
): Expr | undefined {
  const { json } = reader, { additionalProperties, patternProperties = {} } = schema;
  if (!isObject(patternProperties)) return reader.fail(`${at}/patternProperties`, typeof patternProperties, 'schemas by patterns');
  const named = names.map((name) => text(JSON.stringify(name).slice(1, -1)));
  const patterns = Object.keys(patternProperties).map((pattern) => encoded(readRegex(pattern, true)));
  const without = (keys: Expr, others: readonly Expr[]): Expr => {
    const all = allowed ? and(keys, allowed) : keys;
    return others.length === 0 ? all : minus(all, alt(...others));
  };
  const members = Object.entries(patternProperties).map(([pattern, of], i) => {
    const key = without(patterns[i]!, [...named, ...patterns.filter((_, j) => j !== i)]);
    return json.member(seq(quote, key, quote), reader.value(of, `${at}/patternProperties/${pattern}`));
  });
  // what has named properties is closed unless it says otherwise
  const open = additionalProperties ?? (names.length + patterns.length === 0 && schema.unevaluatedProperties === undefined);
  if (open !== false) {
    const taken = [...named, ...patterns];
    const key = taken.length === 0 && !allowed ? json.string : seq(quote, without(repeat(anyChar, 0), taken), quote);
    members.push(json.member(key, reader.value(open, `${at}/additionalProperties`)));
  }
  return members.length === 0 ? undefined : alt(...members);
}

export function objectExpr(reader: Reading, schema: SchemaObject, at: string): Expr {
  const { json } = reader, { required = [], additionalProperties, unevaluatedProperties } = schema, given = schema.properties ?? {};
  if (!isObject(given)) return reader.fail(`${at}/properties`, typeof given, 'schemas by names');
  if (!Array.isArray(required) || required.some((name) => typeof name !== 'string')) {
    return reader.fail(`${at}/required`, 'no list of names', 'one');
  }
  if (unevaluatedProperties !== undefined && unevaluatedProperties !== false) {
    reader.fail(`${at}/unevaluatedProperties`, 'a schema', 'false', 'Write additionalProperties.');
  }
  const needed = new Set(required as string[]), names = Object.keys(given);
  const properties = new Map(names.map((name) => [name, given[name]]));
  const patterns = Object.entries(isObject(schema.patternProperties) ? schema.patternProperties : {});
  const allowed = allowedNames(reader, schema.propertyNames, `${at}/propertyNames`);
  // a grammar has some text at least: one that no name is
  const fits = allowed && matcher({ rules: [{ name: 'names', expr: alt(allowed, set(0, 0)) }] });
  const isAllowed = (name: string): boolean => !fits || fits(JSON.stringify(name).slice(1, -1));
  for (const name of new Set([...names, ...needed])) {
    const matching = patterns.filter(([pattern]) => fitsPattern(pattern, name)).map(([, of]) => of);
    const own = properties.has(name) ? [properties.get(name)] : matching.length > 0 ? [] : [additionalProperties ?? true];
    const all = [...own, ...matching];
    properties.set(name, isAllowed(name) ? all.length === 1 ? all[0] : { allOf: all } : false);
  }
  const others = otherMembers(reader, schema, [...properties.keys()], allowed, at);
  const least = reader.limit(schema, 'minProperties', at) ?? 0, most = reader.limit(schema, 'maxProperties', at) ?? Infinity;
  if (least > Math.max(1, needed.size)) {
    reader.fail(`${at}/minProperties`, String(least), `at most ${Math.max(1, needed.size)}`, 'Name the properties as required.');
  }
  if (most < (others ? Infinity : properties.size) && properties.size > 0) {
    reader.fail(`${at}/maxProperties`, String(most), 'none beside named properties, or one that they cannot exceed', 'Leave it out.');
  }
  if (most < least) return never;
  // from the end: what may follow where nothing came before, and where something did
  let following = others ? repeat(json.comma(others), 0, most === Infinity ? most : Math.max(0, most - 1)) : empty;
  let opening = others && most > 0 ? seq(others, following) : never;
  if (least === 0 && needed.size === 0) opening = optional(opening);
  for (const [name, of] of [...properties].reverse()) {
    const member = json.member(text(JSON.stringify(name)), reader.value(of, `${at}/properties/${name}`));
    const here = seq(member, following), next = seq(json.comma(member), following);
    opening = needed.has(name) ? here : alt(here, opening);
    following = needed.has(name) ? next : alt(next, following);
  }
  return json.between('{', opening, '}');
}
