/**
 * Text that arrives in pieces, read as if all of it were there: parsers are generator functions that yield where they need more. How it was
 * cut makes no difference to what they find.
 */

/** What a parser is: it yields where it waits for text. */
export type Reading<T> = Generator<void, T>;

/** Text so far, and where reading stands in it. A parser may go back to a place that it has been at. */
export class Reader {
  text = '';
  at = 0;
  /** Nothing follows. */
  ended = false;

  /** Waits until there is more than what is there. False: there is not. */
  *more(): Reading<boolean> {
    const { length } = this.text;
    while (this.text.length === length) {
      if (this.ended) return false;
      yield;
    }
    return true;
  }

  /** The next character, which is not taken; '' at the end. */
  *peek(): Reading<string> {
    if (this.at === this.text.length) yield* this.more();
    return this.text[this.at] ?? '';
  }

  /** Takes white space. */
  *space(): Reading<void> {
    for (;;) {
      while (this.at < this.text.length && isSpace(this.text[this.at]!)) this.at++;
      if (this.at < this.text.length || !(yield* this.more())) return;
    }
  }

  /** Takes `word` if it comes next. */
  *takes(word: string): Reading<boolean> {
    while (this.text.length - this.at < word.length) {
      if (!word.startsWith(this.text.slice(this.at)) || !(yield* this.more())) return false;
    }
    if (!this.text.startsWith(word, this.at)) return false;
    this.at += word.length;
    return true;
  }

  /** Takes what matches next, at most `most` characters: a name. */
  *word(character: RegExp, most = 256): Reading<string> {
    const from = this.at;
    while (this.at - from < most && character.test(yield* this.peek())) this.at++;
    return this.text.slice(from, this.at);
  }

  /**
   * Reads up to the first of `marks`, which is taken; `each` gets the text before it as it becomes certain. Undefined: there was none, and
   * all is read. White space before a mark (all of it that `trimmed` says) belongs to nobody.
   */
  *until(
    marks: readonly string[], each: (text: string, from: number) => void, trimmed: 'space' | 'newline' | 'none' = 'none',
  ): Reading<string | undefined> {
    for (;;) {
      const rest = this.text.slice(this.at), found = firstOf(rest, marks);
      const end = found ? found.at : this.ended ? rest.length : rest.length - held(rest, marks);
      const kept = trimmed === 'none' || (this.ended && !found) ? end
        : trimmed === 'space' ? rest.slice(0, end).trimEnd().length : rest.slice(0, end).replace(/\n$/, '').length;
      if (kept > 0) each(rest.slice(0, kept), this.at);
      this.at += found ? found.at + found.mark.length : kept;
      if (found) return found.mark;
      if (!(yield* this.more()) && this.at === this.text.length) return undefined;
    }
  }
}

export const isSpace = (character: string): boolean => character === ' ' || character === '\n' || character === '\t' || character === '\r';

/** The mark that comes first; of those at the same place the longest. */
function firstOf(text: string, marks: readonly string[]): { mark: string; at: number } | undefined {
  let best: { mark: string; at: number } | undefined;
  for (const mark of marks) {
    const at = text.indexOf(mark);
    if (at >= 0 && (!best || at < best.at || (at === best.at && mark.length > best.mark.length))) best = { mark, at };
  }
  return best;
}

/** Length of the end of `text` that may become a mark. */
function held(text: string, marks: readonly string[]): number {
  for (let length = Math.min(Math.max(0, ...marks.map((mark) => mark.length - 1)), text.length); length > 0; length--) {
    const end = text.slice(-length);
    if (marks.some((mark) => mark.length > length && mark.startsWith(end))) return length;
  }
  return 0;
}
