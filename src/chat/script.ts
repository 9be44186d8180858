/**
 * What an answer may look like as a graph: fixed texts, values that a grammar holds, and free text in which certain words begin something.
 * A constraint walks it token by token. A token may reach over a border: it counts as far as each side takes its bytes.
 *
 * Texts are strings of bytes here, one character a byte: tokens end where they like, also in the middle of a character.
 */
import type { Constraint, Tokenizer } from 'clada';
import { InputError } from '../errors.ts';

/** A place in the graph. */
export type Node =
  /** These bytes. */
  | { readonly kind: 'text'; readonly text: string; readonly next: readonly Node[] }
  /** What another constraint allows, until its end. */
  | { readonly kind: 'held'; readonly make: () => Constraint; readonly next: readonly Node[] }
  /** Any text up to one of `words`, which is part of it; `ends`: it may end before. */
  | { readonly kind: 'free'; readonly words: readonly Word[]; readonly ends: boolean }
  /** The answer's end. */
  | { readonly kind: 'end' };

/** What begins something in free text; `first`: only where it comes first, white space aside. */
export interface Word { readonly text: string; readonly next: readonly Node[]; readonly first?: boolean }

const utf8 = new TextEncoder(), strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Bytes as a string, one character each. */
const byteString = (bytes: Uint8Array): string => {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
};
export const bytesOf = (text: string): string => byteString(utf8.encode(text));

export const end: Node = { kind: 'end' };
export const text = (value: string, ...next: Node[]): Node => ({ kind: 'text', text: bytesOf(value), next });
export const held = (make: () => Constraint, ...next: Node[]): Node => ({ kind: 'held', make, next });
export const until = (value: string, ...next: Node[]): Node => ({ kind: 'free', words: [{ text: bytesOf(value), next }], ends: false });

/** Where one of the ways that the text may have taken stands. */
type Stand =
  | { readonly node: Extract<Node, { kind: 'text' }>; readonly at: number }
  | { readonly node: Extract<Node, { kind: 'held' }>; readonly inner: Constraint }
  /** `tail`: as much of the text as a word may have begun in; `head`: its beginning, while that may become a first word. */
  | { readonly node: Extract<Node, { kind: 'free' }>; readonly tail: string; readonly head: string | undefined }
  | { readonly node: Extract<Node, { kind: 'end' }> };

/** Bytes of tokens, looked up once a tokenizer. */
class Vocabulary {
  readonly #bytes: (string | undefined)[] = [];
  #byFirst: number[][] | undefined;
  constructor(readonly tokenizer: Tokenizer) {}

  bytes(id: number): string {
    return this.#bytes[id] ??= byteString(this.tokenizer.tokenBytes(id));
  }

  /** Tokens by their first byte. */
  get byFirst(): readonly (readonly number[])[] {
    if (this.#byFirst) return this.#byFirst;
    const lists: number[][] = Array.from({ length: 256 }, () => []);
    for (let id = 0; id < this.tokenizer.vocabSize; id++) {
      const bytes = this.bytes(id);
      if (bytes !== '' && !this.tokenizer.isEog(id)) lists[bytes.charCodeAt(0)]!.push(id);
    }
    return this.#byFirst = lists;
  }

  /** Tokens that say these bytes, as text; undefined where they are none. */
  encode(bytes: string): Uint32Array | undefined {
    try {
      return this.tokenizer.encode(strict.decode(Uint8Array.from(bytes, (c) => c.charCodeAt(0))));
    } catch {
      return undefined;
    }
  }
}

const vocabularies = new WeakMap<Tokenizer, Vocabulary>();

/** Holds a text to a graph. */
export class Script implements Constraint {
  readonly #vocabulary: Vocabulary;
  readonly #nodes: Node[] = [];
  #stands: readonly Stand[];
  #ended = false;
  #mask: Uint32Array | undefined;

  constructor(private readonly tokenizer: Tokenizer, private readonly start: readonly Node[]) {
    let vocabulary = vocabularies.get(tokenizer);
    if (!vocabulary) vocabularies.set(tokenizer, vocabulary = new Vocabulary(tokenizer));
    this.#vocabulary = vocabulary;
    this.#stands = this.#enter(start);
  }

