/**
 * JSON schemas as grammars: what OpenAI's structured outputs and llama.cpp's converter accept, and more. Whatever the grammar allows is
 * valid; of what is valid it may allow less: keys come in the order of the schema, objects with named properties and tuples are closed
 * unless the schema opens them. A keyword that is not understood is refused.
 */
import { show } from '../options.ts';
import { arrayExpr } from './arrays.ts';
import { disjoint, tagged } from './disjoint.ts';
import { alt, limits, never, refused, text, tooLarge, type Expr, type Grammar } from './expr.ts';
import { boolean, JsonRules, nothing } from './json.ts';
import { matcher } from './matcher.ts';
import { isAnnotation, isObject, merge, type Schema, type SchemaObject } from './merge.ts';
import { integersIn, numbersIn, type Bound } from './numbers.ts';
import { objectExpr } from './objects.ts';
import type { Reading } from './reading.ts';
import { stringExpr } from './strings.ts';

const types = ['object', 'array', 'string', 'number', 'integer', 'boolean', 'null'] as const;
type TypeName = typeof types[number];

/** Which types a keyword speaks of: without `type` a schema is of those that its keywords speak of, as llama.cpp takes it. */
const speaksOf: Readonly<Record<string, TypeName>> = {
  properties: 'object', required: 'object', additionalProperties: 'object', patternProperties: 'object', minProperties: 'object',
  maxProperties: 'object', unevaluatedProperties: 'object', propertyNames: 'object',
  items: 'array', prefixItems: 'array', additionalItems: 'array', minItems: 'array', maxItems: 'array', uniqueItems: 'array',
  unevaluatedItems: 'array',
  minLength: 'string', maxLength: 'string', pattern: 'string', format: 'string',
  minimum: 'number', maximum: 'number', exclusiveMinimum: 'number', exclusiveMaximum: 'number', multipleOf: 'number',
};
const others = ['type', 'enum', 'const', 'anyOf', 'oneOf', 'allOf', '$ref', 'nullable'];
/** Limits of a schema: schemas in it (with what is made of them), and how deep they lie. */
const mostSchemas = 20_000, deepest = 100, mostWritten = 8 << 20;
/** Schemas of `oneOf`, and of their properties, that are looked at to compare them: about a second. */
const mostCompared = 2_000_000;

class SchemaReader implements Reading {
  readonly json = new JsonRules();
  private count = 0;
  private depth = 0;
  private written = 0;
  private compared = 0;

  constructor(private readonly document: Schema) {}

  read(): Grammar {
    return this.json.finish(this.value(this.document, ''));
  }

  fail(at: string, found: string, expected: string, remedy = 'Change the schema.'): never {
    throw refused(`JSON schema at ${at || '/'}`, found, expected, remedy);
  }

  /** The values that a schema allows. Equal schemas share a rule, and may hold themselves. */
  value(schema: unknown, at: string): Expr {
    if (schema === true) return this.json.value;
    if (schema === false) return never;
    if (!isObject(schema)) return this.fail(at, Array.isArray(schema) ? 'an array' : String(schema), 'an object or a boolean');
    if (++this.count > mostSchemas) throw tooLarge(`JSON schema at ${at || '/'}`, `more than ${mostSchemas} schemas`);
    const said = Object.fromEntries(Object.entries(schema).filter(([keyword, value]) => !isAnnotation(keyword) && value !== undefined));
    const keywords = Object.keys(said);
    if (keywords.length === 0) return this.json.value;
    if (said.not === true || (isObject(said.not) && Object.keys(said.not).length === 0)) return never;
    if (keywords.length === 1 && said.$ref !== undefined) return this.value(this.resolved(said, at), String(said.$ref).slice(1));
    const key = JSON.stringify(said);
    if ((this.written += key.length) > mostWritten) throw tooLarge(`JSON schema at ${at || '/'}`, 'schemas that grow as they are merged');
    return this.json.rule(key, () => {
      if (++this.depth > deepest) throw tooLarge(`JSON schema at ${at || '/'}`, `schemas ${deepest} deep, or ones that grow`);
      const expr = this.combined(said, at);
      this.depth--;
      return expr;
    });
  }

