/**
 * The head in two stages beside the whole one. At positions of prose and code (this project's), arithmetic and chat (the model's own answers) the
 * distribution after them, first as two stages leave it, then all of it: greedy tokens, sets of top-k and draws that differ, rows read whole, errors of
 * entropy and log-sum-exp in nats and in the standard error that is stated. Then whole tokens, taking turns in one process, on one and two threads.
 *
 *   tsx bench/head.ts MODEL [POSITIONS of each kind]
 */
import { readFileSync } from 'node:fs';
import { Engine } from '../src/engine/engine.ts';
import { openFile } from '../src/bytes/file.ts';
import { readGguf } from '../src/format/gguf/read.ts';
import { load } from '../src/index.ts';
import { DEVIATIONS, stagedPlan } from '../src/model/head.ts';
import { defaultKv } from '../src/model/memory.ts';
import { planModel } from '../src/model/plan.ts';
import { createSampler } from '../src/sampler/sampler.ts';
import { exactOf } from '../src/session/exact.ts';

const [path, count = '1250'] = process.argv.slice(2), POSITIONS = Number(count), CONTEXT = 512, ROUNDS = 16;
const read = (...names: string[]): string => names.map((name) => readFileSync(new URL(`../${name}`, import.meta.url), 'utf8')).join('\n');
const questions = ['Why is the sky blue?', 'Tell me a story about a fox and a clock.', 'How do I boil an egg?', 'What is a prime number?', 'Write a poem about rain.', 'Explain recursion to a child.'];

/** Token ids of each kind, cut into documents that fit the context. */
async function documents(): Promise<Map<string, number[][]>> {
  await using model = await load(path!, { head: 'whole', contextSize: CONTEXT });
  const cut = (ids: readonly number[]): number[][] => {
    const list: number[][] = [];
    for (let at = 0; at < Math.min(ids.length, POSITIONS); at += CONTEXT) list.push(ids.slice(at, Math.min(at + CONTEXT, POSITIONS)));
    return list;
  };
  const tokens = (text: string): number[][] => cut([...model.tokenizer.encode(text)]);
  const sums = Array.from({ length: 400 }, (_, i) => `${17 * i + 3} + ${29 * i + 11} = ${46 * i + 14}, ${i} * 7 = ${7 * i}`).join('\n'), chats: number[][] = [];
  for (let i = 0, n = 0; n < POSITIONS; i++) {
    const prompt = `Question: ${questions[i % questions.length]!}\nAnswer:`, own = [...model.tokenizer.encode(prompt)];
    own.push(...(await model.generate(prompt, { seed: i, maxTokens: 200, telemetry: false }).tokens()).map(({ id }) => id));
    chats.push(own.slice(0, POSITIONS - n));
    n += own.length;
  }
  return new Map([
    ['prose', tokens(read('README.md', 'docs/adaptive.md', 'docs/sessions.md', 'docs/memory.md'))], ['code', tokens(read('src/sampler/sampler.ts', 'src/text/generate.ts', 'scripts/build.ts'))],
    ['arithmetic', tokens(sums)], ['chat', chats],
  ]);
}

const texts = await documents(), parts = [await openFile(path!)], file = await readGguf(parts), plan = planModel(file);
const open = (staged: boolean, threads: number): Promise<Engine> => Engine.open(
  file, stagedPlan(plan, staged ? { deviations: DEVIATIONS } : 'whole'), { contextSize: CONTEXT, kv: defaultKv(plan), tier: 'auto', threads },
);
const root = (values: number[]): number => Math.sqrt(values.reduce((sum, v) => sum + v * v, 0) / values.length), largest = (values: number[]): number => values.reduce((a, b) => Math.max(a, b), 0);
const topK = (logits: Float32Array, k: number): string => [...logits.keys()].sort((a, b) => logits[b]! - logits[a]! || a - b).slice(0, k).sort((a, b) => a - b).join();

