/** Texts that no context holds are refused before they are tokenised: that would take seconds, in which nobody else is answered. */
import type { ChatMessage, Model } from 'clada';
import { tooLong } from './problem.ts';

/** UTF-8 bytes of the longest token, by model. */
const longest = new WeakMap<Model, number>();

function longestToken(model: Model): number {
  const { tokenizer } = model;
  let most = longest.get(model);
  if (most === undefined) {
    most = 1;
    for (let id = 0; id < tokenizer.vocabSize; id++) most = Math.max(most, tokenizer.tokenBytes(id).length);
    longest.set(model, most);
  }
  return most;
}

/** @throws Problem 400 where `characters` are more than the context's tokens could be */
export function checkLength(model: Model, characters: number, param: string): void {
  const { contextSize } = model.info;
  if (characters <= contextSize * longestToken(model)) return;
  throw tooLong(`This model's context is ${contextSize} tokens, which ${characters} characters cannot be.`, param);
}

/** As {@link checkLength}, of all messages together. */
export function checkMessages(model: Model, messages: readonly ChatMessage[], param: string): void {
  checkLength(model, messages.reduce((sum, { content }) => sum + (typeof content === 'string' ? content.length : 0), 0), param);
}
