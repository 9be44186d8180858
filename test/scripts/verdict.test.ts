/** The regression check's judgement: another day's machine does not count, what is slower does, and only beyond its spread. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { describe, judge, type Measured, type Sample } from '../../bench/verdict.ts';
import { yardstick } from '../../bench/yardstick.ts';

const test = suite('verdict');

const samples = (...times: number[]): Sample[] => times.map((ms) => [ms, 5, 3]);
const run = (tasks: Record<string, Sample[]>): Measured => ({ commit: 'abc1234', machine: 'Abacus', date: '2026-01-02T03:04:05Z', tasks });
const steady = samples(10, 10.1, 10.2, 9.9, 10);
const slowerOf = (now: Sample[], then: Sample[], tolerance = 0.1): boolean => judge(run({ a: now }), run({ a: then }), tolerance)[0]!.slower;
const scaled = (list: Sample[], by: Sample): Sample[] => list.map(([ms, read, multiply]) => [ms * by[0], read * by[1], multiply * by[2]]);

test('slower is slower, by both yardsticks', () => {
  assert.not(slowerOf(steady, steady));
  assert.ok(slowerOf(scaled(steady, [1.2, 1, 1]), steady));
  assert.not(slowerOf(scaled(steady, [1.08, 1, 1]), steady));
  assert.ok(slowerOf(scaled(steady, [1.08, 1, 1]), steady, 0.05));
  assert.not(slowerOf(scaled(steady, [0.8, 1, 1]), steady));
});

test('a machine that is slower as a whole, or in one of the two, is no regression; one that is faster hides none', () => {
  assert.not(slowerOf(scaled(steady, [2, 2, 2]), steady));
  assert.not(slowerOf(scaled(steady, [1.5, 1.5, 1]), steady));
  assert.not(slowerOf(scaled(steady, [1.5, 1, 1.5]), steady));
  assert.ok(slowerOf(scaled(steady, [0.7, 0.5, 0.5]), steady));
});

test('within the spread of either run nothing is slower', () => {
  assert.not(slowerOf(samples(9, 10, 12, 14, 15), steady));
  assert.not(slowerOf(scaled(steady, [1.2, 1, 1]), samples(9, 10, 12, 12, 15)));
  assert.ok(slowerOf(samples(9, 14, 14, 15, 15), steady)); // one lucky sample
});

test('what only one run has is told, and fails nothing', () => {
  const now = run({ a: steady, b: steady }), then = run({ a: steady, c: steady }), verdicts = judge(now, then, 0.1);
  assert.equal(verdicts.map(({ task }) => task), ['a']);
  assert.match(describe(verdicts, now, then), /\| a +\| 10\.00 \| 10\.00 \| +1\.00 \(at least [\d.]+\) \|.*\nc: not measured now\nb: not in the file$/s);
  assert.match(describe(judge(run({ a: scaled(steady, [2, 1, 1]) }), then, 0.1), now, then), /SLOWER/);
});

test('the yardsticks compile and take time', async () => {
  const { read, multiply } = await yardstick();
  assert.ok(read() > 0.1 && multiply() > 0.1);
});

test.run();
