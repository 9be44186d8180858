/** Python's operators: what is equal, less, contained; arithmetic of int (exact) and float, joining and repeating of texts and lists. */
import { plain } from './marks.ts';
import type { Operator } from './syntax.ts';
import { mistake, unsupported } from './fault.ts';
import type { Value } from './values.ts';
import { Dict, escape, isNumber, iterate, Lazy, Markup, None, sequence, Tuple, typeName, Undefined, View } from './values.ts';

/** Longest text and list that an operator may make: more is a template gone wrong, or one that means harm. */
const most = 1 << 24, mostBits = 4096;

export function isEqual(a: Value, b: Value): boolean {
  // `==` because an int and a float are compared by value
  if (isNumber(a)) return isNumber(b) && numeric(a) == numeric(b);
  if (a instanceof Markup) return isEqual(a.text, b);
  if (b instanceof Markup) return isEqual(a, b.text);
  if (typeof a === 'string') return typeof b === 'string' && plain(a) === plain(b);
  if (a instanceof Undefined) return b instanceof Undefined;
  if ((Array.isArray(a) || a instanceof Tuple || a instanceof View) && typeName(a) === typeName(b)) {
    const left = iterate(a), right = iterate(b);
    return left.length === right.length && left.every((item, i) => isEqual(item, right[i]!));
  }
  if (a instanceof Dict && b instanceof Dict) {
    return a.size === b.size && a.entries.every(([key, item]) => b.has(key) && isEqual(item, b.get(key)!));
  }
  return a === b;
}

/** Below 0, 0 or above it. @throws TemplateFault for values that Python does not order */
export function compare(a: Value, b: Value): number {
  if (a instanceof Undefined) a.fail();
  if (b instanceof Undefined) b.fail();
  if (a instanceof Markup || b instanceof Markup) throw unsupported('comparing a text marked safe');
  if (isNumber(a) && isNumber(b)) return a < b ? -1 : a > b ? 1 : a == b ? 0 : NaN;
  if (typeof a === 'string' && typeof b === 'string') return compareItems(Array.from(plain(a), codePoint), Array.from(plain(b), codePoint));
  if ((Array.isArray(a) && Array.isArray(b)) || (a instanceof Tuple && b instanceof Tuple)) return compareItems(iterate(a), iterate(b));
  throw mistake(`'<' not supported between instances of '${typeName(a)}' and '${typeName(b)}'`);
}

/** True is 1, False is 0. */
const numeric = (value: bigint | number | boolean): bigint | number => (typeof value === 'boolean' ? BigInt(value) : value);
const codePoint = (character: string): bigint => BigInt(character.codePointAt(0)!);

function compareItems(a: readonly Value[], b: readonly Value[]): number {
  const at = a.findIndex((item, i) => i >= b.length || !isEqual(item, b[i]!));
  if (at < 0) return a.length < b.length ? -1 : 0;
  return at >= b.length ? 1 : compare(a[at]!, b[at]!);
}

export function contains(container: Value, item: Value): boolean {
  if (container instanceof Markup || item instanceof Markup) throw unsupported("'in' on a text marked safe");
  if (typeof container === 'string') {
    if (typeof item !== 'string') throw mistake(`'in <string>' requires string as left operand, not ${typeName(item)}`);
    return plain(container).includes(plain(item));
  }
  if (container instanceof Dict) return container.has(item);
  if (isNumber(container) || container === None) throw mistake(`argument of type '${typeName(container)}' is not iterable`);
  if (container instanceof Lazy) {
    for (let [next] = container.take(1); next !== undefined; [next] = container.take(1)) if (isEqual(next, item)) return true;
    return false;
  }
  return iterate(container).some((entry) => isEqual(entry, item));
}

