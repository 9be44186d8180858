/** The part of the parser that reads expressions. `~` binds more than `+`, a filter or test more than those, a sign more than all. */
import type { Token } from './lexer.ts';
import { unquote } from './lexer.ts';
import type { Arguments, Comparison, Expression, FilterNode, Operator, Slice } from './syntax.ts';
import { mistake } from './fault.ts';
import type { Value } from './values.ts';
import { None } from './values.ts';

const comparisons: readonly string[] = ['==', '!=', '<', '<=', '>', '>='];
const constants: Readonly<Record<string, Value>> = { true: true, True: true, false: false, False: false, none: None, None };

export class Expressions {
  #next = 0;
  /** Names read since the macro began that is being parsed. */
  protected reads = new Set<string>();

  constructor(private readonly tokens: readonly Token[]) {}

  protected get current(): Token { return this.tokens[this.#next]!; }

  protected take(): Token {
    const token = this.current;
    if (token.type !== 'end') this.#next++;
    return token;
  }

  protected is(type: Token['type'], text = this.current.text): boolean { return this.current.type === type && this.current.text === text; }
  protected isName(name: string): boolean { return this.is('name', name); }

  protected skip(type: Token['type'], text?: string): boolean {
    const found = this.is(type, text);
    if (found) this.#next++;
    return found;
  }

  protected skipName(name: string): boolean { return this.skip('name', name); }

  protected expect(type: Token['type'], text?: string): Token {
    if (!this.is(type, text)) this.#unexpected(text === undefined ? type : `'${text}'`);
    return this.take();
  }

  protected expectName(name: string): void { this.expect('name', name); }

  #unexpected(expected: string): never {
    const { type, text, line } = this.current;
    throw mistake(`${type === 'end' ? 'the end of the template' : `'${text.trim()}'`} where ${expected} was expected`, line);
  }

  /** Expressions with commas between them; one without a comma is itself. */
  protected tuple(withCondition = true, end?: string, inParentheses = false): Expression {
    const { line } = this.current, items: Expression[] = [];
    const isEnd = (): boolean => this.is('output end') || this.is('tag end') || this.is('operator', ')') || this.is('name', end ?? '');
    while (!isEnd()) {
      items.push(this.expression(withCondition));
      if (!this.skip('operator', ',')) {
        if (items.length === 1) return items[0]!;
        break;
      }
    }
    if (items.length === 0 && !inParentheses) this.#unexpected('an expression');
    return { line, kind: 'tuple', items };
  }

  protected expression(withCondition = true): Expression {
    let value = this.#or();
    while (withCondition && this.isName('if')) {
      const { line } = this.take(), test = this.#or();
      value = { line, kind: 'if', test, yes: value, ...(this.skipName('else') ? { no: this.expression() } : {}) };
    }
    return value;
  }

  #or(): Expression {
    let left = this.#and();
    for (let { line } = this.current; this.skipName('or'); { line } = this.current) left = { line, kind: 'or', left, right: this.#and() };
    return left;
  }

  #and(): Expression {
    let left = this.#not();
    for (let { line } = this.current; this.skipName('and'); { line } = this.current) left = { line, kind: 'and', left, right: this.#not() };
    return left;
  }

  #not(): Expression {
    const { line } = this.current;
    return this.skipName('not') ? { line, kind: 'unary', operator: 'not', operand: this.#not() } : this.#compare();
  }

  #compare(): Expression {
    const { line } = this.current, first = this.#sum(), rest: (readonly [Comparison, Expression])[] = [];
    for (;;) {
      let operator: Comparison;
      if (this.current.type === 'operator' && comparisons.includes(this.current.text)) operator = this.take().text as Comparison;
      else if (this.skipName('in')) operator = 'in';
      else if (this.isName('not') && this.#look('name', 'in')) {
        this.#next += 2;
        operator = 'not in';
      } else break;
      rest.push([operator, this.#sum()]);
    }
    return rest.length === 0 ? first : { line, kind: 'compare', first, rest };
  }

  #look(type: Token['type'], text: string): boolean {
    const next = this.tokens[this.#next + 1];
    return next?.type === type && next.text === text;
  }

  #binary(operators: readonly string[], operand: () => Expression): Expression {
    let left = operand();
    while (this.current.type === 'operator' && operators.includes(this.current.text)) {
      const { text, line } = this.take();
      left = { line, kind: 'binary', operator: text as Operator, left, right: operand() };
    }
    return left;
  }

  #sum(): Expression { return this.#binary(['+', '-'], () => this.#concat()); }

  #concat(): Expression {
    const { line } = this.current, items = [this.#product()];
    while (this.skip('operator', '~')) items.push(this.#product());
    return items.length === 1 ? items[0]! : { line, kind: 'concat', items };
  }

  #product(): Expression { return this.#binary(['*', '/', '//', '%'], () => this.#binary(['**'], () => this.#unary(true))); }

  #unary(withFilters: boolean): Expression {
    const { line, text: sign } = this.current;
    let value: Expression = this.skip('operator', '-') || this.skip('operator', '+')
      ? { line, kind: 'unary', operator: sign as '+' | '-', operand: this.#unary(false) } : this.#primary();
    value = this.#postfix(value);
    return withFilters ? this.#filtersAndTests(value) : value;
  }

  #primary(): Expression {
    const { type, text, line } = this.current;
    if (type === 'name') {
      this.take();
      if (Object.hasOwn(constants, text)) return { line, kind: 'constant', value: constants[text]! };
      this.reads.add(text);
      return { line, kind: 'name', name: text };
    }
    if (type === 'string') {
      let value = '';
      while (this.is('string')) value += unquote(this.take().text, line);
      return { line, kind: 'constant', value };
    }
    if (type === 'integer') return { line, kind: 'constant', value: BigInt(this.take().text.replaceAll('_', '')) };
    if (type === 'float') return { line, kind: 'constant', value: Number(this.take().text.replaceAll('_', '')) };
    if (this.skip('operator', '(')) {
      const value = this.tuple(true, undefined, true);
      this.expect('operator', ')');
      return value;
    }
    if (this.skip('operator', '[')) return { line, kind: 'list', items: this.#listed(']', () => this.expression()) };
    if (this.skip('operator', '{')) {
      return { line, kind: 'dict', pairs: this.#listed('}', () => {
        const key = this.expression();
        this.expect('operator', ':');
        return [key, this.expression()] as const;
      }) };
    }
    return this.#unexpected('an expression');
  }

