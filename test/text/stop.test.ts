import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { InputError } from '../../src/errors.ts';
import { Random } from '../../src/sampler/random.ts';
import { createStopper } from '../../src/text/stop.ts';

const test = suite('text/stop');

/** Everything shown and the stop met, for a text that arrives in the given pieces. */
function run(stops: string[], pieces: string[]): { text: string; stop: string | undefined } {
  const stopper = createStopper(stops);
  let text = '';
  for (const piece of pieces) {
    const result = stopper.push(piece);
    text += result.text;
    if (result.stopped) return { text, stop: result.stop };
  }
  return { text: text + stopper.flush(), stop: undefined };
}

test('text before the stop is shown, the stop and what follows are not', () => {
  assert.equal(run(['END'], ['one two END three']), { text: 'one two ', stop: 'END' });
  assert.equal(run(['END'], ['one two E', 'N', 'D three']), { text: 'one two ', stop: 'END' });
  assert.equal(run(['END'], ['one two EN']), { text: 'one two EN', stop: undefined });
  assert.equal(run([], ['a', 'b']), { text: 'ab', stop: undefined });
});

test('holds back only the longest suffix that could begin a stop', () => {
  const stopper = createStopper(['\n\nUser:', 'aab']);
  assert.equal(stopper.push('hello\n'), { text: 'hello', stopped: false });
  assert.equal(stopper.push('x'), { text: '\nx', stopped: false });
  assert.equal(stopper.push('aaa'), { text: 'a', stopped: false });
  assert.equal(stopper.push('c'), { text: 'aac', stopped: false });
  assert.equal(stopper.push('\n\nUser'), { text: '', stopped: false });
  assert.equal(stopper.push(':'), { text: '', stopped: true, stop: '\n\nUser:' });
  assert.equal(stopper.push('more'), { text: '', stopped: true, stop: '\n\nUser:' });
  assert.is(stopper.flush(), '');
  assert.equal(stopper.push('again'), { text: 'ag' + 'ain', stopped: false }, 'ready for another stream');
});

test('overlapping stops: the one complete first wins, the longest if they end together', () => {
  assert.equal(run(['abcd', 'bc'], ['xabcd']), { text: 'xa', stop: 'bc' });
  assert.equal(run(['b', 'ab'], ['xab']), { text: 'x', stop: 'ab' });
  assert.equal(run(['ab', 'abc'], ['xabc']), { text: 'x', stop: 'ab' });
  assert.equal(run(['aab'], ['aaab']), { text: 'a', stop: 'aab' });
  assert.equal(run(['abab'], ['ab', 'aab', 'ab']), { text: 'aba', stop: 'abab' });
});

test('any cut of the text gives the result of the definition: 4,000 random cases', () => {
  const random = new Random(11);
  const word = (letters: string, max: number): string =>
    Array.from({ length: 1 + random.uint32() % max }, () => letters[random.uint32() % letters.length]).join('');
  let stoppedCases = 0;
  for (let i = 0; i < 4000; i++) {
    const stops = Array.from({ length: 1 + random.uint32() % 3 }, () => word('ab', 4));
    const text = word('abc', 14);
    // The definition: the shortest prefix of the text that ends with a stop, less the longest stop it ends with.
    let expected: { text: string; stop: string | undefined } = { text, stop: undefined };
    for (let end = 1; end <= text.length; end++) {
      const ending = stops.filter((stop) => text.slice(0, end).endsWith(stop)).sort((a, b) => b.length - a.length)[0];
      if (ending !== undefined) { expected = { text: text.slice(0, end - ending.length), stop: ending }; break; }
    }
    if (expected.stop !== undefined) stoppedCases++;
    const pieces: string[] = [];
    for (let at = 0; at < text.length;) {
      const length = random.uint32() % 4; // empty pieces too
      pieces.push(text.slice(at, at + length));
      at += length;
    }
    assert.equal(run(stops, pieces), expected, JSON.stringify({ stops, pieces }));
    assert.equal(run(stops, [text]), expected, JSON.stringify({ stops, text }));
  }
  assert.ok(stoppedCases > 1000 && stoppedCases < 4000);
});

test('refuses an empty stop and what is no string', () => {
  for (const stops of [[''], ['a', ''], [7], 'abc', undefined] as unknown[]) {
    assert.throws(() => createStopper(stops as string[]), (e: unknown) => e instanceof InputError && e.code === 'E_OPTION');
  }
});

test.run();
