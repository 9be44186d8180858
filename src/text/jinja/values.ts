/** Python's values as a template sees them, and what Python says of each: is it true, how is it printed, what is it equal to. */
import { plain } from './marks.ts';
import { mistake, unsupported } from './fault.ts';

/** Python's None: not null, so that `??` stands for what is missing. */
export const None: unique symbol = Symbol('None');

/** str, int, float, bool, None, list; the rest of Python's types are the classes below. */
export type Value = string | bigint | number | boolean | typeof None | Value[]
  | Undefined | Tuple | Dict | View | Lazy | Markup | Attributes | Callable;

/** A name or member that is not there; most uses of it are errors that say so. */
export class Undefined {
  constructor(readonly message: string) {}
  fail(): never { throw mistake(this.message); }
}

export class Tuple { constructor(readonly items: readonly Value[]) {} }

/** `dict.items()`, `range(…)` and their like: can be read again, printed and counted. */
export class View { constructor(readonly name: string, readonly items: readonly Value[]) {} }

/** What a generator gives, once. */
export class Lazy {
  constructor(private items: readonly Value[]) {}
  take(count = Infinity): readonly Value[] {
    const taken = this.items.slice(0, count);
    this.items = this.items.slice(taken.length);
    return taken;
  }
}

/** Of the filters `safe` and `escape`: can be printed, and joined by `+` with text, which is escaped by that. */
export class Markup { constructor(readonly text: string) {} }

/** An object with attributes: `namespace(…)`, `loop`. */
export class Attributes {
  constructor(readonly name: string, readonly members = new Map<string, Value>()) {}
  get(name: string): Value | undefined { return this.members.get(name); }
}

/** Arguments of a call, as Python binds them. */
export class Args {
  constructor(readonly positional: readonly Value[], readonly named: ReadonlyMap<string, Value> = new Map()) {}

  /** One value for each name, by place or by name. */
  take(callee: string, ...names: string[]): (Value | undefined)[] {
    const { length } = this.positional;
    if (length > names.length) throw mistake(`${callee} takes at most ${names.length} arguments (${length} given)`);
    for (const [name] of this.named) {
      const place = names.indexOf(name);
      if (place < 0) throw mistake(`${callee} has no argument '${name}'`);
      if (place < length) throw mistake(`${callee} has two values for its argument '${name}'`);
    }
    return names.map((name, i) => this.positional[i] ?? this.named.get(name));
  }

  rest(from: number): Args { return new Args(this.positional.slice(from), this.named); }
}

export class Callable { constructor(readonly name: string, readonly call: (args: Args) => Value) {} }

/** Keys are told apart as in Python, where 1, 1.0 and True are the same. */
export class Dict {
  readonly #entries = new Map<string, [Value, Value]>();

  static from(entries: Iterable<readonly [Value, Value]>): Dict {
    const dict = new Dict();
    for (const [key, value] of entries) dict.set(key, value);
    return dict;
  }