  /** What `$ref` names. */
  target(ref: unknown, at: string): [Schema, string] {
    const [, pointer] = /^#((?:\/.*)?)$/s.exec(String(ref))
      ?? this.fail(at, `$ref ${JSON.stringify(ref)}`, 'a reference into this schema: #, #/$defs/name', 'Put what it names into $defs.');
    let found: unknown = this.document;
    for (const part of pointer!.split('/').slice(1)) {
      const key = decoded(part).replaceAll('~1', '/').replaceAll('~0', '~');
      found = (isObject(found) || Array.isArray(found)) && Object.hasOwn(found, key) ? (found as SchemaObject)[key] : undefined;
    }
    if (!isObject(found) && typeof found !== 'boolean') this.fail(at, `$ref ${JSON.stringify(ref)}, where there is no schema`, 'one');
    return [found as Schema, pointer!];
  }

  private combined(schema: SchemaObject, at: string): Expr {
    const { $ref, allOf } = schema;
    if ($ref !== undefined) return this.value(merge({ ...schema, $ref: undefined }, this.target($ref, at)[0], at), at);
    if (allOf !== undefined) {
      const parts = this.list(allOf, 'allOf', at).map((part) => this.resolved(part, at));
      const merged = parts.reduce<Schema>((sum, part) => merge(sum, part, at), { ...schema, allOf: undefined });
      // of several anyOf one is carried out at a time, the others wait in allOf
      if (!isObject(merged) || merged.allOf === undefined || (merged.anyOf ?? merged.oneOf) === undefined) return this.value(merged, at);
      schema = merged;
    }
    const { anyOf, oneOf, ...rest } = schema;
    for (const [keyword, options] of [['oneOf', oneOf], ['anyOf', anyOf]] as const) {
      if (options === undefined) continue;
      const base = { ...schema, [keyword]: undefined }, list = this.list(options, keyword, at);
      const parts = list.map((option) => this.plain(merge(base, this.resolved(option, at), at), at));
      if (keyword === 'oneOf') this.checkOneOf(parts, at);
      return alt(...parts.map((part, i) => this.value(part, `${at}/${keyword}/${i}`)));
    }
    for (const [keyword] of Object.entries(rest)) {
      if (!Object.hasOwn(speaksOf, keyword) && !others.includes(keyword)) {
        const known = [...others, ...Object.keys(speaksOf)].join(', ');
        this.fail(`${at}/${keyword}`, `keyword ${keyword}, which is not supported`, `any of ${known}`);
      }
    }
    if (rest.const !== undefined || rest.enum !== undefined) return this.literals(rest, at);
    const allowed = this.typesOf(rest, at);
    return alt(...allowed.map((type) => this.ofType(type, rest, at)));
  }

  private list(value: unknown, keyword: string, at: string): Schema[] {
    if (!Array.isArray(value) || value.length === 0) return this.fail(`${at}/${keyword}`, 'no list', 'a list of schemas');
    return value as Schema[];
  }

  /** A schema without `$ref` at its top. */
  private resolved(schema: Schema, at: string, depth = 0): Schema {
    if (depth > deepest) this.fail(at, '$ref in a circle', 'one that ends at a schema');
    if (!isObject(schema) || schema.$ref === undefined) return schema;
    const { $ref, ...rest } = schema, target = this.resolved(this.target($ref, at)[0], at, depth + 1);
    return Object.keys(rest).length === 0 ? target : merge(rest, target, at);
  }

  /** With `allOf` and `$ref` carried out, as far as they lie at the top. */
  private plain(schema: Schema, at: string): Schema {
    if (!isObject(schema) || (schema.allOf === undefined && schema.$ref === undefined)) return schema;
    const { allOf, ...rest } = schema;
    const parts = (allOf === undefined ? [] : this.list(allOf, 'allOf', at)).map((part) => this.plain(this.resolved(part, at), at));
    return parts.reduce<Schema>((sum, part) => merge(sum, part, at), this.resolved(rest, at));
  }

  private checkOneOf(parts: readonly Schema[], at: string): void {
    const resolve = (schema: Schema): Schema => {
      if (++this.compared > mostCompared) {
        throw tooLarge(`JSON schema at ${at}/oneOf`, `${parts.length} schemas that must exclude each other`);
      }
      return this.plain(this.resolved(schema, at), at);
    };
    const values = parts.map((part) => (isObject(part) ? JSON.stringify(part.const) : undefined));
    if ((!values.includes(undefined) && new Set(values).size === values.length) || tagged(parts)) return;
    parts.forEach((part, i) => {
      for (let j = 0; j < i; j++) {
        if (!disjoint(part, parts[j]!, resolve)) {
          this.fail(`${at}/oneOf`, `schemas ${j} and ${i}, which one value may satisfy both`,
            'schemas that exclude each other by type, const, enum or a required property', 'Write anyOf if it does not matter.');
        }
      }
    });
  }

