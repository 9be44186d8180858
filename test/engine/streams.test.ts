/** Whether several places are read from at a time follows what the first tokens took, and is settled after them. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Streams } from '../../src/engine/streams.ts';

const test = suite('streams');

/** The places that each of `tokens` tokens was read from, on a clock where one from several places takes `ratio` times as long, `noise` more or less, and one place `one`. */
function places(ratio: number, tokens: number, noise = 0, one = 1): number[] {
  const streams = new Streams(), seen: number[] = [], { now } = performance;
  let clock = 0, count = 0, turn = 0;
  performance.now = () => clock;
  try {
    for (let i = 0; i < tokens; i++) {
      streams.run({ set: (_field, value) => { count = value; } }, () => { clock += one * (count === 4 ? ratio : 1) * (1 + noise * Math.sin(7 * ++turn)); });
      seen.push(count);
    }
  } finally {
    performance.now = now;
  }
  return seen;
}

test('the way that is faster stays', () => {
  assert.equal(new Set(places(0.8, 60).slice(28)), new Set([4]));
  assert.equal(new Set(places(0.8, 60, 0.1).slice(28)), new Set([4]));
  assert.equal(new Set(places(1.05, 60).slice(28)), new Set([1]));
  assert.equal(new Set(places(0.99, 60).slice(28)), new Set([1]), 'a hundredth is no reason');
});

test('each way comes first as often, and only after the warm-up', () => {
  const seen = places(0.9, 28);
  assert.equal(seen.slice(0, 12), new Array<number>(12).fill(1));
  assert.equal(seen.slice(12, 20), [1, 4, 4, 1, 1, 4, 4, 1]);
});

test('where several are much slower, two pairs are enough', () => {
  assert.is(places(3, 60).filter((count) => count === 4).length, 2);
});

test('where the clock stands still nothing changes', () => {
  assert.equal(new Set(places(0.8, 60, 0, 0).slice(28)), new Set([1]));
});

test.run();
