/** A text that follows a grammar, token by token. */
import type { Constraint } from 'clada';
import type { Automaton } from './automaton.ts';
import { compile } from './automaton.ts';
import { refused, type Grammar } from './expr.ts';
import { dead, Machine } from './machine.ts';
import { Masks } from './mask.ts';
import type { Tokens } from './trie.ts';

/** Configurations after which what has been looked up is forgotten. */
const most = 20_000;

/** A compiled grammar over a vocabulary, for any number of texts. */
export class CompiledGrammar {
  readonly automaton: Automaton;
  #run: { readonly machine: Machine; readonly masks: Masks };

  constructor(grammar: Grammar, readonly tokens: Tokens) {
    this.automaton = compile(grammar);
    this.#run = this.#fresh();
  }

  /** What has been looked up so far; a text that has begun keeps its own until it asks again. */
  get run(): { readonly machine: Machine; readonly masks: Masks } {
    if (this.#run.machine.nConfigs > most) this.#run = this.#fresh();
    return this.#run;
  }

  #fresh(): { readonly machine: Machine; readonly masks: Masks } {
    const machine = new Machine(this.automaton);
    return { machine, masks: new Masks(machine, this.tokens) };
  }

  constraint(): Constraint { return new GrammarConstraint(this); }
}

class GrammarConstraint implements Constraint {
  #run: CompiledGrammar['run'];
  #config: number;
  /** Everything accepted so far, in UTF-8, one character a byte. */
  #said = '';
  #ended = false;

  constructor(private readonly grammar: CompiledGrammar) {
    this.#run = grammar.run;
    this.#config = this.#run.machine.start;
  }

  allows(id: number): boolean {
    const { machine } = this.#run, { eogIds, blob, starts } = this.grammar.tokens;
    if (this.#ended) return false;
    if (eogIds.includes(id)) return machine.accepting[this.#config]!;
    const from = starts[id]!, end = starts[id + 1]!;
    return from < end && machine.run(this.#config, blob, from, end) !== dead;
  }

  mask(): Uint32Array {
    return this.#run.masks.of(this.#ended ? dead : this.#config);
  }

  accept(id: number): void {
    const { eogIds, blob, starts } = this.grammar.tokens;
    if (!this.allows(id)) {
      throw refused('accepted token', String(id), 'one that the constraint allows', 'Ask allows() or mask() first.');
    }
    if (eogIds.includes(id)) { this.#ended = true; return; }
    const bytes = blob.subarray(starts[id], starts[id + 1]);
    this.#config = this.#run.machine.run(this.#config, bytes);
    this.#said += String.fromCharCode(...bytes);
    const { run } = this.grammar;
    if (run !== this.#run) this.#moveTo(run, this.#said);
  }

  save(): { said: string; ended: boolean } {
    return { said: this.#said, ended: this.#ended };
  }

  restore(state: unknown): void {
    const { said, ended } = (typeof state === 'object' && state !== null ? state : {}) as { said?: unknown; ended?: unknown };
    const valid = typeof said === 'string' && typeof ended === 'boolean' && !/[^\u0000-\u00ff]/.test(said);
    if (!valid || !this.#moveTo(this.grammar.run, said) || (ended && !this.#run.machine.accepting[this.#config])) {
      throw refused('state of a constraint', valid ? 'a text that this grammar does not allow' : 'none',
        'what save() gave, of the same grammar', 'Make the constraint of the schema or grammar that it was saved with.');
    }
    this.#ended = ended;
  }

  #moveTo(run: CompiledGrammar['run'], said: string): boolean {
    const config = run.machine.run(run.machine.start, Array.from(said, (char) => char.charCodeAt(0)));
    if (config === dead) return false;
    this.#run = run;
    this.#config = config;
    this.#said = said;
    return true;
  }
}
