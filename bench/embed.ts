/**
 * Texts embedded a second against the speed of a prompt of as many tokens, which is what it should be: the same passes without a head.
 *
 *   tsx bench/embed.ts [MODEL.gguf] [THREADS]
 */
import { fileURLToPath } from 'node:url';
import { load } from '../src/index.ts';

const [path = fileURLToPath(new URL('../models/smollm2-135m-instruct-q4_1.gguf', import.meta.url)), threads = '1'] = process.argv.slice(2);
const model = await load(path, { contextSize: 1024, threads: Number(threads), calibration: false });
let seed = 0;
const text = (length: number): number[] => Array.from({ length }, () => (seed = (seed * 48_271 + 11) % 2_147_483_647) % model.info.vocab);

async function seconds(run: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await run();
  return (performance.now() - started) / 1000;
}

const total = 256, median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1]!;
await model.evaluate(text(total)); // warm
for (const length of [8, 32, 100, 256]) {
  const count = Math.max(1, Math.floor(total / length)), last: number[] = [], mean: number[] = [], prompt: number[] = [];
  for (let round = 0; round < 3; round++) { // in turns, so that what the machine does meanwhile befalls all
    const texts = (): number[][] => Array.from({ length: count }, () => text(length));
    const [a, b] = [texts(), texts()];
    prompt.push(total / await seconds(() => model.evaluate(text(total))));
    last.push(count * length / await seconds(() => model.embed(a)));
    mean.push(count * length / await seconds(() => model.embed(b, { pooling: 'mean' })));
  }
  const [p, l, m] = [prompt, last, mean].map(median) as [number, number, number];
  const share = (speed: number): string => `${speed.toFixed(0).padStart(5)} (${(speed / p).toFixed(2)})`;
  console.log(`${String(count).padStart(3)} texts of ${String(length).padStart(3)}: last ${share(l)}, mean ${share(m)} tokens/s, ${(l / length).toFixed(1)} texts/s; a prompt ${p.toFixed(0)}`);
}
model.close();
process.exit(0);
