/** What the parts of reading a schema ask of the whole. */
import type { Expr } from './expr.ts';
import type { JsonRules } from './json.ts';
import type { SchemaObject } from './merge.ts';

/** `at`: JSON pointers, for errors. */
export interface Reading {
  readonly json: JsonRules;
  /** The values that a schema allows. */
  value(schema: unknown, at: string): Expr;
  /** A number that a keyword has; undefined where it is not there. */
  limit(schema: SchemaObject, keyword: string, at: string, integer?: boolean): number | undefined;
  fail(at: string, found: string, expected: string, remedy?: string): never;
}
