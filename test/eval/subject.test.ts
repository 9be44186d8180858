/** What every subject must keep to, whatever its method: a method that is added to subjectNames is tested here without further ado. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { AdaptState } from '../../src/engine/adapt.ts';
import type { Subject, SubjectStep } from '../../src/eval/subject.ts';
import { parseMethod, subjectFor, subjectNames } from '../../src/eval/subject.ts';
import { load } from '../../src/index.ts';
import { calibratedCopy } from '../helpers/calibrated.ts';
import { tinyPath } from '../helpers/models.ts';

const test = suite('subjects');
const model = await load((await calibratedCopy(tinyPath('llama256-q4_0.gguf'))).path, { tier: 'base', contextSize: 96 });
const ids = Array.from({ length: 36 }, (_, i) => 3 + ((i * 89) % 440));
const prompt = ids.slice(0, 20), continuation = ids.slice(20);

type Row = SubjectStep & { sample: number[] };

async function rows(subject: Subject, from: readonly number[] = prompt, then: readonly number[] = continuation): Promise<Row[]> {
  const all: Row[] = [];
  await subject.follow(from, then, (logits, step) => { all.push({ ...step, sample: [0, 17, 311, 447].map((id) => logits[id]!) }); });
  return all;
}

const timeless = (list: readonly Row[]): object[] => list.map(({ ms, ...row }) => ({ ...row, hasTime: ms !== undefined }));
const dense = await rows(subjectFor(model, 'dense'));

// those are for ReLU models (test/engine/sparse.test.ts) and for mixtures (test/text/mixture.test.ts)
for (const name of subjectNames.filter((method) => method !== 'exact' && method !== 'experts')) {
  test(`${name}: one call a token, in order, with its telemetry`, async () => {
    const subject = subjectFor(model, name), list = await rows(subject);
    assert.ok(subject.label === name || subject.label.startsWith(`${name} `), subject.label);
    assert.equal(list.map(({ fed }) => fed), Array.from({ length: continuation.length + 1 }, (_, i) => i));
    for (const { fed, logSumExp, entropy, topToken, cost, ms } of list) {
      assert.ok(Number.isFinite(logSumExp) && entropy >= 0 && Number.isInteger(topToken));
      if (fed > 0) assert.ok(cost! > 0 && cost! <= 1 && ms! > 0, `${fed}: cost ${cost}, ${ms} ms`);
    }
    assert.equal(timeless(list.slice(0, 1)), timeless(dense.slice(0, 1)), 'the prompt is dense');
  });

  test(`${name}: the same rows alone, again, after dense and after another text; dense the same after it`, async () => {
    const subject = subjectFor(model, name), alone = timeless(await rows(subject));
    assert.equal(timeless(await rows(subject)), alone);
    assert.equal(timeless(await rows(subjectFor(model, 'dense'))), timeless(dense));
    assert.equal(timeless(await rows(subject)), alone);
    await rows(subject, ids.slice(0, 12), ids.slice(12, 24)); // the same tokens, cut elsewhere
    assert.equal(timeless(await rows(subject)), alone);
    await rows(subject, ids.slice(5, 9), ids.slice(9, 12));
    assert.equal(timeless(await rows(subjectFor(model, name))), alone);
    assert.is((await rows(subject, prompt, [])).length, 1);
  });

  test(`${name}: what is asked for from a later token on is the same, with or without the context in the cache`, async () => {
    const subject = subjectFor(model, name), whole = timeless(await rows(subject)), from = 6;
    for (let again = 0; again < 2; again++) {
      const list: Row[] = [];
      await subject.follow(prompt, continuation, (logits, step) => { list.push({ ...step, sample: [0, 17, 311, 447].map((id) => logits[id]!) }); }, { from });
      assert.equal(timeless(list).slice(-(whole.length - from)), whole.slice(from));
    }
  });

  test(`${name}: an abort arrives`, async () => {
    const subject = subjectFor(model, name), controller = new AbortController();
    let seen = 0;
    await subject.follow(prompt, continuation, () => { if (++seen === 3) controller.abort(); }, { signal: controller.signal }).then(() => assert.unreachable(), (error: { code: string }) => assert.is(error.code, 'E_ABORTED'));
    assert.is(seen, 3);
  });
}

test('dense: together, from any token on, the same numbers as one by one', async () => {
  const subject = subjectFor(model, 'dense');
  for (const from of [0, 1, 7, 0]) {
    const list: Row[] = [];
    await subject.follow(prompt, continuation, (logits, step) => { list.push({ ...step, sample: [0, 17, 311, 447].map((id) => logits[id]!) }); }, { from, together: true });
    assert.equal(list.map(({ ms: _, ...row }) => row), dense.slice(from).map(({ ms: _, ...row }) => row));
    await rows(subjectFor(model, 'griffin')); // its steps are nobody else's
  }
});

test('a mask is made once for all answers to a prompt, and anew for another density', async () => {
  const real = AdaptState.prototype.configure;
  let made = 0;
  AdaptState.prototype.configure = function count(...selection): void { made++; real.apply(this, selection); };
  try {
    const [half, most] = [0.5, 0.8].map((density) => subjectFor(model, 'griffin', { density }));
    for (const subject of [half!, half!, most!, half!]) await subject.follow(prompt, continuation, () => undefined, { from: 1 });
    assert.is(made, 3);
  } finally {
    AdaptState.prototype.configure = real;
  }
});

test('names and densities', () => {
  assert.equal(parseMethod('clada:0.6'), { name: 'clada', options: { density: 0.6 } });
  assert.equal(parseMethod('dense'), { name: 'dense', options: {} });
  for (const wrong of ['clada:', 'clada:0', 'clada:1.5', 'clada:x', 'clada:0.5:1']) assert.throws(() => parseMethod(wrong), /density/);
  assert.throws(() => subjectFor(model, 'dence'), /Did you mean dense\?/);
  assert.throws(() => subjectFor(model, 'constructor'), /one of: dense/);
});

test.run();