export function binary(operator: Operator, a: Value, b: Value): Value {
  if (operator === '%' && typeof a === 'string') throw unsupported("formatting a text with '%'");
  if (a instanceof Undefined) a.fail();
  if (b instanceof Undefined) b.fail();
  if (a instanceof Markup || b instanceof Markup) return withMarkup(operator, a, b);
  if (isNumber(a) && isNumber(b)) return arithmetic(operator, numeric(a), numeric(b));
  if (operator === '+') {
    if (typeof a === 'string' && typeof b === 'string') return sized(a.length + b.length, () => a + b);
    if (Array.isArray(a) && Array.isArray(b)) return sized(a.length + b.length, () => [...a, ...b]);
    if (a instanceof Tuple && b instanceof Tuple) return new Tuple([...a.items, ...b.items]);
  }
  if (operator === '*') {
    const [items, times]: [Value, Value] = isNumber(b) ? [a, b] : [b, a];
    if (typeof times === 'bigint' || typeof times === 'boolean') return repeat(items, Math.max(0, Number(times)));
  }
  throw mistake(`unsupported operand type(s) for ${operator}: '${typeName(a)}' and '${typeName(b)}'`);
}

/** A text marked safe makes what it is joined with safe, too. */
function withMarkup(operator: Operator, a: Value, b: Value): Value {
  if (operator !== '+') throw unsupported(`'${operator}' on a text marked safe`);
  const part = (value: Value): string => {
    if (typeof value === 'string' || value instanceof Markup) return escape(value).text;
    throw mistake(`can only join a text marked safe with str, not ${typeName(value)}`);
  };
  const left = part(a), right = part(b);
  return sized(left.length + right.length, () => new Markup(left + right));
}

function repeat(items: Value, times: number): Value {
  if (typeof items === 'string') return sized(items.length * times, () => items.repeat(times));
  const list = sequence(items);
  if (!list || items instanceof View) throw mistake(`unsupported operand type(s) for *: '${typeName(items)}' and 'int'`);
  return sized(list.length * times, () => {
    const repeated = Array.from({ length: times }, () => list).flat();
    return items instanceof Tuple ? new Tuple(repeated) : repeated;
  });
}

function sized(length: number, make: () => Value): Value {
  if (length > most) throw mistake(`a value of ${length} characters or items, more than ${most}`);
  return make();
}

function arithmetic(operator: Operator, a: bigint | number, b: bigint | number): bigint | number {
  if ((operator === '/' || operator === '//' || operator === '%') && Number(b) === 0) throw mistake('division by zero');
  if (operator === '/') return Number(a) / Number(b);
  if (typeof a === 'bigint' && typeof b === 'bigint') {
    const result = integers(operator, a, b);
    if (typeof result === 'bigint' && BigInt.asIntN(mostBits, result) !== result) throw unsupported(`an int of more than ${mostBits} bits`);
    return result;
  }
  const x = Number(a), y = Number(b);
  switch (operator) {
    case '+': return x + y;
    case '-': return x - y;
    case '*': return x * y;
    case '//': return Math.floor(x / y);
    case '%': return x % y === 0 ? (y < 0 ? -0 : 0) : (x % y) + (x % y < 0 === y < 0 ? 0 : y);
    default: return power(x, y);
  }
}

/** Division and remainder round down, as Python's. */
function integers(operator: Operator, a: bigint, b: bigint): bigint | number {
  const isOff = (operator === '//' || operator === '%') && a % b !== 0n && a < 0n !== b < 0n;
  switch (operator) {
    case '+': return a + b;
    case '-': return a - b;
    case '*': return a * b;
    case '//': return a / b - (isOff ? 1n : 0n);
    case '%': return (a % b) + (isOff ? b : 0n);
    default:
      if (b < 0n) return power(Number(a), Number(b));
      if (b > 1_000n) throw unsupported(`'**' with the exponent ${b}`);
      return a ** b;
  }
}

function power(base: number, exponent: number): number {
  const result = base ** exponent;
  if (Number.isFinite(result) || !Number.isFinite(base) || !Number.isFinite(exponent)) return result;
  if (Number.isNaN(result)) throw unsupported('a power that is a complex number');
  throw mistake(base === 0 ? '0.0 cannot be raised to a negative power' : 'numerical result out of range');
}
