/** Who computes next: what a pass takes of each, who joins and leaves, and that nobody waits for ever. Against an engine that only counts. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Engine, PassPart } from '../../src/engine/engine.ts';
import { ModelError } from '../../src/errors.ts';
import type { Asked } from '../../src/session/scheduler.ts';
import { Scheduler } from '../../src/session/scheduler.ts';
import { codeOf } from '../helpers/errors.ts';

const test = suite('scheduler');
const task = (): Promise<void> => new Promise((resolve) => { setImmediate(resolve); });
const lost = new ModelError('E_LOGITS', { subject: 'a pass', found: 'NaN', expected: 'numbers', remedy: '' });

/** A pass as [sequence, tokens, rows] of each part. */
type Seen = [number, number, number][];

function counting(fail: (part: PassPart) => ModelError | undefined = () => undefined): { engine: Engine; passes: Seen[] } {
  const passes: Seen[] = [];
  const engine = {
    chunkSize: 64, logitRows: 16,
    pass: (parts: readonly PassPart[]): (ModelError | undefined)[] => {
      passes.push(parts.map(({ sequence, tokens, rows }) => [sequence, tokens.length, rows]));
      return parts.map(fail);
    },
  };
  return { engine: engine as unknown as Engine, passes };
}

const asked = (sequence: number, count: number, own: Partial<Asked> = {}): Asked => ({
  sequence, tokens: new Int32Array(count), from: count - 1, counts: false, signal: undefined, done: () => undefined, ...own,
});

/** Asks for `count` tokens, one after the other, as who decodes does. */
async function decode(scheduler: Scheduler, sequence: number, count: number): Promise<void> {
  for (let i = 0; i < count; i++) await scheduler.join(asked(sequence, 1));
}

test('those who decode step together from the first token on, and who ends leaves', async () => {
  const { engine, passes } = counting(), scheduler = new Scheduler(engine);
  await Promise.all([3, 5, 4].map((count, i) => decode(scheduler, i, count)));
  assert.equal(passes.map((parts) => parts.map(([sequence]) => sequence)), [[0, 1, 2], [0, 1, 2], [0, 1, 2], [1, 2], [1]]);
});

test('whatever a reader does between two tokens without waiting for anybody, it is in the next pass; a single one waits for no task', async () => {
  const { engine, passes } = counting(), scheduler = new Scheduler(engine);
  const slow = async (sequence: number): Promise<void> => {
    for (let i = 0; i < 4; i++) {
      await scheduler.join(asked(sequence, 1));
      for (let hop = 0; hop < 50; hop++) await Promise.resolve();
    }
  };
  await Promise.all([decode(scheduler, 0, 4), slow(1), slow(2)]);
  assert.equal(passes.map((parts) => parts.length), [3, 3, 3, 3]);
  await scheduler.join(asked(7, 1));
  let tasks = 0, on = true;
  const count = (): void => { tasks++; if (on) setImmediate(count); };
  setImmediate(count);
  await decode(scheduler, 7, 200);
  on = false;
  assert.ok(tasks < 20, `${tasks} tasks for 200 tokens`);
});

test('a prompt alone: whole chunks, and logits of its last token only', async () => {
  const { engine, passes } = counting(), told: number[] = [];
  await new Scheduler(engine).join(asked(1, 150, { done: (count) => told.push(count) }));
  assert.equal(passes, [[[1, 64, 0]], [[1, 64, 0]], [[1, 22, 1]]]);
  assert.equal(told, [64, 64, 22]);
});

test('a long prompt beside chats: each pass has a token of all of them, and is short', async () => {
  const { engine, passes } = counting(), scheduler = new Scheduler(engine);
  await Promise.all([scheduler.join(asked(9, 4_000)), ...[1, 2, 3, 4].map((sequence) => decode(scheduler, sequence, 60))]);
  const during = passes.filter((parts) => parts.some(([sequence]) => sequence === 9) && parts.length > 1);
  assert.ok(during.length >= 59);
  for (const parts of during) {
    assert.is(parts.length, 5);
    assert.is(parts.reduce((sum, [, count]) => sum + count, 0), 32);
  }
});

test('prompts side by side: a short one overtakes, the oldest gets half of every pass', async () => {
  const { engine, passes } = counting(), scheduler = new Scheduler(engine), order: number[] = [];
  await Promise.all([[1, 640], [2, 300], [3, 20]].map(([sequence, count]) => scheduler.join(asked(sequence!, count!)).then(() => order.push(sequence!))));
  assert.equal(order, [3, 2, 1]);
  for (const parts of passes.slice(0, 10)) {
    assert.ok(parts.find(([sequence]) => sequence === 1)![1] >= 32);
    assert.is(parts.reduce((sum, [, count]) => sum + count, 0), 64);
  }
});

test('more sequences than rows of logits: they take turns, and a prompt that ends finds its row', async () => {
  const { engine, passes } = counting(), scheduler = new Scheduler(engine);
  const prompt = scheduler.join(asked(99, 200)).then(() => passes.length);
  await Promise.all(Array.from({ length: 40 }, (_, i) => decode(scheduler, i, 10)));
  assert.ok(await prompt < 40, 'the prompt came through');
  for (const parts of passes) assert.ok(parts.reduce((sum, [, , rows]) => sum + rows, 0) <= 16);
  const turns = (sequence: number): number[] => passes.flatMap((parts, i) => (parts.some(([own]) => own === sequence) ? [i] : []));
  for (let i = 0; i < 40; i++) {
    const own = turns(i);
    for (const [at, pass] of own.entries()) if (at > 0) assert.ok(pass - own[at - 1]! <= 4, 'nobody is passed over');
  }
});

