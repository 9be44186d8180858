/** Figures of the server, in Prometheus' text format under llama-server's names. */
import type { GenerationStats } from 'clada';

export class Metrics {
  promptTokens = 0;
  cachedTokens = 0;
  promptSeconds = 0;
  tokens = 0;
  seconds = 0;
  longest = 0;
  readonly #answers = new Map<number, number>();

  /** An answer is complete. */
  add(stats: GenerationStats): void {
    this.promptTokens += stats.promptTokens - stats.cachedTokens;
    this.cachedTokens += stats.cachedTokens;
    this.promptSeconds += stats.promptMs / 1000;
    this.tokens += stats.generatedTokens;
    this.seconds += stats.generateMs / 1000;
    this.longest = Math.max(this.longest, stats.promptTokens + stats.generatedTokens);
  }

  /** A request was answered with this status. */
  answered(status: number): void { this.#answers.set(status, (this.#answers.get(status) ?? 0) + 1); }

  text(processing: number, deferred: number): string {
    const rate = (count: number, seconds: number): number => (seconds > 0 ? count / seconds : 0);
    const lines = (type: string, name: string, help: string, values: readonly (readonly [label: string, value: number])[]): string =>
      `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${values.map(([label, value]) => `${name}${label} ${value}\n`).join('')}`;
    const counter = (name: string, help: string, value: number): string => lines('counter', name, help, [['', value]]);
    const gauge = (name: string, help: string, value: number): string => lines('gauge', name, help, [['', value]]);
    return [
      counter('llamacpp:prompt_tokens_total', 'Number of prompt tokens processed.', this.promptTokens),
      counter('llamacpp:prompt_seconds_total', 'Prompt process time', this.promptSeconds),
      counter('llamacpp:tokens_predicted_total', 'Number of generation tokens processed.', this.tokens),
      counter('llamacpp:tokens_predicted_seconds_total', 'Predict process time', this.seconds),
      counter('llamacpp:n_tokens_max', 'Largest observed sequence length (prompt + generation)', this.longest),
      gauge('llamacpp:prompt_tokens_seconds', 'Average prompt throughput in tokens/s', rate(this.promptTokens, this.promptSeconds)),
      gauge('llamacpp:predicted_tokens_seconds', 'Average generation throughput in tokens/s', rate(this.tokens, this.seconds)),
      gauge('llamacpp:requests_processing', 'Number of requests processing', processing),
      gauge('llamacpp:requests_deferred', 'Number of requests deferred', deferred),
      counter('clada:prompt_tokens_cached_total', 'Number of prompt tokens that a cache held already.', this.cachedTokens),
      lines('counter', 'clada:requests_total', 'Requests by status of the answer.',
        [...this.#answers].sort(([a], [b]) => a - b).map(([status, n]) => [`{status="${status}"}`, n])),
    ].join('');
  }
}
