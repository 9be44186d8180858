/** What a generation begins with, and what stays of it when the context is full. */

/**
 * @internal the tokens that a generation begins with. `room`: how many there should be at most, where something can be left out; undefined:
 * nothing may. `keep`: the leading tokens that a full context never pushes out.
 */
export type Prompt = (room?: number) => { readonly tokens: ArrayLike<number>; readonly keep: number };

/**
 * What stays of `tokens`, the last `generated` of them an answer, when the oldest leave a full context: of a chat whole turns leave, if
 * that frees a quarter of the context; else all between what is to stay and the younger half. Undefined where too much is to stay.
 */
export function withoutOldest(tokens: readonly number[], generated: number, prompt: Prompt, contextSize: number): number[] | undefined {
  const limit = contextSize - (contextSize >> 2), answer = tokens.slice(-Math.min(tokens.length, generated));
  const { tokens: asked, keep } = prompt(limit - answer.length), whole = [...Array.from(asked), ...answer];
  const young = Math.max(1, (contextSize - keep) >> 1);
  const next = keep === asked.length && whole.length <= limit ? whole : [...whole.slice(0, keep), ...whole.slice(keep).slice(-young)];
  return next.length < contextSize ? next : undefined;
}