  /** Items with commas between them, perhaps one behind the last, up to a bracket. */
  #listed<T>(end: string, item: () => T): T[] {
    const items: T[] = [];
    while (!this.is('operator', end)) {
      if (items.length > 0) this.expect('operator', ',');
      if (this.is('operator', end)) break;
      items.push(item());
    }
    this.expect('operator', end);
    return items;
  }

  #postfix(value: Expression): Expression {
    for (;;) {
      const { line } = this.current;
      if (this.skip('operator', '.')) {
        const { type, text } = this.take();
        if (type === 'name') value = { line, kind: 'attribute', object: value, name: text };
        else if (type === 'integer') value = { line, kind: 'item', object: value, key: { line, kind: 'constant', value: BigInt(text) } };
        else throw mistake(`'${text}' where a name or a number was expected`, line);
      } else if (this.skip('operator', '[')) value = this.#subscript(value, line);
      else if (this.is('operator', '(')) value = { line, kind: 'call', callee: value, args: this.#arguments() };
      else return value;
    }
  }

  #subscript(object: Expression, line: number): Expression {
    const isEnd = (): boolean => this.is('operator', ']') || this.is('operator', ',');
    const part = (): Expression | undefined => (this.is('operator', ':') || isEnd() ? undefined : this.expression());
    const from = part();
    if (!this.skip('operator', ':')) {
      if (!from) this.#unexpected('an expression');
      const items = [from];
      while (this.skip('operator', ',')) items.push(this.expression());
      this.expect('operator', ']');
      return { line, kind: 'item', object, key: items.length === 1 ? from : { line, kind: 'tuple', items } };
    }
    const to = part(), step = this.skip('operator', ':') ? part() : undefined;
    this.expect('operator', ']');
    const slice: Slice = { ...(from ? { from } : {}), ...(to ? { to } : {}), ...(step ? { step } : {}) };
    return { line, kind: 'slice', object, slice };
  }

  #arguments(): Arguments {
    const { line } = this.current, positional: Expression[] = [], named: (readonly [string, Expression])[] = [];
    let list: Expression | undefined, dict: Expression | undefined;
    this.expect('operator', '(');
    const ensure = (ok: boolean): void => { if (!ok) throw mistake('invalid order of arguments in a call', line); };
    this.#listed(')', () => {
      if (this.skip('operator', '*')) {
        ensure(!list && !dict);
        list = this.expression();
      } else if (this.skip('operator', '**')) {
        ensure(!dict);
        dict = this.expression();
      } else if (this.is('name') && this.#look('operator', '=')) {
        ensure(!dict);
        const { text } = this.take();
        this.take();
        named.push([text, this.expression()]);
      } else {
        ensure(!list && !dict && named.length === 0);
        positional.push(this.expression());
      }
    });
    return { positional, named, ...(list ? { list } : {}), ...(dict ? { dict } : {}) };
  }

  #dotted(): string {
    let name = this.expect('name').text;
    while (this.skip('operator', '.')) name += `.${this.expect('name').text}`;
    return name;
  }

  /** `| name(…)` as often as it comes; `bare`: the first without its bar. */
  protected filters(operand?: Expression, bare = false): FilterNode | undefined {
    let node: FilterNode | undefined;
    while (bare || this.skip('operator', '|')) {
      bare = false;
      const { line } = this.current, name = this.#dotted(), inner: Expression | undefined = node ?? operand;
      const args = this.is('operator', '(') ? this.#arguments() : { positional: [], named: [] };
      node = { line, kind: 'filter', name, args, ...(inner ? { operand: inner } : {}) };
    }
    return node;
  }

  #filtersAndTests(value: Expression): Expression {
    for (;;) {
      if (this.is('operator', '|')) value = this.filters(value)!;
      else if (this.isName('is')) value = this.#test(value);
      else if (this.is('operator', '(')) value = { line: this.current.line, kind: 'call', callee: value, args: this.#arguments() };
      else return value;
    }
  }

  #test(operand: Expression): Expression {
    const { line } = this.take(), isNegated = this.skipName('not'), name = this.#dotted();
    let args: Arguments = { positional: [], named: [] };
    if (this.is('operator', '(')) args = this.#arguments();
    else if ((['name', 'string', 'integer', 'float'].includes(this.current.type) || this.is('operator', '[') || this.is('operator', '{'))
      && !['else', 'or', 'and'].some((word) => this.isName(word))) {
      if (this.isName('is')) throw mistake('tests cannot be chained with "is"', line);
      args = { positional: [this.#postfix(this.#primary())], named: [] };
    }
    const test: Expression = { line, kind: 'test', operand, name, args };
    return isNegated ? { line, kind: 'unary', operator: 'not', operand: test } : test;
  }
}
