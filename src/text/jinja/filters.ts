/** Jinja2's filters. */
import { toJson } from './json.ts';
import { attributeOf, itemOf } from './members.ts';
import { plain } from './marks.ts';
import { binary, compare } from './operators.ts';
import { mistake, unsupported } from './fault.ts';
import { applyTest } from './tests.ts';
import { capitalize, lower, parseFloating, parseInteger, replace, splitLines, strip, upper } from './text.ts';
import type { Value } from './values.ts';
import { Args, Dict, escape, isNumber, isTrue, iterate, Lazy, lengthOf, Markup, None, str, Tuple, typeName, Undefined } from './values.ts';

type Filter = (value: Value, args: Args) => Value;

/** Filters of Jinja2 that this file has not. */
const foreign = ['batch', 'center', 'filesizeformat', 'forceescape', 'format', 'groupby', 'pprint', 'random', 'slice', 'striptags',
  'truncate', 'urlencode', 'urlize', 'wordcount', 'wordwrap', 'xmlattr'];

export function applyFilter(name: string, value: Value, args: Args): Value {
  if (Object.hasOwn(filters, name)) return filters[name]!(value, args);
  throw foreign.includes(name) ? unsupported(`the filter "${name}"`) : mistake(`no filter named '${name}'`);
}

/** What is looked at of each item: itself, or what lies at a path "a.b.0" in it. */
function getter(path: Value | undefined, preset?: Value): (item: Value) => Value {
  if (path === undefined || path === None) return (item) => item;
  const steps = typeof path === 'string' ? plain(path).split('.').map((step): Value => (/^\d+$/.test(step) ? BigInt(step) : step)) : [path];
  return (item) => {
    let found = item;
    for (const step of steps) {
      found = itemOf(found, step);
      if (found instanceof Undefined && preset !== undefined && preset !== None) found = preset;
    }
    return found;
  };
}

const folded = (value: Value, isCaseSensitive: boolean): Value => (typeof value === 'string' && !isCaseSensitive ? lower(value) : value);

/** Stable, by the keys; descending keeps the order of equal ones, too. */
function sorted<T>(items: readonly T[], key: (item: T) => Value, isReverse: boolean): T[] {
  const keyed = items.map((item) => [key(item), item] as const);
  return keyed.sort(([a], [b]) => (isReverse ? compare(b, a) : compare(a, b))).map(([, item]) => item);
}

const extreme = (callee: string, sign: number): Filter => (value, args) => {
  const [isCaseSensitive = false, attribute] = args.take(callee, 'case_sensitive', 'attribute'), get = getter(attribute);
  const key = (item: Value): Value => folded(get(item), isTrue(isCaseSensitive)), items = iterate(value);
  if (items.length === 0) return new Undefined('No aggregated item, sequence was empty.');
  return items.reduce((best, item) => (compare(key(item), key(best)) * sign > 0 ? item : best));
};

/** `select` and its kin: items (or attributes of them) that pass a test, or fail it. */
const selection = (callee: string, isByAttribute: boolean, wanted: boolean): Filter => (value, args) => {
  const from = isByAttribute ? 1 : 0, test = args.positional[from];
  const get = getter(isByAttribute ? args.positional[0] ?? missing(callee) : undefined);
  return new Lazy(itemsOf(value).filter((item) => {
    const seen = get(item);
    return (test === undefined ? isTrue(seen) : applyTest(plain(str(test)), seen, args.rest(from + 1))) === wanted;
  }));
};

/** What these filters go through: Jinja2 takes whatever is false for nothing, None as well. */
const itemsOf = (value: Value): readonly Value[] => (isTrue(value) ? iterate(value) : []);

function missing(callee: string): never { throw mistake(`${callee} lacks its first argument`); }

function map(value: Value, args: Args): Value {
  const [name] = args.positional;
  if (name !== undefined) return new Lazy(itemsOf(value).map((item) => applyFilter(plain(str(name)), item, args.rest(1))));
  const [attribute, preset] = args.take('map', 'attribute', 'default'), get = getter(attribute ?? missing('map'), preset);
  return new Lazy(itemsOf(value).map(get));
}