  private typesOf(schema: SchemaObject, at: string): TypeName[] {
    const { type, nullable } = schema;
    const implied = [...new Set(Object.keys(schema).flatMap((keyword) => (Object.hasOwn(speaksOf, keyword) ? speaksOf[keyword]! : [])))];
    let said = type === undefined ? implied : [type].flat() as TypeName[];
    if (type === undefined && said.length === 0) said = types.filter((name) => name !== 'integer');
    const wrong = said.find((name) => !types.includes(name));
    if (wrong !== undefined) this.fail(`${at}/type`, JSON.stringify(wrong), `one of ${types.join(', ')}`);
    if (nullable === true && !said.includes('null')) said = [...said, 'null'];
    return said.includes('number') ? said.filter((name) => name !== 'integer') : said;
  }

  private ofType(type: TypeName, schema: SchemaObject, at: string): Expr {
    switch (type) {
      case 'null': return nothing;
      case 'boolean': return boolean;
      case 'object': return objectExpr(this, schema, at);
      case 'array': return arrayExpr(this, schema, at);
      case 'string': return stringExpr(this, schema, at);
      case 'number': case 'integer': return this.number(type, schema, at);
    }
  }

  limit(schema: SchemaObject, keyword: string, at: string, integer = true): number | undefined {
    const value = schema[keyword];
    if (value === undefined) return undefined;
    if (typeof value !== 'number' || !Number.isFinite(value) || (integer && (!Number.isInteger(value) || value < 0))) {
      this.fail(`${at}/${keyword}`, JSON.stringify(value) ?? typeof value, integer ? 'an integer from 0 up' : 'a number');
    }
    return value as number;
  }

  private number(type: 'number' | 'integer', schema: SchemaObject, at: string): Expr {
    const multiple = this.limit(schema, 'multipleOf', at, false);
    if (multiple !== undefined && multiple !== 1) {
      this.fail(`${at}/multipleOf`, String(multiple), '1, or none: digits do not show multiples', 'Leave it out, or say integer.');
    }
    const bound = (keyword: 'minimum' | 'maximum', exclusive: 'exclusiveMinimum' | 'exclusiveMaximum', sign: 1 | -1): Bound | undefined => {
      const flag = typeof schema[exclusive] === 'boolean' ? schema[exclusive] : undefined; // draft 4
      const closed = this.limit(schema, keyword, at, false);
      const open = flag === undefined ? this.limit(schema, exclusive, at, false) : undefined;
      if (open !== undefined && (closed === undefined || sign * open >= sign * closed)) return { value: open, open: true };
      return closed === undefined ? undefined : { value: closed, open: flag === true };
    };
    const bounds = { min: bound('minimum', 'exclusiveMinimum', 1), max: bound('maximum', 'exclusiveMaximum', -1) };
    return type === 'integer' || multiple === 1 ? integersIn(bounds) : numbersIn(bounds);
  }

  /** The values of `enum` and `const` that the rest allows. */
  private literals({ enum: values, const: only, ...rest }: SchemaObject, at: string): Expr {
    if (values !== undefined && (!Array.isArray(values) || values.length === 0)) this.fail(`${at}/enum`, 'no list', 'a list of values');
    const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);
    const listed = (values ?? [only]) as unknown[], wanted = only === undefined ? listed : listed.filter((value) => same(value, only));
    const reader = new SchemaReader(this.document), isFree = Object.keys(rest).length === 0;
    const fits = isFree ? () => true : matcher(reader.json.finish(reader.value(rest, at)));
    return alt(...[...new Set(wanted.map((value) => JSON.stringify(value)))].filter(fits).map((value) => text(value)));
  }
}

/** Undefined: it is not what JSON can hold (which would make null of Infinity), or deeper than the stack. */
export function writtenOf(schema: unknown): string | undefined {
  let isFinite = true;
  const look = (_: string, value: unknown): unknown => {
    if (typeof value === 'number' && !Number.isFinite(value)) isFinite = false;
    return value;
  };
  try {
    const text = JSON.stringify(schema, look);
    return isFinite ? text : undefined;
  } catch {
    return undefined;
  }
}

function decoded(part: string): string {
  try { return decodeURIComponent(part); } catch { return part; }
}

/** @throws InputError `E_OPTION`, which names the keyword and where it stands */
export function readSchema(schema: unknown): Grammar {
  const written = writtenOf(schema);
  if (written === undefined) {
    throw refused('JSON schema', show(schema), 'plain JSON', 'Pass an object or a boolean, of what JSON can hold.');
  }
  if (written.length > limits.text) throw tooLarge('JSON schema', `${written.length} characters`);
  return new SchemaReader(JSON.parse(written) as Schema).read();
}


