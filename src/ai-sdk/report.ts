/** Figures of an answer, as the AI SDK hands them on. */
import type { GeneratedToken, GenerationStats } from 'clada';
import type { FinishReason } from 'clada/chat';
import type { ByProvider, Finish, JsonObject, JsonValue, Usage } from './types.ts';

/** Where nothing was counted. */
export const unknownUsage: Usage = {
  inputTokens: { total: undefined, noCache: undefined, cacheRead: undefined, cacheWrite: undefined },
  outputTokens: { total: undefined, text: undefined, reasoning: undefined },
};

export function usageOf({ promptTokens, cachedTokens, generatedTokens }: GenerationStats, reasoning: number): Usage {
  return {
    inputTokens: { total: promptTokens, noCache: promptTokens - cachedTokens, cacheRead: cachedTokens, cacheWrite: undefined },
    outputTokens: { total: generatedTokens, text: generatedTokens - reasoning, reasoning },
  };
}

/** An answer that somebody else took over has no reason. */
export const finishOf = (reason: FinishReason | undefined, raw: string | undefined): Finish => ({ unified: reason ?? 'other', raw });

/** As JSON has it: no number is null. */
const number = (value: number | undefined): JsonValue => (Number.isFinite(value) ? value! : null);
const numbers = (values: object): JsonObject =>
  Object.fromEntries(Object.entries(values).flatMap(([name, value]) => (typeof value === 'number' ? [[name, number(value)]] : [])));

/** The text of a token. */
export type TextOf = (id: number) => string;

/** Log-probabilities of tokens, and of what else was likely. */
export function logprobsOf(tokens: readonly GeneratedToken[], textOf: TextOf): JsonValue[] {
  const one = ({ id, logprob }: { id: number; logprob: number }): JsonObject => ({ id, token: textOf(id), logprob: number(logprob) });
  return tokens.map((token) => ({ ...one(token), top: (token.top ?? []).map(one) }));
}

/** `providerMetadata`: speeds, seed, what was skipped and what that was measured to change; log-probabilities where asked for. */
export function metadataOf(stats: GenerationStats, logprobs: JsonValue[] | undefined): ByProvider {
  const { method, density, expected, measured, warnings, stopReason, stop, seed, promptMs, generateMs } = stats;
  return {
    clada: {
      stopReason: stopReason ?? null, stop: stop ?? null, seed, promptMs, generateMs,
      promptPerSecond: number(stats.promptPerSecond), generatePerSecond: number(stats.generatePerSecond),
      sparsity: {
        method: method ?? null, density: number(density),
        expected: expected ? numbers(expected) : null, measured: measured ? numbers(measured) : null, warnings: [...warnings],
      },
      ...(logprobs ? { logprobs } : {}),
    },
  };
}
