/** Engines taking turns: everyone starts once a round, the first changes, who fails is left out with its reason, time is kept. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Engine, Task } from '../../bench/engines.ts';
import type { Leg } from '../../bench/legs.ts';
import { run } from '../../bench/legs.ts';
import { readRecords, replaceLeg } from '../../bench/records.ts';
import { temporary } from '../helpers/twin.ts';

const test = suite('legs');
const asked: { name: string; task: Task }[] = [];
const quiet = (): void => undefined;

function toy(name: string, more: { missing?: string; failsIn?: number } = {}): Engine {
  return {
    name, missing: () => more.missing,
    run: (task) => {
      asked.push({ name, task });
      return task.seed === more.failsIn ? Promise.reject(new Error('spring broken')) : Promise.resolve({ engine: `${name} 1`, loadMs: 1, prompt: 10, decode: 5 });
    },
  };
}
const legOf = (engines: readonly Engine[], more: Partial<Leg> = {}): Leg => ({
  name: 'toy/leg', topic: 'native', file: 'toy', model: () => 'toy.gguf', entrants: engines.map((engine) => ({ engine, threads: 1 })), asked: { prompt: 8, predict: 4, contextSize: 16 }, rounds: 3, weight: 1, ...more,
});

test('turns', async () => {
  asked.length = 0;
  const records = await run(legOf([toy('a'), toy('b'), toy('c')]), { command: 'here', say: quiet });
  assert.is(asked.map(({ name }) => name).join(''), 'abcbcacab');
  assert.equal(asked.map(({ task }) => task.seed), [1, 1, 1, 2, 2, 2, 3, 3, 3]);
  assert.equal(asked[0]!.task, { prompt: 8, predict: 4, contextSize: 16, model: 'toy.gguf', threads: 1, seed: 1 });
  const [header, ...runs] = records;
  assert.is(header?.type === 'leg' && header.command, 'here');
  assert.is(runs.length, 9);
  assert.ok(runs.every((one) => one.type === 'run' && one.prompt === 10 && one.threads === 1));
});

test('who is not here or fails is left out, with its reason; the others go on', async () => {
  asked.length = 0;
  const records = await run(legOf([toy('a'), toy('b', { missing: 'no b on this machine' }), toy('c', { failsIn: 2 })]), { command: '', say: quiet });
  assert.equal(records.flatMap((one) => (one.type === 'skip' ? [`${one.entrant}: ${one.reason}`] : [])), ['b: no b on this machine', 'c: spring broken']);
  assert.is(asked.filter(({ name }) => name === 'c').length, 2);
  assert.is(records.filter((one) => one.type === 'run' && one.entrant === 'a').length, 3);
  const none = await run(legOf([toy('a')], { model: () => { throw new Error('not here: npm run models'); } }), { command: '', say: quiet });
  assert.equal(none.map(({ type }) => type), ['leg', 'skip']);
});

test('past its time a leg begins no further round, but one it has', async () => {
  asked.length = 0;
  await run(legOf([toy('a')]), { command: '', until: 0, say: quiet });
  assert.is(asked.length, 1);
});

test('a leg replaces what the file had of it, and nothing else', async () => {
  const file = join(temporary(), 'out.jsonl'), other = await run(legOf([toy('a')], { name: 'other' }), { command: '', say: quiet });
  writeFileSync(file, other.map((one) => `${JSON.stringify(one)}\n`).join(''));
  replaceLeg(file, await run(legOf([toy('a')]), { command: 'first', say: quiet }));
  replaceLeg(file, await run(legOf([toy('b')]), { command: 'second', say: quiet }));
  assert.not.match(readFileSync(file, 'utf8'), /first/);
  assert.equal([...new Set(readRecords(file).map(({ leg }) => leg))], ['other', 'toy/leg']);
  assert.is(readRecords(file).length, 8);
});

test.run();
