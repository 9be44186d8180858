/** Whether two schemas can be seen to have no value in common: what `oneOf` asks of its parts. */
import { isObject, type Schema, type SchemaObject } from './merge.ts';

const allTypes = ['object', 'array', 'string', 'number', 'boolean', 'null'];

function typesOf({ type }: SchemaObject): string[] {
  return type === undefined ? allTypes : ([type].flat() as string[]).map((name) => name === 'integer' ? 'number' : name);
}

function literalsOf(schema: SchemaObject): string[] | undefined {
  const values: unknown[] | undefined = schema.const !== undefined ? [schema.const] : Array.isArray(schema.enum) ? schema.enum : undefined;
  return values?.map((value) => JSON.stringify(value));
}

function typeOf(json: string): string {
  const value: unknown = JSON.parse(json);
  return value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value;
}

/** `resolve` carries out `$ref` and `allOf`. */
export function disjoint(a: Schema, b: Schema, resolve: (schema: Schema) => Schema, depth = 0): boolean {
  const left = resolve(a), right = resolve(b);
  if (left === false || right === false) return true;
  if (!isObject(left) || !isObject(right) || depth > 5) return false;
  for (const [one, other] of [[left, right], [right, left]] as const) {
    const options = one.anyOf ?? one.oneOf;
    if (Array.isArray(options)) return options.every((option: Schema) => disjoint(option, other, resolve, depth + 1));
  }
  const [mine, yours] = [literalsOf(left), literalsOf(right)];
  if (mine && yours) return !mine.some((value) => yours.includes(value));
  const common = typesOf(left).filter((type) => typesOf(right).includes(type));
  if (common.length === 0) return true;
  for (const [literals, other] of [[mine, right], [yours, left]] as const) {
    if (literals?.every((value) => !typesOf(other).includes(typeOf(value)))) return true;
  }
  return common.every((type) => type === 'object' && apart(left, right, resolve, depth));
}

/** Objects: a property that both require, or one requires and the other cannot have. */
function apart(a: SchemaObject, b: SchemaObject, resolve: (schema: Schema) => Schema, depth: number): boolean {
  const required = (schema: SchemaObject): string[] => Array.isArray(schema.required) ? schema.required as string[] : [];
  const of = (schema: SchemaObject, name: string): Schema => {
    const properties = isObject(schema.properties) ? schema.properties : {};
    if (Object.hasOwn(properties, name)) return properties[name] as Schema;
    return schema.patternProperties === undefined ? (schema.additionalProperties ?? true) as Schema : true;
  };
  return [...new Set([...required(a), ...required(b)])].some((name) => {
    const [mine, yours] = [of(a, name), of(b, name)];
    if (required(a).includes(name) && required(b).includes(name)) return disjoint(mine, yours, resolve, depth + 1);
    return required(a).includes(name) ? yours === false : mine === false;
  });
}

/** Whether all of them require one property whose only values are all different: by it each is told from all others at once. */
export function tagged(parts: readonly Schema[]): boolean {
  const [first] = parts, names = isObject(first) && Array.isArray(first.required) ? first.required as unknown[] : [];
  return names.some((name) => {
    const values = parts.map((part) => {
      if (!isObject(part) || !Array.isArray(part.required) || !part.required.includes(name) || !isObject(part.properties)) return undefined;
      const of = Object.hasOwn(part.properties, String(name)) ? part.properties[String(name)] : undefined;
      return isObject(of) && part.type === 'object' ? JSON.stringify(of.const) : undefined;
    });
    return !values.includes(undefined) && new Set(values).size === values.length;
  });
}
