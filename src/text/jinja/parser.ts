/** Tokens → statements, by Jinja2's grammar; tags that belong to files beside the template (`include`, `block` …) are not known. */
import { tokenize } from './lexer.ts';
import { Expressions } from './expressions.ts';
import { hiddenNames } from './scopes.ts';
import type { Expression, MacroNode, Statement, Target, Template } from './syntax.ts';
import { mistake, unsupported } from './fault.ts';

/** Tags of Jinja2 that transformers' environment knows and this parser does not. */
const foreign = ['autoescape', 'block', 'extends', 'from', 'import', 'include', 'print'];

/** @throws TemplateFault `mistake` or `unsupported` */
export function parseTemplate(source: string): Template {
  try {
    const body = new Parser(tokenize(source)).template();
    return { body, hidden: hiddenNames(body) };
  } catch (error) {
    if (error instanceof RangeError) throw mistake('brackets or blocks nested too deep', 1); // the engine's stack is full
    throw error;
  }
}

class Parser extends Expressions {
  /** Loops around the current statement, within its macro. */
  #loops = 0;

  template(): Statement[] {
    return this.#statements([]);
  }

  /** Up to a tag with one of these names, which becomes the current token; with none, up to the end. */
  #statements(ends: readonly string[]): Statement[] {
    const statements: Statement[] = [];
    for (;;) {
      const { type, text, line } = this.take();
      if (type === 'end') {
        if (ends.length === 0) return statements;
        throw mistake(`the template ends where ${ends.map((name) => `{% ${name} %}`).join(' or ')} is missing`, line);
      }
      if (type === 'data') statements.push({ line, kind: 'text', text });
      else if (type === 'output') {
        statements.push({ line, kind: 'output', value: this.tuple() });
        this.expect('output end');
      } else {
        if (ends.some((name) => this.isName(name))) return statements;
        statements.push(this.#statement());
        this.expect('tag end');
      }
    }
  }

  /** The block from here to the tag that ends it, whose name is skipped. */
  #body(...ends: string[]): { body: Statement[]; end: string } {
    this.skip('operator', ':');
    this.expect('tag end');
    return { body: this.#statements(ends), end: this.take().text };
  }

  #statement(): Statement {
    const { text: name, line } = this.expect('name');
    switch (name) {
      case 'if': return this.#if(line);
      case 'for': return this.#for(line);
      case 'set': return this.#set(line);
      case 'with': return this.#with(line);
      case 'macro': {
        const called = this.expect('name').text;
        return { line, kind: 'macro', macro: this.#macro(called, 'endmacro', () => this.#parameters()) };
      }
      case 'call': return this.#call(line);
      case 'filter': {
        const filter = this.filters(undefined, true)!;
        return { line, kind: 'filter block', filter, body: this.#body('endfilter').body };
      }
      case 'generation': return { line, kind: 'scope', body: this.#body('endgeneration').body };
      case 'break': case 'continue':
        if (this.#loops === 0) throw mistake(`{% ${name} %} outside of a loop`, line);
        return { line, kind: name };
      default:
        throw foreign.includes(name) ? unsupported(`the tag {% ${name} %}`, line) : mistake(`unknown tag {% ${name} %}`, line);
    }
  }

  #if(line: number): Statement {
    const branches: (readonly [Expression, Statement[]])[] = [];
    for (;;) {
      const test = this.tuple(false), { body, end } = this.#body('elif', 'else', 'endif');
      branches.push([test, body]);
      if (end === 'else') return { line, kind: 'if', branches, otherwise: this.#body('endif').body };
      if (end === 'endif') return { line, kind: 'if', branches, otherwise: [] };
    }
  }

  #for(line: number): Statement {
    const target = this.#target('in');
    this.expectName('in');
    const iterable = this.tuple(false, 'recursive');
    const test = this.skipName('if') ? this.expression() : undefined;
    if (this.isName('recursive')) throw unsupported('{% for … recursive %}', line);
    this.#loops++;
    const { body, end } = this.#body('endfor', 'else');
    this.#loops--;
    const otherwise = end === 'else' ? this.#body('endfor').body : [];
    return { line, kind: 'for', target, iterable, ...(test ? { test } : {}), body, otherwise };
  }

  #set(line: number): Statement {
    const target = this.#target();
    if (this.skip('operator', '=')) return { line, kind: 'set', target, value: this.tuple() };
    const filter = this.filters();
    return { line, kind: 'set block', target, ...(filter ? { filter } : {}), body: this.#body('endset').body };
  }

  #with(line: number): Statement {
    const pairs: (readonly [Target, Expression])[] = [];
    while (this.current.type !== 'tag end') {
      if (pairs.length > 0) this.expect('operator', ',');
      const target = this.#primaryTarget();
      this.expect('operator', '=');
      pairs.push([target, this.expression()]);
    }
    return { line, kind: 'with', pairs, body: this.#body('endwith').body };
  }

  #call(line: number): Statement {
    let parameters: MacroNode['parameters'] = [];
    if (this.is('operator', '(')) parameters = this.#parameters();
    const call = this.expression();
    if (call.kind !== 'call') throw mistake('{% call %} wants a call', line);
    return { line, kind: 'call block', macro: this.#macro('caller', 'endcall', () => parameters), callee: call.callee, args: call.args };
  }

  #macro(name: string, end: string, parameters: () => MacroNode['parameters']): MacroNode {
    const outer = this.reads, loops = this.#loops;
    this.reads = new Set();
    this.#loops = 0;
    const macro = { name, parameters: parameters(), body: this.#body(end).body, reads: this.reads };
    for (const read of this.reads) outer.add(read);
    this.reads = outer;
    this.#loops = loops;
    return macro;
  }

  #parameters(): MacroNode['parameters'] {
    const parameters: { name: string; preset?: Expression }[] = [];
    this.expect('operator', '(');
    while (!this.is('operator', ')')) {
      if (parameters.length > 0) this.expect('operator', ',');
      const { text: name, line } = this.expect('name');
      if (this.skip('operator', '=')) parameters.push({ name, preset: this.expression() });
      else if (parameters.at(-1)?.preset) throw mistake('a parameter without a default follows one with', line);
      else parameters.push({ name });
    }
    this.expect('operator', ')');
    return parameters;
  }

  /** `a`, `a.b` or a tuple of them, up to the end of the tag or to a name. */
  #target(end?: string): Target {
    const items = [this.#primaryTarget()];
    let isTuple = false;
    while (this.skip('operator', ',')) {
      isTuple = true;
      if (this.current.type === 'tag end' || this.is('operator', '=') || this.is('operator', ')') || (end && this.isName(end))) break;
      items.push(this.#primaryTarget());
    }
    return isTuple ? { kind: 'tuple', items } : items[0]!;
  }

  #primaryTarget(): Target {
    if (this.skip('operator', '(')) {
      const target = this.#target();
      this.expect('operator', ')');
      return target;
    }
    const { text: name, line } = this.expect('name');
    if (['true', 'false', 'none', 'True', 'False', 'None'].includes(name)) throw mistake(`'${name}' cannot be assigned`, line);
    if (this.skip('operator', '.')) return { kind: 'member', name, attribute: this.expect('name').text };
    return { kind: 'name', name };
  }
}