test('scored tokens share the rows of a pass, each with a row of its own', async () => {
  const { engine, passes } = counting(), scheduler = new Scheduler(engine), rows: (number | undefined)[] = [];
  await Promise.all([decode(scheduler, 1, 3), scheduler.join(asked(2, 40, { from: 0, done: (_, row) => rows.push(row) }))]);
  assert.equal(passes, [[[1, 1, 1], [2, 15, 15]], [[1, 1, 1], [2, 15, 15]], [[1, 1, 1], [2, 10, 10]]]);
  assert.equal(rows, [1, 1, 1]);
  await scheduler.join(asked(2, 1, { from: 0, done: (_, row) => rows.push(row) }));
  assert.is(rows.at(-1), undefined, 'a single row is its own');
});

test('who aborts leaves before the next pass; others go on', async () => {
  const { engine, passes } = counting(), scheduler = new Scheduler(engine), abort = new AbortController();
  let done = 0;
  const long = codeOf(() => scheduler.join(asked(1, 10_000, { signal: abort.signal, done: () => { if (++done === 3) abort.abort(); } })));
  await Promise.all([decode(scheduler, 2, 20), long]);
  assert.is(await long, 'E_ABORTED');
  assert.is(passes.filter((parts) => parts.some(([sequence]) => sequence === 1)).length, 3);
  assert.is(passes.filter((parts) => parts.some(([sequence]) => sequence === 2)).length, 20);
});

test('one that leaves the numbers, and one that throws what it is told, fail alone', async () => {
  const { engine } = counting(({ sequence }) => (sequence === 2 ? lost : undefined)), scheduler = new Scheduler(engine);
  const bad = codeOf(() => scheduler.join(asked(2, 5))), thrown = scheduler.join(asked(3, 5, { done: () => { throw new RangeError('mine'); } })).catch((error: Error) => error.message);
  await Promise.all([decode(scheduler, 1, 3), scheduler.join(asked(4, 5))]);
  assert.equal([await bad, await thrown], ['E_LOGITS', 'mine']);
});

test('an engine that throws: all of its pass are told, and those after them get their turn', async () => {
  let passes = 0;
  const engine = { chunkSize: 64, logitRows: 16, pass: (parts: readonly PassPart[]) => { if (passes++ === 0) throw lost; return parts.map(() => undefined); } };
  const scheduler = new Scheduler(engine as unknown as Engine), [first, second] = [codeOf(() => scheduler.join(asked(1, 1))), codeOf(() => scheduler.join(asked(2, 500)))];
  assert.equal([await first, await second], ['E_LOGITS', 'E_LOGITS']);
  await scheduler.join(asked(1, 1));
});

test('steps of their own take turns with passes, each once between two', async () => {
  const { engine, passes } = counting(), scheduler = new Scheduler(engine), seen: string[] = [];
  const pass = engine.pass.bind(engine);
  (engine as { pass: Engine['pass'] }).pass = (parts) => { seen.push('pass'); return pass(parts); };
  const alone = async (name: string): Promise<void> => { for (let i = 0; i < 5; i++) await scheduler.alone(name === 'a' ? 1 : 2, () => { seen.push(name); }); };
  await Promise.all([scheduler.join(asked(9, 1_000)), decode(scheduler, 8, 5), alone('a'), alone('b')]);
  assert.match(seen.join(' '), /^pass a b pass a b pass a b pass a b pass a b pass pass/);
  assert.ok(passes.slice(0, 5).every((parts) => parts.reduce((sum, [, count]) => sum + count, 0) === 32), 'they do not wait for long');
  assert.is(await scheduler.alone(1, () => { throw new RangeError('no'); }).catch((error: Error) => error.message), 'no');
});

test('timers and sockets get their turn in a long prompt', async () => {
  const { engine } = counting(), scheduler = new Scheduler(engine);
  let tasks = 0, on = true;
  const count = (): void => { tasks++; if (on) setTimeout(count); };
  setTimeout(count);
  (engine as { pass: Engine['pass'] }).pass = (parts) => { for (const end = performance.now() + 5; performance.now() < end;); return parts.map(() => undefined); };
  await scheduler.join(asked(1, 64 * 40));
  on = false;
  assert.ok(tasks >= 10, `${tasks}`);
  await task();
});

test('hidden states: any number of rows, behind those that leave logits; a single token of a text makes no pass short', async () => {
  const { engine, passes } = counting(), scheduler = new Scheduler(engine), rows: unknown[] = [];
  const note = (name: string) => (_: number, row: number | undefined): void => { rows.push([name, row]); };
  await Promise.all([
    scheduler.join(asked(1, 30, { from: 0, states: true, done: note('text') })),
    scheduler.join(asked(2, 1, { from: 0, states: true, done: note('short') })),
    scheduler.join(asked(3, 20, { done: note('prompt') })),
  ]);
  assert.equal(passes, [[[3, 20, 1], [1, 30, 30], [2, 1, 1]]]);
  assert.equal(rows, [['prompt', undefined], ['text', 1], ['short', 31]]);
  passes.length = 0;
  await Promise.all([scheduler.join(asked(1, 100, { from: 0, states: true })), decode(scheduler, 2, 3)]);
  assert.equal(passes.slice(0, 3).map((parts) => parts.map(([sequence, count]) => [sequence, count])), [[[2, 1], [1, 31]], [[2, 1], [1, 31]], [[2, 1], [1, 31]]]);
});

test.run();
