/** Texts that no context holds are refused before they are tokenised: that would take seconds, in which nobody else is answered. */
import type { Model } from 'clada';
import type { ChatRequest } from 'clada/chat';
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

/** As {@link checkLength}, of all that a template shows: messages, earlier calls, tools that may be called. */
export function checkRequest(model: Model, { messages, tools, toolChoice }: ChatRequest, param: string): void {
  const shown: (string | undefined)[] = toolChoice === 'none' ? [] : (tools ?? []).map(({ description }) => description);
  for (const { content, tool_calls } of messages) {
    if (typeof content === 'string') shown.push(content);
    for (const call of (tool_calls ?? []) as { function: { arguments: string } }[]) shown.push(call.function.arguments);
  }
  checkLength(model, shown.reduce((sum, text) => sum + (text?.length ?? 0), 0), param);
}
