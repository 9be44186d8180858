/** Schemas that hold at once, as one: `allOf`, and what stands beside `$ref`, `anyOf` and `oneOf`. */
import { refused } from './expr.ts';
import { matcher } from './matcher.ts';
import { readRegex } from './regex.ts';

export type Schema = boolean | SchemaObject;
export type SchemaObject = Readonly<Record<string, unknown>>;

export const isObject = (value: unknown): value is SchemaObject => typeof value === 'object' && value !== null && !Array.isArray(value);

const least = (a: unknown, b: unknown): unknown => Math.min(a as number, b as number);
const greatest = (a: unknown, b: unknown): unknown => Math.max(a as number, b as number);
const either = (a: unknown, b: unknown): unknown => [...new Set([...a as unknown[], ...b as unknown[]])];
const typesOf = (type: unknown): string[] => [type].flat() as string[];

/** What 'integer' and 'number' have in common is 'integer'. */
function commonTypes(a: unknown, b: unknown): unknown {
  const [left, right] = [typesOf(a), typesOf(b)], has = (list: string[], type: string): boolean =>
    list.includes(type) || (type === 'integer' && list.includes('number'));
  return [...new Set([...left, ...right])].filter((type) => has(left, type) && has(right, type));
}

const byKeyword: Readonly<Record<string, (a: unknown, b: unknown) => unknown>> = {
  type: commonTypes,
  enum: (a, b) => {
    const others = new Set((b as unknown[]).map((one) => JSON.stringify(one)));
    return (a as unknown[]).filter((one) => others.has(JSON.stringify(one)));
  },
  required: either,
  minLength: greatest, minItems: greatest, minProperties: greatest, minimum: greatest, exclusiveMinimum: greatest,
  maxLength: least, maxItems: least, maxProperties: least, maximum: least, exclusiveMaximum: least,
  allOf: (a, b) => [...a as unknown[], ...b as unknown[]],
  patternProperties: (a, b) => {
    const [left, right] = [a as SchemaObject, b as SchemaObject];
    return Object.fromEntries([...new Set([...Object.keys(left), ...Object.keys(right)])].map((key) => [key, both(left[key], right[key])]));
  },
  additionalProperties: (a, b) => both(a, b), items: (a, b) => both(a, b), unevaluatedProperties: (a, b) => both(a, b),
  propertyNames: (a, b) => both(a, b),
  uniqueItems: (a, b) => a === true || b === true,
};

/** Either where the other says nothing. */
function both(a: unknown, b: unknown): unknown {
  if (a === undefined || a === true) return b;
  if (b === undefined || b === true || JSON.stringify(a) === JSON.stringify(b)) return a;
  return a === false || b === false ? false : { allOf: [a, b] };
}

/** Whether the items that one speaks of are not those of the other. */
const apart = (a: SchemaObject, b: SchemaObject): boolean =>
  (a.prefixItems !== undefined || Array.isArray(a.items)) && (b.prefixItems !== undefined || b.items !== undefined);

/** Of the last patterns: a schema asks the same ones for each of its names. */
const matchers = new Map<string, (text: string) => boolean>(), mostMatchers = 64;

/** Whether a name is one that a pattern of `patternProperties` speaks of. */
export function fitsPattern(pattern: string, name: string): boolean {
  let fits = matchers.get(pattern);
  if (!fits) {
    if (matchers.size >= mostMatchers) matchers.clear();
    // not by RegExp: it tries all ways there are, and may be at it for ever
    matchers.set(pattern, fits = matcher({ rules: [{ name: 'pattern', expr: readRegex(pattern, true) }] }));
  }
  return fits(name);
}

/** What the schema says of a property that it does not name. */
function unnamed(schema: SchemaObject, name: string): unknown {
  const patterns = Object.entries((schema.patternProperties ?? {}) as SchemaObject);
  const matching = patterns.filter(([pattern]) => fitsPattern(pattern, name));
  if (matching.length > 0) return matching.reduce<unknown>((sum, [, of]) => both(sum, of), undefined);
  return schema.additionalProperties;
}

