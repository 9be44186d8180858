/** ROUGE-L and numbers by hand, answers scored and resumed. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { codeOf, programOf } from '../../src/eval/code.ts';
import { generationTasks, lastNumber, readGenerationItems, runGeneration, summariseGeneration, type GenerationName, type GenerationRun } from '../../src/eval/generation.ts';
import { memoryLog, type GenerationRecord } from '../../src/eval/records.ts';
import { rougeL } from '../../src/eval/rouge.ts';
import type { Subject } from '../../src/eval/subject.ts';
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
});

test('answers are scored, appended, not generated twice; what does not fit is counted', async () => {
  const log = memoryLog(), asked: string[] = [];
  const answers: Record<string, string> = { Tom: 'He has 3 * 4 = 12.', 'A tram': 'There are 400 people.' };
  const subject = (label: string): Subject => ({
    label, follow: () => Promise.reject(new Error('not asked')),
    generate: async (prompt, { maxTokens }) => {
      const text = String.fromCodePoint(...Array.from(prompt));
      assert.ok(maxTokens === 64 || maxTokens === 320);
      asked.push(`${label}: ${text}`);
      return label === 'dense' ? Object.entries(answers).find(([start]) => text.includes(`user ${start}`))?.[1] ?? 'A bakery made a loaf.' : 'It is 12';
    },
  });
  const dense = subject('dense'), toy = { ...subject('toy 0.5'), counts: true };
  const run = (task: GenerationName, contextSize = 9999, subjects = [dense], more: Partial<GenerationRun> = {}): Promise<number> => runGeneration(task, readGenerationItems(task, madeUp[task]), subjects, {
    contextSize, log, encode: (turns, start) => Array.from(turns.map(({ role, content }) => `${role} ${content}`).join('') + start, (c) => c.codePointAt(0)!), ...more,
  });
  const shown = generationTasks.gsm8k.shown.map(({ role, content }) => `${role} ${content}`).join('').length;
  assert.is(await run('gsm8k', 320 + shown + 70), 1); // the second prompt is longer
  assert.is(await run('gsm8k'), 0);
  assert.is(await run('xsum'), 0);
  assert.is(asked.length, 4);
  await run('gsm8k');
  assert.is(asked.length, 4);
  await run('gsm8k', 9999, [dense, toy], { isOver: () => asked.length === 5 });
  assert.is(asked.length, 5);
  await run('gsm8k', 9999, [dense, toy]);
  assert.equal(asked.slice(4).map((text) => text.split(':')[0]), ['toy 0.5', 'toy 0.5']);
  const [gsm8k, xsum, sparse] = summariseGeneration(log.records as GenerationRecord[]);
  assert.equal([gsm8k!.task, gsm8k!.score.mean, gsm8k!.score.n, gsm8k!.versusDense], ['gsm8k', 0.5, 2, undefined]);
  assert.is(xsum!.metric, 'ROUGE-L');
  assert.equal(sparse!.versusDense, { dense: 0.5, difference: { mean: 0, se: 0, n: 2 }, retained: 1 });
});

test('subjects take turns so that a prompt is computed once: who counts comes first, dense last; the log keeps all', async () => {
  const order: string[] = [], log = memoryLog();
  const subjects = ['dense', 'tt 0.8', 'griffin 0.6'].map((label): Subject => ({ label, counts: label.startsWith('griffin'), follow: () => Promise.reject(new Error()), generate: async () => { order.push(label); return '12'; } }));
  await runGeneration('gsm8k', readGenerationItems('gsm8k', madeUp.gsm8k, 1), subjects, { contextSize: 999, log, encode: () => [1] });
  assert.equal(order, ['griffin 0.6', 'tt 0.8', 'dense']);
});

test('several items at a time: each once, and where one fails the others end with what they are at', async () => {
  const items = Array.from({ length: 7 }, (_, i) => ({ id: `i${i}`, message: '', score: (answer: string) => Number(answer) }));
  let now = 0, most = 0;
  const subject = (label: string, fail = -1): Subject => {
    let asked = 0;
    return { label, follow: () => Promise.reject(new Error()), generate: async () => {
      const n = asked++;
      most = Math.max(most, ++now);
      await new Promise((resolve) => { setTimeout(resolve, n % 3); });
      now--;
      if (n === fail) throw new RangeError('mine');
      return '1';
    } };
  };
  const log = memoryLog(), answers = (): string[] => log.records.map((record) => (record.type === 'generation' ? `${record.subject} ${record.item}` : '')).sort();
  await runGeneration('gsm8k', items, [subject('a 1'), subject('dense')], { contextSize: 999, log, encode: () => [1], parallel: 3 });
  assert.equal(answers(), ['a 1', 'dense'].flatMap((label) => items.map(({ id }) => `${label} ${id}`)));
  assert.is(most, 3);
  const failing = runGeneration('gsm8k', items, [subject('b', 1)], { contextSize: 999, log, encode: () => [1], parallel: 3 });
  assert.is(await failing.then(() => '', String), 'RangeError: mine');
  await new Promise((resolve) => { setTimeout(resolve, 20); });
  assert.ok(answers().filter((one) => one.startsWith('b')).length < 5, 'the rest was not begun');
});

test('humaneval: the program has what stands before the function, the answer, the test; only its last word counts', async () => {
  assert.is(codeOf('def f():\n    return 1'), 'def f():\n    return 1');
  assert.is(codeOf('Here:\n```python\ndef f():\n    return 1\n```\nIt works.'), 'def f():\n    return 1');
  const problem = { prompt: 'import math\n\ndef half(x):\n    return x / 2\n\ndef area(r):\n    pass\n', entry: 'area', test: 'def check(candidate): pass' };
  assert.is(programOf(problem, 'def area(r):\n    return half(r)', 'w'), 'import math\n\ndef half(x):\n    return x / 2\n\n\n\ndef area(r):\n    return half(r)\n\ndef check(candidate): pass\n\ncheck(area)\n\nprint("\\n" + "w")');
  const [area] = readGenerationItems('humaneval', madeUp.humaneval, 1), programs: string[] = [];
  const score = (ok: boolean, stdout: string): number | Promise<number> => area!.score('x', async (program) => { programs.push(program); return { ok, stdout }; });
  assert.equal(await Promise.all([score(true, 'noise\n\npassed-area\n'), score(true, '\npassed-area\n'), score(true, ''), score(false, '\npassed-area\n'), score(true, 'passed-area no')]), [1, 1, 0, 0, 0]);
  assert.match(programs[0]!, /^import math/);
});

test.run();
