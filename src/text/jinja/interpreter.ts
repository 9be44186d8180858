/**
 * Runs a template as transformers' environment of Jinja2 does (sandboxed, `trim_blocks`, `lstrip_blocks`, loop controls, `generation`
 * blocks, its own `tojson`), without `eval`. Names are looked up from the inside out; each round of a loop, each macro and each block of
 * its own text begins a new scope. What Jinja2 knows and this does not is a fault that names the construct: no other text is ever made.
 */
import { applyFilter } from './filters.ts';
import { checkMember, globalFunctions, loopOver } from './globals.ts';
import { attributeOf, itemOf, sliceOf } from './members.ts';
import { plain } from './marks.ts';
import { binary, compare, contains, isEqual } from './operators.ts';
import type { Arguments, Comparison, Expression, FilterNode, MacroNode, Statement, Target, Template } from './syntax.ts';
import { mistake, TemplateFault } from './fault.ts';
import { applyTest } from './tests.ts';
import type { Value } from './values.ts';
import { Args, Attributes, Callable, Dict, isNumber, isTrue, iterate, None, str, Tuple, typeName, Undefined } from './values.ts';

/** Steps after which a template has gone wrong: real ones take some hundreds a message. */
const mostSteps = 10_000_000;
/** Characters of the whole text. */
const longestText = 1 << 26;

class Scope {
  readonly #values = new Map<string, Value>();
  constructor(private readonly outer?: Scope) {}
  get(name: string): Value | undefined { return this.#values.get(name) ?? this.outer?.get(name); }
  set(name: string, value: Value): void { this.#values.set(name, value); }
}

/** What a statement leaves undone: the rest of a loop, or of one round. */
type Leap = 'break' | 'continue' | undefined;

/** @param now what `strftime_now` reads. @throws TemplateFault with the line */
export function run(template: Template, variables: ReadonlyMap<string, Value>, now: Date): string {
  return new Interpreter(template, variables, now).run();
}

class Interpreter {
  #line = 0;
  #steps = 0;
  #length = 0;
  readonly #root: Scope;

  constructor(private readonly template: Template, variables: ReadonlyMap<string, Value>, now: Date) {
    const globals = new Scope();
    for (const callable of globalFunctions(now)) globals.set(callable.name, callable);
    const given = new Scope(globals);
    for (const [name, value] of variables) given.set(name, value);
    this.#root = this.#scope(template.body, given);
  }

  /** Of a body with names of its own. */
  #scope(body: readonly Statement[], outer: Scope): Scope {
    const scope = new Scope(outer);
    for (const name of this.template.hidden.get(body) ?? []) scope.set(name, new Undefined(`'${name}' is undefined`));
    return scope;
  }

  run(): string {
    const out: string[] = [];
    try {
      this.#block(this.template.body, this.#root, out);
    } catch (error) {
      // the engine's stack is full, or a text longer than it can hold
      const fault = error instanceof RangeError ? mistake('calls or texts without end') : error;
      if (fault instanceof TemplateFault && fault.line === 0) fault.line = this.#line;
      throw fault;
    }
    return out.join('');
  }

  #step(line: number): void {
    this.#line = line;
    if (++this.#steps > mostSteps) throw mistake(`more than ${mostSteps} steps`);
  }

  #write(text: string, out: string[]): void {
    this.#length += text.length;
    if (this.#length > longestText) throw mistake(`a text of more than ${longestText} characters`);
    out.push(text);
  }

  #block(statements: readonly Statement[], scope: Scope, out: string[]): Leap {
    for (const statement of statements) {
      this.#step(statement.line);
      const leap = this.#statement(statement, scope, out);
      if (leap) return leap;
    }
    return undefined;
  }

