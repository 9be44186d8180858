/** What lies inside a value: `a.b`, `a['b']`, `a[0]`, `a[1:]`, and the methods of Python's types. */
import { isEqual } from './operators.ts';
import { mistake, unsupported } from './fault.ts';
import { foreignTextMethods, textMethods } from './text.ts';
import type { Value } from './values.ts';
import { Args, Attributes, Callable, Dict, lengthOf, Markup, None, sequence, Tuple, typeName, Undefined, View } from './values.ts';

const method = (name: string, call: (args: Args) => Value): Callable => new Callable(name, call);

function methodOf(object: Value, name: string): Value | undefined {
  if (typeof object === 'string') {
    if (Object.hasOwn(textMethods, name)) return method(name, (args) => textMethods[name]!(object, args));
    if (foreignTextMethods.includes(name)) throw unsupported(`str.${name}()`);
  } else if (object instanceof Dict) return dictMethod(object, name);
  else if (Array.isArray(object) || object instanceof Tuple) return listMethod(object, name);
  else if (object instanceof Attributes) return object.get(name);
  else if (object instanceof Callable && name === 'name') return object.name;
  else if (object instanceof Markup || object instanceof Callable) throw unsupported(`.${name} of a ${typeName(object)}`);
  return undefined;
}

function dictMethod(dict: Dict, name: string): Value | undefined {
  const view = (items: readonly Value[]): Callable => method(name, (args) => {
    args.take(name);
    return new View(`dict_${name}`, items);
  });
  switch (name) {
    case 'keys': return view(dict.keys);
    case 'values': return view(dict.entries.map(([, value]) => value));
    case 'items': return view(dict.entries.map((entry) => new Tuple(entry)));
    case 'copy': return method(name, () => Dict.from(dict.entries));
    case 'get': return method(name, (args) => {
      const [key = None, preset = None] = args.take('get', 'key', 'default');
      return dict.get(key) ?? preset;
    });
    case 'clear': case 'pop': case 'popitem': case 'setdefault': case 'update': return unsafe(`dict.${name}()`);
    case 'fromkeys': throw unsupported('dict.fromkeys()');
    default: return undefined;
  }
}

function listMethod(list: Value[] | Tuple, name: string): Value | undefined {
  const items = sequence(list)!;
  switch (name) {
    case 'count': return method(name, (args) => {
      const [value = None] = args.take('count', 'value');
      return BigInt(items.filter((item) => isEqual(item, value)).length);
    });
    case 'index': return method(name, (args) => {
      const [value = None] = args.take('index', 'value'), at = items.findIndex((item) => isEqual(item, value));
      if (at < 0) throw mistake('the value is not in the list');
      return BigInt(at);
    });
    case 'copy': return Array.isArray(list) ? method(name, () => [...items]) : undefined;
    case 'append': case 'clear': case 'extend': case 'insert': case 'pop': case 'remove': case 'reverse': case 'sort':
      return Array.isArray(list) ? unsafe(`list.${name}()`) : undefined;
    default: return undefined;
  }
}

/** Transformers runs templates in a sandbox where nothing that was handed over can be changed. */
const unsafe = (what: string): Callable => method(what, () => {
  throw mistake(`access to ${what} is unsafe: a template may not change what it was given`);
});

function absent(object: Value, key: string): Undefined {
  return new Undefined(`'${typeName(object) === 'dict' ? 'dict object' : typeName(object)}' has no attribute ${key}`);
}

/** `object.name`: methods first, then keys, as Jinja2 looks; `orItem` false: methods only. */
export function attributeOf(object: Value, name: string, orItem = true): Value {
  if (object instanceof Undefined) object.fail();
  return methodOf(object, name) ?? (orItem && object instanceof Dict ? object.get(name) : undefined) ?? absent(object, `'${name}'`);
}

/** `object[key]`: keys first, then methods. */
export function itemOf(object: Value, key: Value): Value {
  if (object instanceof Undefined) object.fail();
  if (object instanceof Markup) throw unsupported('a part of a text marked safe');
  if (object instanceof Dict && !Array.isArray(key) && !(key instanceof Dict)) {
    const found = object.get(key);
    if (found !== undefined) return found;
  } else if (typeof key === 'bigint' || typeof key === 'boolean') {
    const items = typeof object === 'string' ? Array.from(object) : sequence(object);
    const found = items?.at(Number(key));
    if (found !== undefined) return found;
  }
  return typeof key === 'string' ? attributeOf(object, key, false) : absent(object, typeof key === 'bigint' ? String(key) : typeName(key));
}

/** `object[from:to:step]` */
export function sliceOf(object: Value, from: Value, to: Value, step: Value): Value {
  if (object instanceof Undefined) object.fail();
  if (object instanceof Markup) throw unsupported('a part of a text marked safe');
  const items = typeof object === 'string' ? Array.from(object) : sequence(object);
  if (!items) throw mistake(`'${typeName(object)}' object cannot be sliced`);
  const length = Number(lengthOf(object)), stride = step === None ? 1 : whole(step);
  if (stride === 0) throw mistake('slice step cannot be zero');
  const place = (value: Value, preset: number): number => {
    if (value === None) return preset;
    const at = whole(value) < 0 ? whole(value) + length : whole(value);
    return Math.min(Math.max(at, stride < 0 ? -1 : 0), stride < 0 ? length - 1 : length);
  };
  const begin = place(from, stride < 0 ? length - 1 : 0), end = place(to, stride < 0 ? -1 : length), taken: Value[] = [];
  for (let i = begin; stride < 0 ? i > end : i < end; i += stride) taken.push(items[i]!);
  if (typeof object === 'string') return taken.join('');
  return Array.isArray(object) ? taken : object instanceof View ? new View('range', taken) : new Tuple(taken);
}

function whole(value: Value): number {
  if (typeof value === 'bigint' || typeof value === 'boolean') return Number(value);
  throw mistake('slice indices must be integers or None');
}