function toInteger(value: Value, args: Args): Value {
  const [preset = 0n, base = 10n] = args.take('int', 'default', 'base');
  if (value instanceof Undefined) value.fail();
  const whole = typeof value === 'string' ? parseInteger(value, Number(base)) : undefined;
  if (whole !== undefined) return whole;
  const number = typeof value === 'string' ? parseFloating(value) : isNumber(value) ? value : undefined;
  if (typeof number === 'bigint' || typeof number === 'boolean') return BigInt(number);
  return number !== undefined && Number.isFinite(number) ? BigInt(Math.trunc(number)) : preset;
}

function toFloat(value: Value, args: Args): Value {
  const [preset = 0] = args.take('float', 'default');
  if (value instanceof Undefined) value.fail();
  return typeof value === 'string' ? parseFloating(value) ?? preset : isNumber(value) ? Number(value) : preset;
}

function indent(value: Value, args: Args): string {
  const [width = 4n, first = false, blank = false] = args.take('indent', 'width', 'first', 'blank');
  const step = typeof width === 'string' ? width : ' '.repeat(Math.max(0, Math.min(1 << 16, Number(width))));
  const text = value instanceof Markup ? value.text : value;
  if (typeof text !== 'string') throw mistake(`indent wants a str, not ${typeName(value)}`);
  const lines = splitLines(`${text}\n`).map((line, i) => (i > 0 && (isTrue(blank) || line !== '') ? step + line : line));
  return (isTrue(first) ? step : '') + lines.join('\n');
}

/** Half to even for what lies exactly between, as Python. */
function round(value: Value, args: Args): Value {
  const [precision = 0n, method = 'common'] = args.take('round', 'precision', 'method'), digits = Number(precision);
  if (!isNumber(value)) throw mistake(`type ${typeName(value)} doesn't define round`);
  if (digits < 0 || digits > 15) throw unsupported(`round to ${digits} digits`);
  if (method === 'ceil' || method === 'floor') return Math[method](Number(value) * 10 ** digits) / 10 ** digits;
  if (method !== 'common') throw mistake('method must be common, ceil or floor');
  if (typeof value !== 'number') return BigInt(value);
  const scaled = value * 10 ** digits, below = Math.floor(scaled);
  const isHalf = scaled - below === 0.5 && scaled / 10 ** digits === value && Number.isInteger(value * 2 ** 20);
  return isHalf ? (below + (below % 2 === 0 ? 0 : 1)) / 10 ** digits : Number(value.toFixed(digits));
}

function dictSort(value: Value, args: Args): Value {
  const [isCaseSensitive = false, by = 'key', isReverse = false] = args.take('dictsort', 'case_sensitive', 'by', 'reverse');
  if (!(value instanceof Dict)) throw mistake(`'${typeName(value)}' object has no attribute 'items'`);
  if (by !== 'key' && by !== 'value') throw mistake('You can only sort by either "key" or "value"');
  const key = (entry: readonly [Value, Value]): Value => folded(entry[by === 'key' ? 0 : 1], isTrue(isCaseSensitive));
  return sorted(value.entries, key, isTrue(isReverse)).map((entry) => new Tuple(entry));
}

function sort(value: Value, args: Args): Value {
  const [isReverse = false, isCaseSensitive = false, attribute] = args.take('sort', 'reverse', 'case_sensitive', 'attribute');
  const gets = typeof attribute === 'string' ? attribute.split(',').map((path) => getter(path)) : [getter(attribute)];
  return sorted(iterate(value), (item) => gets.map((get) => folded(get(item), isTrue(isCaseSensitive))), isTrue(isReverse));
}

function unique(value: Value, args: Args): Value {
  const [isCaseSensitive = false, attribute] = args.take('unique', 'case_sensitive', 'attribute');
  const get = getter(attribute), seen = new Dict();
  return new Lazy(iterate(value).filter((item) => {
    const key = folded(get(item), isTrue(isCaseSensitive)), isNew = !seen.has(key);
    seen.set(key, true);
    return isNew;
  }));
}

