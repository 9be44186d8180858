/** What tells which tokens may come next: a grammar, a schema, whatever a caller makes. `clada/grammar` makes some. */

/**
 * Follows one text from its beginning and says what may come next. A token is drawn as if there were no constraint, and drawn again from
 * the allowed ones where it is refused: most tokens cost one `allows`, as in llama.cpp. One object serves one generation.
 *
 * Tokens that end a generation are allowed exactly where the text may end. At least one token must be allowed at any time.
 */
export interface Constraint {
  /** Whether the token may come next. */
  allows(id: number): boolean;
  /** All that may come next: bit id & 31 of word id >> 5. A view that is valid until `accept`; ids behind its end are not allowed. */
  mask(): Uint32Array;
  /** Goes on behind the token, one that is allowed. */
  accept(id: number): void;
  /** Where it stands, as plain JSON: snapshots keep it. */
  save(): unknown;
  /** Takes a fresh object, made of the same grammar, to where another stood. Throws at what is no such state. */
  restore(state: unknown): void;
}

/** The largest number of allowed tokens that are listed. */
const FEW = 256;

/** The ids that `mask` allows, below `size`; undefined where they are many. */
export function fewAllowed(mask: Uint32Array, size: number): number[] | undefined {
  const ids: number[] = [];
  for (let word = 0; word < mask.length; word++) {
    for (let bits = mask[word]!; bits !== 0; bits &= bits - 1) {
      const id = 32 * word + 31 - Math.clz32(bits & -bits);
      if (id < size) ids.push(id);
      if (ids.length > FEW) return undefined;
    }
  }
  return ids;
}

/** Makes the logits of all tokens that `mask` does not allow -Infinity. */
export function forbid(logits: Float32Array, mask: Uint32Array): void {
  for (let word = 0, id = 0; id < logits.length; word++) {
    const bits = mask[word] ?? 0, end = Math.min(id + 32, logits.length);
    if (bits === 0) logits.fill(-Infinity, id, end);
    else if (bits !== 0xffffffff) for (let i = id; i < end; i++) if ((bits >>> (i & 31) & 1) === 0) logits[i] = -Infinity;
    id = end;
  }
}
