/** Typed access to metadata: a missing or mistyped key is an error that names it. */
import { FormatError } from '../../errors.ts';
import type { GgufValue, NumberArray } from './types.ts';
import { StringArray } from './types.ts';

export type Metadata = ReadonlyMap<string, GgufValue>;

function describe(value: GgufValue | undefined): string {
  if (value === undefined) return 'nothing';
  if (value instanceof StringArray) return `${value.length} strings`;
  if (typeof value === 'object') return `${value.length} numbers`;
  return `${typeof value} ${String(value).slice(0, 60)}`;
}

function wrong(key: string, value: GgufValue | undefined, expected: string): never {
  throw new FormatError('E_GGUF_KEY', {
    subject: `metadata key ${key}`, found: describe(value), expected,
    remedy: 'The file was written by a broken converter; convert the model again.',
  });
}

/** The value of `key` if `is` accepts it, `fallback` if the key is absent. Without a fallback the key must exist. */
function get<T extends GgufValue>(
  metadata: Metadata, key: string, expected: string, is: (value: GgufValue) => value is T, fallback: T | undefined,
): T {
  const value = metadata.get(key);
  if (value === undefined && fallback !== undefined) return fallback;
  return value !== undefined && is(value) ? value : wrong(key, value, expected);
}

const isNumber = (value: GgufValue): value is number => typeof value === 'number' && !Number.isNaN(value);
const isString = (value: GgufValue): value is string => typeof value === 'string';
const isBool = (value: GgufValue): value is boolean => typeof value === 'boolean';
const isStrings = (value: GgufValue): value is StringArray => value instanceof StringArray;
const isNumbers = (value: GgufValue): value is NumberArray => typeof value === 'object' && !(value instanceof StringArray);

export const getNumber = (m: Metadata, key: string, fallback?: number): number => get(m, key, 'a number', isNumber, fallback);
export const getString = (m: Metadata, key: string, fallback?: string): string => get(m, key, 'a string', isString, fallback);
export const getBool = (m: Metadata, key: string, fallback?: boolean): boolean => get(m, key, 'a boolean', isBool, fallback);
export const getStrings = (m: Metadata, key: string, fallback?: StringArray): StringArray =>
  get(m, key, 'an array of strings', isStrings, fallback);
export const getNumbers = (m: Metadata, key: string, fallback?: NumberArray): NumberArray =>
  get(m, key, 'an array of numbers', isNumbers, fallback);
