/**
 * Whole tokens: prefill and decode of the embedded model on both builds, taking turns, each decode beside a measurement of the memory
 * bandwidth. Decode is measured as users meet it: `generate`, greedy, sampling and text included.
 */
import { load } from 'clada';
import type { Model, Tier } from 'clada';
import { median, range, table } from './report.ts';

export const modelFile = 'models/smollm2-135m-instruct-q4_1.gguf';

/** Tokens that mean nothing, different in every run so that no prefix is reused. */
export function nonsense(count: number, run: number, vocab: number): number[] {
  return Array.from({ length: count }, (_, i) => ((i + 1) * 7919 + (run + 1) * 104_729) % vocab);
}

/** Tokens a second of a prompt of `count` tokens. */
export async function prefillSpeed(model: Model, count: number, run: number): Promise<number> {
  const tokens = nonsense(count, run, model.info.vocab), started = performance.now();
  await model.evaluate(tokens);
  return (1000 * count) / (performance.now() - started);
}

/** Tokens a second of `count` tokens behind a prompt of 12. */
export async function decodeSpeed(model: Model, count: number, run: number): Promise<number> {
  const generation = model.generate(nonsense(12, run, model.info.vocab), { temperature: 0, ignoreEos: true, maxTokens: count + 1 });
  await generation.tokens();
  return generation.stats().generatePerSecond;
}

export async function benchModel(rounds: number, tiers: readonly Tier[]): Promise<void> {
  const runs: { model: Model; prefill: number[]; decode: number[]; bandwidth: number[] }[] = [];
  for (const tier of tiers) runs.push({ model: await load(modelFile, { tier, threads: 1, contextSize: 512 }), prefill: [], decode: [], bandwidth: [] });
  for (let round = -1; round < rounds; round++) { // the first warms up
    for (const { model, prefill, decode, bandwidth } of round % 2 ? runs : [...runs].reverse()) {
      const figures = [await prefillSpeed(model, 512, 2 * round + 2), await decodeSpeed(model, 128, 2 * round + 3), Math.max(model.measureBandwidth(), model.measureBandwidth())];
      if (round >= 0) [prefill, decode, bandwidth].forEach((list, i) => list.push(figures[i]!));
    }
  }
  console.log(`\nEmbedded model, one thread, builds taking turns, ${rounds} rounds: median (least … most)\n`);
  console.log(table(
    ['build', 'pp512 tok/s', 'tg128 tok/s', 'decode GB/s', 'memory GB/s', 'decode / memory', 'prefill / decode'],
    runs.map(({ model, prefill, decode, bandwidth }) => {
      const gigabytes = decode.map((speed) => (speed * model.info.weightBytesPerToken) / 1e9);
      return [
        model.info.tier, range(prefill, 0), range(decode, 1), median(gigabytes).toFixed(1), range(bandwidth, 1),
        range(gigabytes.map((value, i) => value / bandwidth[i]!), 2), range(prefill.map((value, i) => value / decode[i]!), 2),
      ];
    }),
  ));
  for (const { model } of runs) model.close();
}