  /** The text of a block with a scope of its own. */
  #text(statements: readonly Statement[], scope: Scope): string {
    const out: string[] = [];
    this.#block(statements, this.#scope(statements, scope), out);
    return out.join('');
  }

  #statement(statement: Statement, scope: Scope, out: string[]): Leap {
    switch (statement.kind) {
      case 'text': this.#write(statement.text, out); return undefined;
      case 'output': this.#write(str(this.#value(statement.value, scope)), out); return undefined;
      case 'if': {
        const branch = statement.branches.find(([test]) => isTrue(this.#value(test, scope)));
        return this.#block(branch ? branch[1] : statement.otherwise, scope, out);
      }
      case 'for': return this.#for(statement, scope, out);
      case 'set': this.#assign(statement.target, this.#value(statement.value, scope), scope); return undefined;
      case 'set block': {
        const text = this.#text(statement.body, scope);
        this.#assign(statement.target, statement.filter ? this.#filter(statement.filter, scope, text) : text, scope);
        return undefined;
      }
      case 'with': {
        const inner = this.#scope(statement.body, scope), values = statement.pairs.map(([, value]) => this.#value(value, scope));
        statement.pairs.forEach(([target], i) => { this.#assign(target, values[i]!, inner); });
        return this.#block(statement.body, inner, out);
      }
      case 'filter block':
        this.#write(str(this.#filter(statement.filter, scope, this.#text(statement.body, scope))), out);
        return undefined;
      case 'macro': scope.set(statement.macro.name, this.#macro(statement.macro, scope)); return undefined;
      case 'call block': {
        const callee = this.#value(statement.callee, scope), { positional, named } = this.#arguments(statement.args, scope);
        const caller = this.#macro(statement.macro, scope);
        this.#write(str(this.#call(callee, new Args(positional, new Map([...named, ['caller', caller]])))), out);
        return undefined;
      }
      case 'scope': this.#write(this.#text(statement.body, scope), out); return undefined;
      default: return statement.kind;
    }
  }

  #for({ target, iterable, test, body, otherwise }: Statement & { kind: 'for' }, scope: Scope, out: string[]): Leap {
    let items = iterate(this.#value(iterable, scope));
    if (test) {
      items = items.filter((item) => {
        const inner = new Scope(scope);
        this.#assign(target, item, inner);
        return isTrue(this.#value(test, inner));
      });
    }
    const loop = loopOver(items);
    let isThrough = false; // Jinja2 takes the "else" also where no round came to its end
    for (const [i, item] of items.entries()) {
      const inner = this.#scope(body, scope);
      inner.set('loop', loop(i));
      this.#assign(target, item, inner);
      this.#step(this.#line);
      const leap = this.#block(body, inner, out);
      if (leap === 'break') break;
      if (leap === undefined) isThrough = true;
    }
    return isThrough ? undefined : this.#block(otherwise, this.#scope(otherwise, scope), out);
  }

  #assign(target: Target, value: Value, scope: Scope): void {
    if (target.kind === 'name') scope.set(target.name, value);
    else if (target.kind === 'tuple') {
      const items = iterate(value);
      if (items.length !== target.items.length) {
        const wrong = items.length < target.items.length ? 'not enough' : 'too many';
        throw mistake(`${wrong} values to unpack (expected ${target.items.length}, found ${items.length})`);
      }
      target.items.forEach((inner, i) => { this.#assign(inner, items[i]!, scope); });
    } else {
      const object = this.#name(target.name, scope);
      if (!(object instanceof Attributes) || object.name !== 'Namespace') throw mistake('cannot assign attribute on non-namespace object');
      checkMember(target.attribute);
      object.members.set(target.attribute, value);
    }
  }

  #name(name: string, scope: Scope): Value {
    return scope.get(name) ?? new Undefined(`'${name}' is undefined`);
  }

  #macro({ name, parameters, body, reads }: MacroNode, scope: Scope): Callable {
    return new Callable(name, ({ positional, named }) => {
      const inner = this.#scope(body, scope), left = new Map(named);
      for (const [i, { name: parameter }] of parameters.entries()) {
        const value = positional[i] ?? left.get(parameter);
        if (i < positional.length && left.has(parameter)) throw mistake(`macro '${name}' got two values for '${parameter}'`);
        left.delete(parameter);
        inner.set(parameter, value ?? new Undefined(`parameter '${parameter}' was not provided`));
        const { preset } = parameters[i]!;
        if (value === undefined && preset) inner.set(parameter, this.#value(preset, inner));
      }
      if (reads.has('caller')) {
        inner.set('caller', left.get('caller') ?? new Undefined('No caller defined'));
        left.delete('caller');
      }
      if (reads.has('kwargs')) inner.set('kwargs', Dict.from(left));
      else if (left.size > 0) throw mistake(`macro '${name}' takes no keyword argument '${[...left.keys()][0]!}'`);
      if (reads.has('varargs')) inner.set('varargs', new Tuple(positional.slice(parameters.length)));
      else if (positional.length > parameters.length) throw mistake(`macro '${name}' takes not more than ${parameters.length} argument(s)`);
      const out: string[] = [];
      this.#block(body, inner, out);
      return out.join('');
    });
  }

  #arguments({ positional, named, list, dict }: Arguments, scope: Scope): Args {
    const values = positional.map((argument) => this.#value(argument, scope));
    if (list) values.push(...iterate(this.#value(list, scope)));
    const byName = new Map<string, Value>(named.map(([name, argument]) => [name, this.#value(argument, scope)]));
    if (dict) {
      const more = this.#value(dict, scope);
      if (!(more instanceof Dict)) throw mistake(`argument after ** must be a mapping, not ${typeName(more)}`);
      for (const [name, value] of more.entries) {
        if (typeof name !== 'string' || byName.has(name)) {
          throw mistake(`argument after ** has the key ${str(name)}, which is no name or given twice`);
        }
        byName.set(plain(name), value);
      }
    }
    return new Args(values, byName);
  }

  #call(callee: Value, args: Args): Value {
    if (callee instanceof Undefined) callee.fail();
    if (!(callee instanceof Callable)) throw mistake(`'${typeName(callee)}' object is not callable`);
    return callee.call(args);
  }

  #filter(node: FilterNode, scope: Scope, text: string): Value {
    const value = node.operand ? this.#filter(node.operand as FilterNode, scope, text) : text;
    this.#step(node.line);
    return applyFilter(node.name, value, this.#arguments(node.args, scope));
  }

  #value(node: Expression, scope: Scope): Value {
    this.#step(node.line);
    switch (node.kind) {
      case 'constant': return node.value;
      case 'name': return this.#name(node.name, scope);
      case 'list': return node.items.map((item) => this.#value(item, scope));
      case 'tuple': return new Tuple(node.items.map((item) => this.#value(item, scope)));
      case 'dict': return Dict.from(node.pairs.map(([key, value]) => [this.#value(key, scope), this.#value(value, scope)] as const));
      case 'concat': return node.items.map((item) => str(this.#value(item, scope))).join('');
      case 'unary': return this.#unary(node.operator, this.#value(node.operand, scope));
      case 'and': case 'or': {
        const left = this.#value(node.left, scope);
        return isTrue(left) === (node.kind === 'and') ? this.#value(node.right, scope) : left;
      }
      case 'if': {
        if (isTrue(this.#value(node.test, scope))) return this.#value(node.yes, scope);
        return node.no ? this.#value(node.no, scope) : new Undefined('the inline if-expression evaluated to false and has no else');
      }
      case 'attribute': return attributeOf(this.#value(node.object, scope), node.name);
      case 'item': return itemOf(this.#value(node.object, scope), this.#value(node.key, scope));
      case 'filter': return applyFilter(node.name, this.#value(node.operand!, scope), this.#arguments(node.args, scope));
      case 'test': return applyTest(node.name, this.#value(node.operand, scope), this.#arguments(node.args, scope));
      case 'binary': return binary(node.operator, this.#value(node.left, scope), this.#value(node.right, scope));
      case 'call': return this.#call(this.#value(node.callee, scope), this.#arguments(node.args, scope));
      case 'compare': {
        let left = this.#value(node.first, scope);
        return node.rest.every(([operator, next]) => {
          const right = this.#value(next, scope), holds = isHolding(operator, left, right);
          left = right;
          return holds;
        });
      }
      case 'slice': {
        const { from, to, step } = node.slice, object = this.#value(node.object, scope);
        const [begin, end, stride] = [from, to, step].map((part) => (part ? this.#value(part, scope) : None));
        return sliceOf(object, begin!, end!, stride!);
      }
    }
  }

  #unary(operator: '+' | '-' | 'not', value: Value): Value {
    if (operator === 'not') return !isTrue(value);
    if (value instanceof Undefined) value.fail();
    if (!isNumber(value)) throw mistake(`bad operand type for unary ${operator}: '${typeName(value)}'`);
    return operator === '-' ? (typeof value === 'number' ? -value : -BigInt(value)) : typeof value === 'boolean' ? BigInt(value) : value;
  }
}

function isHolding(operator: Comparison, left: Value, right: Value): boolean {
  switch (operator) {
    case '==': return isEqual(left, right);
    case '!=': return !isEqual(left, right);
    case 'in': return contains(right, left);
    case 'not in': return !contains(right, left);
    case '<': return compare(left, right) < 0;
    case '<=': return compare(left, right) <= 0;
    case '>': return compare(left, right) > 0;
    case '>=': return compare(left, right) >= 0;
  }
}
