/** What a template finds beside its variables: the object `loop`, and the functions of Jinja2 and of transformers. */
import { plain } from './marks.ts';
import { isEqual } from './operators.ts';
import { strftime } from './strftime.ts';
import { mistake, refusal, unsupported } from './fault.ts';
import type { Args, Value } from './values.ts';
import { Attributes, Callable, Dict, iterate, str, Undefined, View } from './values.ts';

/** As the sandbox has it. */
const longestRange = 100_000;

/** The object `loop` of one round. */
class Loop extends Attributes {
  constructor(private readonly items: readonly Value[], private readonly i: number, private readonly changed: Callable) {
    super('LoopContext');
  }

  override get(name: string): Value | undefined {
    const { items, i } = this, n = items.length;
    switch (name) {
      case 'index': return BigInt(i + 1);
      case 'index0': return BigInt(i);
      case 'revindex': return BigInt(n - i);
      case 'revindex0': return BigInt(n - i - 1);
      case 'length': return BigInt(n);
      case 'first': return i === 0;
      case 'last': return i === n - 1;
      case 'previtem': return items[i - 1] ?? new Undefined('there is no previous item');
      case 'nextitem': return items[i + 1] ?? new Undefined('there is no next item');
      case 'depth': return 1n; // deeper only with `recursive`
      case 'depth0': return 0n;
      case 'changed': return this.changed;
      case 'cycle': return new Callable('cycle', ({ positional }) => {
        if (positional.length === 0) throw mistake('no items for cycling given');
        return positional[i % positional.length]!;
      });
      default: return undefined;
    }
  }
}

export function loopOver(items: readonly Value[]): (i: number) => Attributes {
  let seen: Value[] | undefined;
  const changed = new Callable('changed', ({ positional }) => {
    const isChanged = !seen || !isEqual(seen, [...positional]);
    seen = [...positional];
    return isChanged;
  });
  return (i) => new Loop(items, i, changed);
}

/** As transformers has it: no names that begin with "_" in a namespace. */
export function checkMember(name: string): void {
  if (name.startsWith('_')) throw mistake(`the name '${name}' in a namespace begins with an underscore`);
}

export function globalFunctions(now: Date): Callable[] {
  const entries = (callee: string, { positional, named }: Args): Dict => {
    if (positional.length > 1) throw mistake(`${callee} expected at most 1 argument, got ${positional.length}`);
    const [given = new Dict()] = positional, pairs = given instanceof Dict ? given.entries : iterate(given).map((pair) => {
      const [key, value] = iterate(pair);
      if (key === undefined || value === undefined) throw mistake(`${callee} wants pairs`);
      return [key, value] as const;
    });
    return Dict.from([...pairs, ...named]);
  };
  const only = (args: Args, callee: string, name: string): string => {
    const [value] = args.take(callee, name);
    if (value === undefined) throw mistake(`${callee}() lacks its argument '${name}'`);
    return str(value);
  };
  return [
    new Callable('raise_exception', (args) => { throw refusal(only(args, 'raise_exception', 'message')); }),
    new Callable('strftime_now', (args) => strftime(now, only(args, 'strftime_now', 'format'))),
    new Callable('dict', (args) => entries('dict', args)),
    new Callable('namespace', (args) => {
      const members = entries('namespace', args).entries.map(([name, value]) => [plain(str(name)), value] as const);
      for (const [name] of members) checkMember(name);
      return new Attributes('Namespace', new Map(members));
    }),
    new Callable('range', ({ positional, named }) => {
      const numbers = positional.map((value) => (typeof value === 'bigint' || typeof value === 'boolean' ? Number(value) : NaN));
      if (named.size > 0 || numbers.length < 1 || numbers.length > 3 || numbers.some(Number.isNaN) || numbers[2] === 0) {
        throw mistake('range() wants one to three integers, the last not 0');
      }
      const [from, to, step] = numbers.length === 1 ? [0, numbers[0]!, 1] : [numbers[0]!, numbers[1]!, numbers[2] ?? 1];
      const length = Math.max(0, Math.ceil((to - from) / step));
      if (length > longestRange) throw mistake(`Range too big. The sandbox blocks ranges larger than ${longestRange}`);
      return new View('range', Array.from({ length }, (_, i) => BigInt(from + i * step)));
    }),
    ...['lipsum', 'cycler', 'joiner'].map((name) => new Callable(name, () => { throw unsupported(`the function ${name}()`); })),
  ];
}