function properties(a: SchemaObject, b: SchemaObject): SchemaObject {
  const left = (a.properties ?? {}) as SchemaObject, right = (b.properties ?? {}) as SchemaObject;
  const own = (of: SchemaObject, named: SchemaObject, key: string): unknown => Object.hasOwn(named, key) ? named[key] : unnamed(of, key);
  return Object.fromEntries([...new Set([...Object.keys(left), ...Object.keys(right)])]
    .map((key) => [key, both(own(a, left, key), own(b, right, key)) ?? true]));
}

const lists = ['enum', 'required', 'allOf', 'anyOf', 'oneOf'] as const, byName = ['properties', 'patternProperties'] as const;

/** What is about to be merged is no schema yet: it may be anything that JSON has. */
function checkKinds(schema: unknown, at: string): void {
  const fail = (place: string, found: unknown, expected: string): never => {
    throw refused(`JSON schema at ${at}/${place}`, found === null ? 'null' : typeof found, expected, 'Change the schema.');
  };
  if (typeof schema === 'boolean') return;
  if (!isObject(schema)) { fail('', schema, 'an object or a boolean'); return; }
  for (const name of lists) if (schema[name] !== undefined && !Array.isArray(schema[name])) fail(name, schema[name], 'a list');
  for (const name of byName) if (schema[name] !== undefined && !isObject(schema[name])) fail(name, schema[name], 'schemas by names');
}

/**
 * What holds where both do; `b` is a part of `a`.
 * @throws InputError `E_OPTION` where a keyword stands in both and they cannot be said in one
 */
export function merge(a: Schema, b: Schema, at: string): Schema {
  for (const part of [a, b]) checkKinds(part, at);
  if (a === true) return b;
  if (b === true) return a;
  if (a === false || b === false) return false;
  const merged: Record<string, unknown> = { ...a };
  // what these mean depends on which keywords stand beside them
  const scoped = ['unevaluatedProperties', 'unevaluatedItems'].find((keyword) => b[keyword] !== undefined)
    ?? (apart(a, b) || apart(b, a) ? 'prefixItems' : undefined);
  if (scoped !== undefined) {
    throw refused(`JSON schema at ${at || '/'}`, `${scoped} within a part of a schema`, 'it in the schema itself',
      'Write it beside the parts.');
  }
  for (const [keyword, value] of Object.entries(b)) {
    if (value === undefined) continue;
    const before = a[keyword];
    if (before === undefined || JSON.stringify(before) === JSON.stringify(value)) merged[keyword] = value;
    else if (Object.hasOwn(byKeyword, keyword)) merged[keyword] = byKeyword[keyword]!(before, value);
    else if (keyword === 'anyOf' || keyword === 'oneOf') merged.allOf = [...(merged.allOf ?? []) as Schema[], { [keyword]: value }];
    else if (keyword === 'const') return false; // not the same
    else if (keyword !== 'properties' && !isAnnotation(keyword)) {
      throw refused(`JSON schema at ${at || '/'}`, `two different ${keyword} that both hold`, 'one', 'Leave one of them out.');
    }
  }
  if (a.properties !== undefined || b.properties !== undefined) merged.properties = properties(a, b);
  return merged;
}

const annotations = new Set([
  'title', 'description', 'default', 'examples', 'example', '$comment', 'deprecated', 'readOnly', 'writeOnly', '$schema', '$id', 'id',
  '$defs', 'definitions', 'discriminator', 'contentMediaType', 'contentEncoding', '$anchor', '$vocabulary', 'externalDocs', 'xml',
  'markdownDescription', 'enumDescriptions', 'markdownEnumDescriptions', 'defaultSnippets', 'errorMessage', 'tsType',
]);

/** Keywords that say nothing about what is valid. */
export const isAnnotation = (keyword: string): boolean => annotations.has(keyword) || keyword.startsWith('x-');