  allows(id: number): boolean {
    if (this.#ended) return false;
    if (this.tokenizer.isEog(id)) return this.#mayEnd();
    const bytes = this.#vocabulary.bytes(id), control = this.tokenizer.isControl(id);
    return bytes !== '' && this.#stands.some((stand) => this.#step(stand, bytes, id, control, false).length > 0);
  }

  accept(id: number): void {
    if (!this.allows(id)) {
      throw new InputError('E_OPTION', {
        subject: 'accepted token', found: String(id), expected: 'one that the constraint allows', remedy: 'Ask allows() or mask() first.',
      });
    }
    this.#mask = undefined;
    if (this.tokenizer.isEog(id)) { this.#ended = true; return; }
    const bytes = this.#vocabulary.bytes(id), control = this.tokenizer.isControl(id);
    this.#stands = this.#stands.flatMap((stand) => this.#step(stand, bytes, id, control, true));
  }

  /** Tokens that reach over the border of a held value are left out, though `allows` takes them: there are always others. */
  mask(): Uint32Array {
    if (this.#mask) return this.#mask;
    const { tokenizer } = this, mask = this.#mask = new Uint32Array(Math.ceil(tokenizer.vocabSize / 32));
    const add = (id: number): void => { mask[id >> 5]! |= 1 << (id & 31); };
    if (this.#ended) return mask;
    for (const stand of this.#stands) {
      if ('inner' in stand) stand.inner.mask().forEach((word, i) => { mask[i]! |= word; });
      else if ('at' in stand) {
        const rest = stand.node.text.slice(stand.at);
        for (const id of this.#vocabulary.byFirst[rest.charCodeAt(0)]!) if (rest.startsWith(this.#vocabulary.bytes(id))) add(id);
      } else if (stand.node.kind === 'free') {
        for (const list of this.#vocabulary.byFirst) {
          for (const id of list) if (this.#step(stand, this.#vocabulary.bytes(id), id, tokenizer.isControl(id), false).length > 0) add(id);
        }
      }
    }
    const ends = this.#mayEnd();
    for (const id of tokenizer.eogIds) {
      if (ends) add(id);
      else mask[id >> 5]! &= ~(1 << (id & 31));
    }
    return mask;
  }

  save(): unknown {
    const all = this.#all();
    return {
      ended: this.#ended,
      stands: this.#stands.map((stand) => ({
        node: all.indexOf(stand.node),
        ...('inner' in stand ? { inner: stand.inner.save() } : { ...stand, node: all.indexOf(stand.node) }),
      })),
    };
  }

  restore(state: unknown): void {
    const all = this.#all(), { ended, stands } = (state ?? {}) as { ended?: unknown; stands?: unknown };
    const refuse = (): never => {
      throw new InputError('E_OPTION', {
        subject: 'state of a constraint', found: 'another\'s, or none', expected: 'what save() gave, of the same request',
        remedy: 'Go on with the tools and formats that it was saved with.',
      });
    };
    if (typeof ended !== 'boolean' || !Array.isArray(stands)) refuse();
    this.#stands = (stands as { node?: number; at?: unknown; inner?: unknown; tail?: unknown; head?: unknown }[]).map((saved): Stand => {
      const node = all[saved?.node ?? -1] ?? refuse();
      if (node.kind === 'end') return { node };
      if (node.kind === 'text') {
        const at = saved.at as number;
        return Number.isInteger(at) && at >= 0 && at < node.text.length ? { node, at } : refuse();
      }
      if (node.kind === 'free') {
        return typeof saved.tail === 'string' && (saved.head === undefined || typeof saved.head === 'string')
          ? { node, tail: saved.tail, head: saved.head } : refuse();
      }
      const inner = node.make();
      inner.restore(saved.inner);
      return { node, inner };
    });
    this.#ended = ended as boolean;
    this.#mask = undefined;
  }

  /** Every node, in the order in which they are reached. */
  #all(): readonly Node[] {
    if (this.#nodes.length > 0) return this.#nodes;
    const seen = new Set<Node>(this.start);
    for (const node of seen) { // grows
      const next = node.kind === 'free' ? node.words.flatMap((word) => word.next) : node.kind === 'end' ? [] : node.next;
      for (const one of next) seen.add(one);
    }
    this.#nodes.push(...seen);
    return this.#nodes;
  }

  #enter(nodes: readonly Node[]): Stand[] {
    return nodes.flatMap((node): Stand[] => {
      if (node.kind === 'text') return node.text === '' ? this.#enter(node.next) : [{ node, at: 0 }];
      if (node.kind === 'held') return this.#open(node, node.make());
      return [node.kind === 'free' ? { node, tail: '', head: node.words.some(({ first }) => first) ? '' : undefined } : { node }];
    });
  }

