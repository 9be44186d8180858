/** Jinja2's tests: what may stand behind `is`. */
import { compare, contains, isEqual } from './operators.ts';
import { mistake, unsupported } from './fault.ts';
import { isLower, isUpper } from './text.ts';
import type { Args, Value } from './values.ts';
import { Attributes, Callable, Dict, isNumber, Markup, None, sequence, str, typeName, Undefined } from './values.ts';

type Test = (value: Value, other: Value) => boolean;

function remainder(value: Value, by: Value): bigint {
  if (value instanceof Undefined) value.fail();
  if ((typeof value === 'bigint' || typeof value === 'boolean') && typeof by === 'bigint' && by !== 0n) return BigInt(value) % by;
  throw mistake(`'${typeName(value)}' where an int was expected`);
}

const unary: Readonly<Record<string, Test>> = {
  boolean: (value) => typeof value === 'boolean', callable: (value) => value instanceof Callable || value instanceof Undefined,
  defined: (value) => !(value instanceof Undefined), undefined: (value) => value instanceof Undefined,
  even: (value) => remainder(value, 2n) === 0n, odd: (value) => remainder(value, 2n) !== 0n,
  false: (value) => value === false, true: (value) => value === true, none: (value) => value === None,
  integer: (value) => typeof value === 'bigint', float: (value) => typeof value === 'number', number: isNumber,
  iterable: (value) => !isNumber(value) && value !== None && !(value instanceof Attributes) && !(value instanceof Callable),
  lower: (value) => isLower(str(value)), upper: (value) => isUpper(str(value)),
  mapping: (value) => value instanceof Dict, string: (value) => typeof value === 'string' || value instanceof Markup,
  sequence: (value) => typeof value === 'string' || value instanceof Markup || value instanceof Dict || value instanceof Undefined
    || sequence(value) !== undefined,
  escaped: (value) => value instanceof Markup,
};

const isSame: Test = (a, b) => a === b, isLess: Test = (a, b) => compare(a, b) < 0, isMore: Test = (a, b) => compare(a, b) > 0;
const isAtMost: Test = (a, b) => compare(a, b) <= 0, isAtLeast: Test = (a, b) => compare(a, b) >= 0;
const binary: Readonly<Record<string, Test>> = {
  divisibleby: (value, by) => remainder(value, by) === 0n,
  eq: isEqual, equalto: isEqual, '==': isEqual, ne: (a, b) => !isEqual(a, b), '!=': (a, b) => !isEqual(a, b),
  lt: isLess, lessthan: isLess, '<': isLess, gt: isMore, greaterthan: isMore, '>': isMore,
  le: isAtMost, '<=': isAtMost, ge: isAtLeast, '>=': isAtLeast,
  in: (value, container) => contains(container, value), sameas: isSame,
};

export function applyTest(name: string, value: Value, args: Args): boolean {
  if (name === 'filter' || name === 'test') throw unsupported(`the test "${name}"`);
  if (Object.hasOwn(unary, name)) {
    args.take(name);
    return unary[name]!(value, None);
  }
  if (!Object.hasOwn(binary, name)) throw mistake(`no test named '${name}'`);
  const [other] = args.take(name, 'other');
  if (other === undefined) throw mistake(`the test "${name}" lacks its argument`);
  return binary[name]!(value, other);
}
