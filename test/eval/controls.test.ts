import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { shuffleLoads, tokenTable, tokenTableLoads } from '../../src/eval/controls.ts';

const test = suite('controls');
const sorted = (values: ArrayLike<number>): number[] => Array.from(values).sort((a, b) => a - b);

test('shuffled: each sequence keeps its loads, in another order that the seed decides', () => {
  const run = [Float64Array.from({ length: 200 }, (_, i) => i), [5, 6, 7], []];
  const shuffled = shuffleLoads(run, 7);
  run.forEach((loads, i) => assert.equal(sorted(shuffled[i]!), sorted(loads)));
  assert.equal(shuffleLoads(run, 7), shuffled);
  assert.not.equal(shuffleLoads(run, 8)[0], shuffled[0]);
  const fixed = shuffled[0]!.filter((load, i) => load === i).length;
  assert.ok(fixed < 10, `${fixed} of 200 stayed`);
  assert.equal(run[1], [5, 6, 7]);
});

test('shuffled: every order is as likely', () => {
  const seen = new Map<string, number>();
  for (let seed = 0; seed < 6000; seed++) {
    const key = shuffleLoads([[1, 2, 3]], seed)[0]!.join('');
    seen.set(key, (seen.get(key) ?? 0) + 1);
  }
  assert.is(seen.size, 6);
  for (const [key, count] of seen) assert.ok(Math.abs(count - 1000) < 150, `${key}: ${count}`); // 5 standard deviations
});

test('token table: mean load by id; as a control from the other sequences', () => {
  const run = [{ ids: [1, 2, 1], loads: [0, 10, 4] }, { ids: [1, 3], loads: [8, 2] }];
  assert.equal([...tokenTable(run)], [[1, 4], [2, 10], [3, 2]]);
  assert.equal(tokenTableLoads(run).map((loads) => [...loads]), [[8, 5, 8], [2, 14 / 3]]);
  assert.throws(() => tokenTable([{ ids: [1], loads: [] }]), /0 for 1 tokens/);
  assert.throws(() => tokenTableLoads(run.slice(0, 1)), /at least two/);
});

test.run();
