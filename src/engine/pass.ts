/** What a pass is asked for. */
import { Wanted } from '../model/enums.ts';
import { recordBytes, tokenFields } from '../model/records.ts';

/**
 * What a pass does for a sequence: `tokens` (checked by the caller) behind it, of which the last `rows` leave logits and reports, or their
 * hidden states; parts that leave those come behind the others.
 */
export interface PassPart {
  readonly sequence: number;
  readonly tokens: Int32Array;
  readonly rows: number;
  readonly states?: boolean | undefined;
  /** Whether they join its statistics. */
  readonly counts: boolean;
  /** Whether they skip what the sequence's mask leaves out; it has been made. */
  readonly masked?: boolean | undefined;
  /** Logits are wanted exactly that are at most so far below the largest. Default: all. */
  readonly margin?: number | undefined;
}

/** Words of a TokenRecord. */
export const tokenWords = recordBytes(tokenFields) / 4;

/** Writes the table of tokens, each part from its `position` on; returns how many there are. */
export function fillTable(table: Int32Array, parts: readonly PassPart[], positionOf: (part: PassPart) => number): number {
  let at = 0;
  for (const part of parts) {
    const { sequence, tokens, rows } = part, position = positionOf(part), first = tokens.length - rows;
    const wanted = part.states ? Wanted.state : Wanted.logits;
    for (let t = 0; t < tokens.length; t++, at += tokenWords) {
      table.set([tokens[t]!, sequence, position + t, t < first ? Wanted.nothing : wanted], at);
    }
  }
  return at / tokenWords;
}
