/** Whether texts are in a grammar. */
import { compile, inlineSmall } from './automaton.ts';
import type { Grammar } from './expr.ts';
import { dead, Machine } from './machine.ts';

const utf8 = new TextEncoder();

export function matcher(grammar: Grammar): (text: string) => boolean {
  const machine = new Machine(compile(inlineSmall(grammar)));
  return (text) => {
    const config = machine.run(machine.start, utf8.encode(text));
    return config !== dead && machine.accepting[config]!;
  };
}