async function quality(): Promise<void> {
  const engine = await open(true, 1), ptr = engine.openSequence(), exact = exactOf(engine, ptr), K = 20;
  const rows: Record<string, unknown>[] = [];
  for (const [kind, list] of texts) {
    let positions = 0, tops = 0, sets = 0, draws = 0, greedy = 0, sampled = 0;
    const entropies: number[] = [], sums: number[] = [], ratios: number[] = [];
    for (const ids of list) {
      engine.truncate(ptr, 0);
      for (const id of ids) {
        engine.pass([{ sequence: ptr, tokens: Int32Array.of(id), rows: 1, counts: false, margin: 0 }]);
        const near = engine.report(ptr), options = { seed: positions }, drawn = createSampler(options).sample(engine.logits(ptr), exact);
        sampled += engine.report(ptr).refined;
        const kept = positions % 16 === 0 ? topK((createSampler({ topK: K, minP: 0, topP: 1 }).sample(engine.logits(ptr), exact), engine.logits(ptr)), K) : undefined;
        engine.refine(ptr);
        const { topToken, entropy, logSumExp } = engine.report(ptr), logits = engine.logits(ptr);
        positions++;
        greedy += near.refined;
        tops += Number(near.topToken !== topToken);
        sets += Number(kept !== undefined && kept !== topK(logits, K));
        draws += Number(createSampler(options).sample(logits) !== drawn);
        entropies.push(Math.abs(near.entropy - entropy));
        sums.push(Math.abs(near.logSumExp - logSumExp));
        if (near.tailError > 1e-4) ratios.push((near.logSumExp - logSumExp) / near.tailError);
      }
    }
    rows.push({
      kind, positions, 'other greedy': tops, [`other top ${K}`]: sets, 'other draws': draws, 'rows, greedy': Math.round(greedy / positions), 'rows, drawn': Math.round(sampled / positions),
      'entropy, rms': +root(entropies).toFixed(3), 'entropy, most': +largest(entropies).toFixed(3), 'log-sum-exp, rms': +root(sums).toFixed(3), 'log-sum-exp, most': +largest(sums).toFixed(3),
      'of stated, rms': +root(ratios).toFixed(2),
    });
  }
  console.table(rows);
  engine.close();
}

async function speed(threads: number): Promise<void> {
  const [engine, whole] = [await open(true, threads), await open(false, threads)];
  const ids = texts.get('prose')![0]!.slice(0, 24), turns = [[engine, engine.openSequence(), 0], [engine, engine.openSequence(), Infinity], [whole, whole.openSequence(), Infinity]] as const;
  const ms: number[][] = turns.map(() => []), ratios: number[][] = turns.map(() => []);
  for (let round = 0; round < ROUNDS; round++) {
    for (const [one, ptr] of turns) one.truncate(ptr, 0);
    for (const [i, id] of ids.entries()) {
      const took: number[] = [];
      for (let k = 0; k < 3; k++) {
        const n = (k + i + round) % 3, [one, sequence, margin] = turns[n]!, started = performance.now();
        one.pass([{ sequence, tokens: Int32Array.of(id), rows: 1, counts: false, margin }]);
        took[n] = performance.now() - started;
      }
      if (round > 1) for (const [n, time] of took.entries()) { ms[n]!.push(time); ratios[n]!.push(time / took[0]!); }
    }
  }
  const at = (list: number[], part: number): string => list.sort((a, b) => a - b)[Math.floor(part * list.length)]!.toFixed(3);
  const [staged, both, one] = ms.map((list) => at(list, 0.5));
  console.log(`${threads} thread${threads > 1 ? 's' : ''}: two stages ${staged} ms, all rows with a sketch beside ${both} (${at(ratios[1]!, 0.5)}x), whole head ${one} (${at(ratios[2]!, 0.5)}x, quartiles ${at(ratios[2]!, 0.25)} and ${at(ratios[2]!, 0.75)})`);
  engine.close();
  whole.close();
}

if (POSITIONS > 32) await quality();
for (const threads of [1, 2]) await speed(threads);
process.exit(0);
