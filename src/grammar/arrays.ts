/** Arrays: items, tuples, how many. */
import { empty, never, optional, repeat, seq, type Expr } from './expr.ts';
import type { SchemaObject } from './merge.ts';
import type { Reading } from './reading.ts';

export function arrayExpr(reader: Reading, schema: SchemaObject, at: string): Expr {
  const { json } = reader, min = reader.limit(schema, 'minItems', at), max = reader.limit(schema, 'maxItems', at) ?? Infinity;
  if (schema.uniqueItems === true && max > 1) {
    reader.fail(`${at}/uniqueItems`, 'true', 'false: no grammar remembers which items there were', 'Leave it out and check the answer.');
  }
  const isOld = Array.isArray(schema.items), tuple = isOld ? schema.items : schema.prefixItems ?? [];
  if (!Array.isArray(tuple)) return reader.fail(`${at}/prefixItems`, typeof tuple, 'a list of schemas');
  if (schema.unevaluatedItems !== undefined && schema.unevaluatedItems !== false) {
    reader.fail(`${at}/unevaluatedItems`, 'a schema', 'false', 'Write items.');
  }
  const rest = isOld ? schema.additionalItems : schema.items, place = isOld ? 'additionalItems' : 'items';
  const name = isOld ? 'items' : 'prefixItems', least = min ?? Math.min(tuple.length, max);
  // a tuple is closed unless it says otherwise or must be longer
  const item = rest === undefined && tuple.length > 0 && least <= tuple.length ? undefined : reader.value(rest ?? true, `${at}/${place}`);
  if (max < least) return never;
  const first = tuple.slice(0, Math.min(tuple.length, max)).map((of, i) => reader.value(of, `${at}/${name}/${i}`));
  if (first.length === 0) return item ? json.list('[', ']', item, least, max) : json.between('[', empty, ']');
  const more = item && max > first.length ? repeat(json.comma(item), Math.max(0, least - first.length), max - first.length) : empty;
  const inner = first.reduceRight<Expr>((after, one, i) => {
    const here = seq(i > 0 ? json.comma(one) : one, after);
    return i < least ? here : optional(here);
  }, more);
  return least > first.length && !item ? never : json.between('[', inner, ']');
}
