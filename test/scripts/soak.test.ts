/** The soak's judgement: growth, stalls, errors and threads left are faults, a first third that fills caches is none. The run itself: `npm run bench -- --soak`. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { verdict } from '../../bench/soak.ts';

const test = suite('soak');
const mb = 2 ** 20, flat = [100, 400, 500, 501, 499, 500, 502, 500, 501].map((n) => n * mb);
const fine = { resident: flat, gap: 120, stalled: false, errors: [], threads: 0 };

function told(change: Partial<Parameters<typeof verdict>[0]>): string {
  const lines: string[] = [], ok = verdict({ ...fine, ...change }, (line) => { lines.push(line); });
  return ok ? 'sound' : lines.join('\n').trim();
}

test('what is a fault', () => {
  assert.is(told({}), 'sound');
  assert.is(told({ resident: flat.map((bytes, i) => bytes + i * 40 * mb) }).replace(/\d+/g, 'N'), 'memory grew from N to N MB');
  assert.match(told({ gap: 12_000 }), /12\.0 s for its next token/);
  assert.match(told({ stalled: true }), /stalled/);
  assert.match(told({ errors: ['Error: no'] }), /1 requests failed: Error: no/);
  assert.match(told({ threads: 1 }), /1 threads left/);
  assert.is(told({ resident: [] }), 'sound');
});

test.run();