  get size(): number { return this.#entries.size; }
  get entries(): readonly (readonly [Value, Value])[] { return [...this.#entries.values()]; }
  get keys(): Value[] { return this.entries.map(([key]) => key); }
  get(key: Value): Value | undefined { return this.#entries.get(hash(key))?.[1]; }
  has(key: Value): boolean { return this.#entries.has(hash(key)); }

  set(key: Value, value: Value): void {
    const hashed = hash(key), old = this.#entries.get(hashed);
    this.#entries.set(hashed, [old ? old[0] : key, value]);
  }
}

function hash(key: Value): string {
  if (typeof key === 'string') return `s${plain(key)}`;
  if (key === None) return 'none';
  if (isNumber(key)) return `n${Number(key)}`;
  if (key instanceof Tuple) return JSON.stringify(key.items.map(hash));
  if (key instanceof Undefined) return 'undefined';
  throw mistake(`unhashable type: '${typeName(key)}'`);
}

export const isNumber = (value: Value): value is bigint | number | boolean => ['bigint', 'number', 'boolean'].includes(typeof value);

/** Items by place: of a list, tuple or range; undefined for anything else. */
export function sequence(value: Value): readonly Value[] | undefined {
  if (Array.isArray(value)) return value;
  if (value instanceof Tuple || (value instanceof View && value.name === 'range')) return value.items;
  return undefined;
}

export function typeName(value: Value): string {
  if (value === None) return 'NoneType';
  if (typeof value === 'string') return 'str';
  if (typeof value === 'bigint') return 'int';
  if (typeof value === 'number') return 'float';
  if (typeof value === 'boolean') return 'bool';
  if (Array.isArray(value)) return 'list';
  if (value instanceof Tuple) return 'tuple';
  if (value instanceof Dict) return 'dict';
  if (value instanceof View || value instanceof Attributes) return value.name;
  if (value instanceof Lazy) return 'generator';
  return value instanceof Markup ? 'Markup' : value instanceof Undefined ? 'Undefined' : 'function';
}

export function isTrue(value: Value): boolean {
  if (Array.isArray(value)) return value.length > 0;
  if (value instanceof Tuple || value instanceof View) return value.items.length > 0;
  if (value instanceof Dict) return value.size > 0;
  if (value instanceof Markup) return value.text !== '';
  return value === None || value instanceof Undefined ? false : typeof value === 'object' || Boolean(value);
}

/** As `for` goes through it. A generator is used up by this. */
export function iterate(value: Value): readonly Value[] {
  if (typeof value === 'string') return Array.from(value);
  if (Array.isArray(value)) return value;
  if (value instanceof Tuple || value instanceof View) return value.items;
  if (value instanceof Dict) return value.keys;
  if (value instanceof Lazy) return value.take();
  if (value instanceof Undefined) return [];
  if (value instanceof Markup) throw unsupported('going through the characters of a text marked safe');
  throw mistake(`'${typeName(value)}' object is not iterable`);
}

export function lengthOf(value: Value): bigint {
  if (isNumber(value) || value === None || value instanceof Lazy || value instanceof Attributes || value instanceof Callable) {
    throw mistake(`object of type '${typeName(value)}' has no len()`);
  }
  return BigInt(iterate(value).length);
}

/** Python's `str()`. */
export function str(value: Value): string {
  if (typeof value === 'string') return value;
  if (value instanceof Undefined) return '';
  return value instanceof Markup ? value.text : repr(value);
}

const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', "'": '&#39;', '"': '&#34;' };

/** Made safe for HTML, where it is not already marked so. */
export function escape(value: Value): Markup {
  return value instanceof Markup ? value : new Markup(Array.from(str(value), (c) => entities[plain(c)] ?? c).join(''));
}

export function repr(value: Value): string {
  if (value === None) return 'None';
  if (typeof value === 'string') return quote(value);
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (typeof value === 'bigint') return String(value);
  if (typeof value === 'number') return floatText(value);
  if (Array.isArray(value)) return `[${value.map(repr).join(', ')}]`;
  if (value instanceof Tuple) return value.items.length === 1 ? `(${repr(value.items[0]!)},)` : `(${value.items.map(repr).join(', ')})`;
  if (value instanceof Dict) return `{${value.entries.map(([key, item]) => `${repr(key)}: ${repr(item)}`).join(', ')}}`;
  if (value instanceof View && value.name.startsWith('dict_')) return `${value.name}([${value.items.map(repr).join(', ')}])`;
  if (value instanceof Undefined) return 'Undefined';
  if (value instanceof Attributes && value.name === 'Namespace') return `<Namespace ${repr(Dict.from(value.members))}>`;
  throw unsupported(`printing a ${typeName(value)}`);
}

/** Python's `repr` of a float: the shortest digits, with an exponent below 1e-4 and from 1e16 on. */
export function floatText(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'nan' : value < 0 ? '-inf' : 'inf';
  const [digits, exponent] = value.toExponential().split('e') as [string, string], power = Number(exponent);
  if (power < -4 || power >= 16) return `${digits}e${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`;
  if (Object.is(value, -0)) return '-0.0';
  const text = power < 0 ? value.toFixed(digits.replace(/\D/g, '').length - 1 - power) : String(value);
  return text.includes('.') ? text : `${text}.0`;
}

const shortEscapes: Readonly<Record<string, string>> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** Python's `repr` of a text. */
function quote(text: string): string {
  const mark = text.includes("'") && !text.includes('"') ? '"' : "'";
  const inner = Array.from(text, (c) => {
    const seen = plain(c);
    if (shortEscapes[seen]) return shortEscapes[seen];
    if (seen === mark) return `\\${c}`;
    if (seen === ' ' || !/[\p{C}\p{Z}]/u.test(seen)) return c;
    const hex = seen.codePointAt(0)!.toString(16);
    return hex.length <= 2 ? `\\x${hex.padStart(2, '0')}` : hex.length <= 4 ? `\\u${hex.padStart(4, '0')}` : `\\U${hex.padStart(8, '0')}`;
  });
  return mark + inner.join('') + mark;
}