function reverse(value: Value): Value {
  if (typeof value === 'string') return Array.from(value).reverse().join('');
  const turned = [...iterate(value)].reverse();
  return value instanceof Lazy ? turned : new Lazy(turned);
}

/** A letter behind a blank, a dash or an opening bracket becomes large, the others small. */
function titleCase(value: Value): string {
  const text = str(value);
  let at = 0;
  return plain(text).split(/([-\s({[<]+)/).map((word) => {
    const [first = '', ...rest] = Array.from(text.slice(at, at += word.length));
    return upper(first) + lower(rest.join(''));
  }).join('');
}

const without = (callee: string, change: (value: Value) => Value): Filter => (value, args) => {
  args.take(callee);
  return change(value);
};

const filters: Readonly<Record<string, Filter>> = {
  abs: without('abs', (value) => {
    if (!isNumber(value)) throw mistake(`bad operand type for abs(): '${typeName(value)}'`);
    return typeof value === 'number' ? Math.abs(value) : BigInt(value) < 0n ? -BigInt(value) : BigInt(value);
  }),
  attr: (value, args) => attributeOf(value, plain(str(args.take('attr', 'name')[0] ?? missing('attr'))), false),
  capitalize: without('capitalize', (value) => capitalize(str(value))),
  count: without('count', lengthOf), length: without('length', lengthOf),
  d: (value, args) => filters.default!(value, args),
  default: (value, args) => {
    const [preset = '', boolean = false] = args.take('default', 'default_value', 'boolean');
    return value instanceof Undefined || (isTrue(boolean) && !isTrue(value)) ? preset : value;
  },
  dictsort: dictSort,
  e: without('e', escape), escape: without('escape', escape),
  first: without('first', (value) => {
    const [first] = value instanceof Lazy ? value.take(1) : iterate(value);
    return first ?? new Undefined('No first item, sequence was empty.');
  }),
  float: toFloat, indent, int: toInteger,
  items: without('items', (value) => {
    if (value instanceof Undefined) return new Lazy([]);
    if (value instanceof Dict) return new Lazy(value.entries.map((entry) => new Tuple(entry)));
    throw mistake('Can only get item pairs from a mapping.');
  }),
  join: (value, args) => {
    const [between = '', attribute] = args.take('join', 'd', 'attribute');
    return iterate(value).map(getter(attribute)).map(str).join(str(between));
  },
  last: without('last', (value) => {
    if (value instanceof Lazy) throw mistake("'generator' object is not reversible");
    return iterate(value).at(-1) ?? new Undefined('No last item, sequence was empty.');
  }),
  list: without('list', (value) => [...iterate(value)]),
  lower: without('lower', (value) => lower(str(value))), upper: without('upper', (value) => upper(str(value))),
  map, max: extreme('max', 1), min: extreme('min', -1),
  reject: selection('reject', false, false), rejectattr: selection('rejectattr', true, false),
  select: selection('select', false, true), selectattr: selection('selectattr', true, true),
  replace: (value, args) => {
    const [old = missing('replace'), by = missing('replace'), count] = args.take('replace', 'old', 'new', 'count');
    return replace(str(value), str(old), str(by), count === undefined || count === None ? -1 : Number(count));
  },
  reverse: without('reverse', reverse), round,
  safe: without('safe', (value) => new Markup(str(value))),
  sort, string: without('string', (value) => (value instanceof Markup ? value : str(value))),
  sum: (value, args) => {
    const [attribute, start = 0n] = args.take('sum', 'attribute', 'start');
    return iterate(value).map(getter(attribute)).reduce((sum, item) => binary('+', sum, item), start);
  },
  title: without('title', titleCase), tojson: toJson,
  trim: (value, args) => strip(str(value), args.take('trim', 'chars')[0]),
  unique,
};