  /** A held value, and what follows it where it may end. */
  #open(node: Extract<Node, { kind: 'held' }>, inner: Constraint): Stand[] {
    return [{ node, inner }, ...(this.#complete(inner) ? this.#enter(node.next) : [])];
  }

  #complete(inner: Constraint): boolean { return this.tokenizer.eogIds.some((id) => inner.allows(id)); }

  #mayEnd(): boolean { return this.#stands.some(({ node }) => node.kind === 'end' || (node.kind === 'free' && node.ends)); }

  /**
   * Where a stand comes to with more bytes; `id`: the token that they are, all of it. `moves`: a held value may go on itself, which is not
   * asked for where only `allows` wants to know.
   */
  #step(stand: Stand, bytes: string, id: number | undefined, control: boolean, moves: boolean): Stand[] {
    if (bytes === '') return [stand];
    if ('at' in stand) {
      const { node, at } = stand, rest = node.text.slice(at);
      if (rest.startsWith(bytes)) return rest.length > bytes.length ? [{ node, at: at + bytes.length }] : this.#enter(node.next);
      if (control || !bytes.startsWith(rest)) return [];
      return this.#through(node.next, bytes.slice(rest.length));
    }
    if ('inner' in stand) return control ? [] : this.#stepHeld(stand, bytes, id, moves);
    if ('tail' in stand) return this.#stepFree(stand, bytes, control);
    return [];
  }

  #through(nodes: readonly Node[], bytes: string): Stand[] {
    return this.#enter(nodes).flatMap((stand) => this.#step(stand, bytes, undefined, false, true));
  }

  #stepHeld({ node, inner }: Extract<Stand, { inner: Constraint }>, bytes: string, id: number | undefined, moves: boolean): Stand[] {
    if (id !== undefined && inner.allows(id)) {
      if (!moves) return [{ node, inner }];
      inner.accept(id);
      return this.#open(node, inner);
    }
    const fed = (head: string): Constraint | undefined => {
      const ids = this.#vocabulary.encode(head), copy = node.make();
      copy.restore(inner.save());
      for (const one of ids ?? []) {
        if (!copy.allows(one)) return undefined;
        copy.accept(one);
      }
      return ids && copy;
    };
    if (id === undefined) {
      const whole = fed(bytes);
      if (whole) return this.#open(node, whole);
    }
    for (let length = bytes.length - 1; length > 0; length--) {
      const copy = fed(bytes.slice(0, length));
      if (copy && this.#complete(copy)) return this.#through(node.next, bytes.slice(length));
    }
    return [];
  }

  #stepFree({ node, tail, head }: Extract<Stand, { tail: string }>, bytes: string, control: boolean): Stand[] {
    const all = tail + bytes;
    let found: { word: Word; at: number } | undefined;
    for (const word of node.words) {
      const at = word.first ? -1 : all.indexOf(word.text);
      if (at >= 0 && (!found || at < found.at)) found = { word, at };
    }
    if (found) {
      const rest = all.slice(found.at + found.word.text.length);
      return control && rest !== '' ? [] : rest === '' ? this.#enter(found.word.next) : this.#through(found.word.next, rest);
    }
    let begun: string | undefined;
    if (head !== undefined) {
      const said = (head + bytes).replace(/^[ \n\r\t]+/, ''), firsts = node.words.filter(({ first }) => first);
      const word = firsts.find((one) => said.startsWith(one.text));
      if (word) {
        const rest = said.slice(word.text.length);
        return rest === '' ? this.#enter(word.next) : this.#through(word.next, rest);
      }
      if (firsts.some((one) => one.text.startsWith(said))) begun = said;
    }
    const longest = Math.max(0, ...node.words.map((word) => word.text.length - 1));
    // a control token in a text that has to go on is the beginning of what ends it, or nothing
    if (control && !node.ends && !node.words.some((word) => word.text.startsWith(bytes))) return [];
    return [{ node, tail: longest > 0 ? all.slice(-longest) : '', head: begun }];
  }
}
