/** What lies in the cache of a sequence, as the host knows it: which tokens, and how each row came to be. */
import { RowKind } from './saved.ts';

const { counted, uncounted, sparse } = RowKind;

export class Rows {
  /** Ids of the positions in the cache, and a RowKind each; behind `length` anything. */
  readonly tokens: Int32Array;
  readonly kinds: Uint8Array;
  length = 0;
  /** Leading tokens that the statistics know. */
  counted = 0;
  /** Whether the logits are those after the last token. */
  hasLogits = false;

  constructor(capacity: number) {
    this.tokens = new Int32Array(capacity);
    this.kinds = new Uint8Array(capacity);
  }

  /** How many leading tokens of `tokens` there are. */
  common(tokens: ArrayLike<number>): number {
    const limit = Math.min(this.length, tokens.length);
    let same = 0;
    while (same < limit && this.tokens[same] === tokens[same]) same++;
    return same;
  }

  /** The same, but of those before `denseTo` only as long as none was decoded sparsely. */
  commonDense(tokens: ArrayLike<number>, denseTo: number): number {
    const limit = this.common(tokens);
    let same = 0;
    while (same < limit && (same >= denseTo || this.kinds[same] !== sparse)) same++;
    return same;
  }

  /** Puts those of `tokens` up to `end` behind the rows, which are about to be computed; a view of them. */
  upcoming(tokens: ArrayLike<number>, end: number): Int32Array {
    for (let i = this.length; i < end; i++) this.tokens[i] = tokens[i]!;
    return this.tokens.subarray(this.length, end);
  }

  /** `count` more of them are there. */
  add(count: number, kind: number, hasLogits: boolean): void {
    this.kinds.fill(kind, this.length, this.length + count);
    this.length += count;
    if (kind === counted) this.counted = Math.max(this.counted, this.length);
    this.hasLogits = hasLogits;
  }

  /** A copy of the first `length`: which the statistics know, where they know no others. */
  first(length: number): { tokens: Int32Array; rows: Uint8Array; counted: number } {
    const rows = this.kinds.slice(0, length), isKnown = this.counted > 0 && this.counted <= length;
    if (!isKnown) rows.forEach((kind, i) => { if (kind === counted) rows[i] = uncounted; });
    return { tokens: this.tokens.slice(0, length), rows, counted: isKnown ? this.counted : 0 };
  }

  /** The statistics are forgotten. */
  forget(): void {
    for (let i = 0; i < this.counted; i++) if (this.kinds[i] === counted) this.kinds[i] = uncounted;
    this.counted = 0;
  }
}
