/** What a template is made of: the nodes of Jinja2's grammar. */
import type { Value } from './values.ts';

export interface Arguments {
  readonly positional: readonly Expression[];
  readonly named: readonly (readonly [string, Expression])[];
  /** `*list` and `**dict`. */
  readonly list?: Expression;
  readonly dict?: Expression;
}

export interface Slice { readonly from?: Expression; readonly to?: Expression; readonly step?: Expression }

export type Comparison = '==' | '!=' | '<' | '<=' | '>' | '>=' | 'in' | 'not in';
export type Operator = '+' | '-' | '*' | '/' | '//' | '%' | '**';

export type Expression = { readonly line: number } & (
  | { readonly kind: 'constant'; readonly value: Value }
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'list' | 'tuple' | 'concat'; readonly items: readonly Expression[] }
  | { readonly kind: 'dict'; readonly pairs: readonly (readonly [Expression, Expression])[] }
  | { readonly kind: 'unary'; readonly operator: '+' | '-' | 'not'; readonly operand: Expression }
  | { readonly kind: 'binary'; readonly operator: Operator; readonly left: Expression; readonly right: Expression }
  | { readonly kind: 'and' | 'or'; readonly left: Expression; readonly right: Expression }
  | { readonly kind: 'compare'; readonly first: Expression; readonly rest: readonly (readonly [Comparison, Expression])[] }
  | { readonly kind: 'if'; readonly test: Expression; readonly yes: Expression; readonly no?: Expression }
  | { readonly kind: 'attribute'; readonly object: Expression; readonly name: string }
  | { readonly kind: 'item'; readonly object: Expression; readonly key: Expression }
  | { readonly kind: 'slice'; readonly object: Expression; readonly slice: Slice }
  | { readonly kind: 'call'; readonly callee: Expression; readonly args: Arguments }
  | FilterNode
  | { readonly kind: 'test'; readonly operand: Expression; readonly name: string; readonly args: Arguments }
);

/** Without an operand it is applied to the text of a block. */
export interface FilterNode {
  readonly line: number;
  readonly kind: 'filter';
  readonly operand?: Expression;
  readonly name: string;
  readonly args: Arguments;
}

export type Target =
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'member'; readonly name: string; readonly attribute: string }
  | { readonly kind: 'tuple'; readonly items: readonly Target[] };

export interface MacroNode {
  readonly name: string;
  readonly parameters: readonly { readonly name: string; readonly preset?: Expression }[];
  readonly body: readonly Statement[];
  /** Names that the body reads; `caller`, `kwargs` and `varargs` are given only to macros that do. */
  readonly reads: ReadonlySet<string>;
}

/** A template that can be run. */
export interface Template {
  readonly body: readonly Statement[];
  /** Of each body with a scope of its own: names that are undefined there until they are assigned. */
  readonly hidden: ReadonlyMap<readonly Statement[], readonly string[]>;
}

export type Statement = { readonly line: number } & (
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'output'; readonly value: Expression }
  | { readonly kind: 'if'; readonly branches: readonly (readonly [Expression, readonly Statement[]])[];
      readonly otherwise: readonly Statement[] }
  | { readonly kind: 'for'; readonly target: Target; readonly iterable: Expression; readonly test?: Expression;
      readonly body: readonly Statement[]; readonly otherwise: readonly Statement[] }
  | { readonly kind: 'set'; readonly target: Target; readonly value: Expression }
  | { readonly kind: 'set block'; readonly target: Target; readonly filter?: FilterNode; readonly body: readonly Statement[] }
  | { readonly kind: 'with'; readonly pairs: readonly (readonly [Target, Expression])[]; readonly body: readonly Statement[] }
  | { readonly kind: 'filter block'; readonly filter: FilterNode; readonly body: readonly Statement[] }
  | { readonly kind: 'macro'; readonly macro: MacroNode }
  | { readonly kind: 'call block'; readonly macro: MacroNode; readonly callee: Expression; readonly args: Arguments }
  /** `{% generation %}`: marks what the assistant says; for training, here only a scope. */
  | { readonly kind: 'scope'; readonly body: readonly Statement[] }
  | { readonly kind: 'break' | 'continue' }
);
