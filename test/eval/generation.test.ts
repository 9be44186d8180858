/** ROUGE-L and numbers by hand, answers scored and resumed. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { generationTasks, lastNumber, readGenerationItems, runGeneration, summariseGeneration, type GenerationName } from '../../src/eval/generation.ts';
import { memoryLog, type GenerationRecord } from '../../src/eval/records.ts';
import { rougeL } from '../../src/eval/rouge.ts';
import { madeUp } from '../helpers/items.ts';

const test = suite('generation');

test('ROUGE-L: known values', () => {
  for (const [answer, reference, f] of [
    ['police killed the gunman', 'police kill the gunman', 3 / 4], // Lin 2004: 3 of 4 words in order
    ['the gunman kill police', 'police kill the gunman', 2 / 4],
    ['testing one two', 'testing', 2 / 4], // rouge-score's own example: precision 1/3, recall 1
    ['A man, a PLAN!', 'a man a plan', 1], // punctuation and case do not count
    ['U.S. exports rose', 'us exports rose', (2 * 2) / (4 + 3)], // "u", "s"
    ['', 'a', 0], ['a', '', 0], ['', '', 0], ['abc', 'def', 0],
  ] as const) assert.ok(Math.abs(rougeL(answer, reference) - f) < 1e-12, `${answer} | ${reference}: ${rougeL(answer, reference)} is not ${f}`);
});

test('ROUGE-L: against every subsequence of short texts', () => {
  const words = (n: number): string[] => Array.from({ length: 6 }, (_, i) => 'abc'[Math.floor(n / 3 ** i) % 3]!);
  const subsequences = (list: string[]): Set<string> => new Set(Array.from({ length: 64 }, (_, mask) => list.filter((_, i) => mask & (1 << i)).join('')));
  for (let n = 0; n < 729; n += 37) {
    const a = words(n), b = words(n * 31 + 5), common = [...subsequences(a)].filter((s) => subsequences(b).has(s));
    assert.ok(Math.abs(rougeL(a.join(' '), b.join(' ')) - Math.max(...common.map((s) => s.length)) / 6) < 1e-12);
  }
});

test('the last number of an answer', () => {
  for (const [text, number] of [['3 + 4 = 7.', 7], ['It costs $1,234.50.', 1234.5], ['so -5', -5], ['#### 72', 72], ['about .5', 0.5], ['10, 20', 20], ['12 eggs, or 1 dozen', 1], ['1,000,', 1000]] as const) {
    assert.is(lastNumber(text), number, text);
  }
  assert.ok(Number.isNaN(lastNumber('none')));
  assert.is(generationTasks.gsm8k.score('no idea', '7'), 0);
});

test('answers are scored, appended, not generated twice; what does not fit is counted', async () => {
  const log = memoryLog(), asked: string[] = [];
  const answers: Record<string, string> = { Tom: 'He has 3 * 4 = 12.', 'A tram': 'There are 400 people.' };
  const run = (task: GenerationName, contextSize = 9999): Promise<number> => runGeneration(task, readGenerationItems(task, madeUp[task]), {
    subject: 'toy', contextSize, log, encode: (message) => Array.from(message, (c) => c.codePointAt(0)!),
    generate: async (prompt, maxTokens) => {
      assert.is(maxTokens, generationTasks[task].maxTokens);
      const text = String.fromCodePoint(...Array.from(prompt));
      asked.push(text);
      return Object.entries(answers).find(([start]) => text.startsWith(start))?.[1] ?? 'A bakery made a loaf.';
    },
  });
  assert.is(await run('gsm8k', 320 + 65), 1); // the second prompt is longer
  assert.is(await run('gsm8k'), 0);
  assert.is(await run('xsum'), 0);
  assert.is(asked.length, 4);
  await run('gsm8k');
  assert.is(asked.length, 4);
  const [gsm8k, xsum] = summariseGeneration(log.records as GenerationRecord[]);
  assert.equal([gsm8k!.task, gsm8k!.score.mean, gsm8k!.score.n], ['gsm8k', 0.5, 2]);
  assert.is(xsum!.metric, 'ROUGE-L');
});

test.run();
