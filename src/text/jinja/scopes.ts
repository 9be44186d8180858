/**
 * Names that begin undefined. Jinja2 settles where a name belongs before anything runs: one that a scope assigns before it reads it is the
 * scope's own from the beginning, and blocks inside it that read it earlier find nothing there, even if the caller gave a variable of that
 * name. Where an enclosing scope knows the name, or only a branch assigns it, it is looked up outside as usual.
 */
import type { Statement, Target, Template } from './syntax.ts';

/** For each body with a scope of its own, the names that are undefined in it until they are assigned. */
export function hiddenNames(template: readonly Statement[]): Template['hidden'] {
  const hidden = new Map<readonly Statement[], readonly string[]>();

  const scope = (body: readonly Statement[], parameters: readonly string[], outer: ReadonlySet<string>): void => {
    const known = new Set(parameters), first: string[] = [], inner: (() => void)[] = [];
    const load = (node: unknown): void => { for (const name of namesIn(node)) known.add(name); };
    const store = (name: string, isCertain: boolean): void => {
      if (isCertain && !known.has(name) && !outer.has(name)) first.push(name);
      known.add(name);
    };
    const assign = (target: Target, isCertain: boolean): void => {
      for (const one of leaves(target)) if (one.kind === 'member') known.add(one.name); else store(one.name, isCertain);
    };
    const nested = (statements: readonly Statement[], names: readonly string[] = []): void => {
      inner.push(() => { scope(statements, names, new Set([...outer, ...known])); });
    };
    const visit = (statements: readonly Statement[], isCertain: boolean): void => {
      for (const statement of statements) {
        switch (statement.kind) {
          case 'output': load(statement.value); break;
          case 'if':
            for (const [test, branch] of statement.branches) { load(test); visit(branch, false); }
            visit(statement.otherwise, false);
            break;
          case 'for':
            load(statement.iterable);
            nested(statement.body, ['loop', ...targetNames(statement.target)]);
            nested(statement.otherwise);
            break;
          case 'set': load(statement.value); assign(statement.target, isCertain); break;
          case 'set block': assign(statement.target, isCertain); nested(statement.body); break;
          case 'with':
            for (const [, value] of statement.pairs) load(value);
            nested(statement.body, statement.pairs.flatMap(([target]) => targetNames(target)));
            break;
          case 'filter block': load(statement.filter); nested(statement.body); break;
          case 'macro': case 'call block': {
            const { name, parameters: given, body: macro } = statement.macro;
            if (statement.kind === 'macro') store(name, isCertain);
            else load([statement.callee, statement.args]);
            const read = given.flatMap(({ name: parameter, preset }) => [parameter, ...namesIn(preset)]);
            nested(macro, [...read, 'caller', 'kwargs', 'varargs']);
            break;
          }
          case 'scope': nested(statement.body); break;
          default:
        }
      }
    };
    visit(body, true);
    if (first.length > 0) hidden.set(body, first);
    for (const run of inner) run(); // with all names of this scope known, also later ones
  };

  scope(template, [], new Set());
  return hidden;
}

function leaves(target: Target): Exclude<Target, { kind: 'tuple' }>[] {
  return target.kind === 'tuple' ? target.items.flatMap(leaves) : [target];
}

const targetNames = (target: Target): string[] => leaves(target).map(({ name }) => name);

/** Every name that an expression reads. */
function namesIn(node: unknown): string[] {
  if (typeof node !== 'object' || node === null) return [];
  const { kind, name } = node as { kind?: unknown; name?: unknown };
  return kind === 'name' ? [name as string] : Object.values(node).flatMap(namesIn);
}
