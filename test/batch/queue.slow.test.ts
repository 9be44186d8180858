/** `clada batch --queue` over a real Valkey: workers that die, a queue that goes away, and what is left behind. */
import { writeFileSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Queue, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { openLink, queueOf } from '../../src/cli/batch-link.ts';
import { openAsker } from '../../src/cli/batch-queue.ts';
import { answersOf, expectedOf, readResults, requests } from '../helpers/batches.ts';
import { start, type Running } from '../helpers/cli.ts';
import { tinyPath } from '../helpers/models.ts';
import { temporary } from '../helpers/twin.ts';
import { Valkey, valkeyProgram } from '../helpers/valkey.ts';

const program = valkeyProgram(), test = suite('queue');
if (typeof program === 'string') {
  console.log(program);
  test.skip('clada batch over a real Valkey', () => undefined);
  test.run();
} else {
  const folder = temporary(), model = tinyPath('llama.gguf'), other = tinyPath('qwen2.gguf'), limit = 600_000;
  let valkey: Valkey, files = 0;
  const running = new Set<Running>();
  const fresh = (text?: string): string => {
    const path = join(folder, `${files++}.jsonl`);
    if (text !== undefined) writeFileSync(path, text);
    return path;
  };
  const run = (...args: string[]): Running => {
    const one = start(['batch', '--queue', valkey.url, ...args], {}, limit);
    running.add(one);
    void one.ended.then(() => running.delete(one));
    return one;
  };
  const worker = (of = model, ...more: string[]): Running => run('--worker', '-m', of, '--lease', '2', ...more);
  const count = (path: string): number => (existsSync(path) ? readFileSync(path, 'utf8').split('\n').length - 1 : 0);
  const pause = (ms: number): Promise<void> => new Promise((resolve) => { setTimeout(resolve, ms); });
  const until = async (holds: () => boolean | Promise<boolean>, what: string): Promise<void> => {
    for (let i = 0; !(await holds()); i++) {
      if (i > 1200) throw new Error(`waited a minute for ${what}`);
      await pause(50);
    }
  };
  const same = (path: string, expected: Map<string, string>): void => {
    assert.equal([...answersOf(readResults(path))].sort(), [...expected].sort());
  };
  /** What this finds out on a connection of its own, with the queues of all models. */
  async function asking<T>(ask: (queues: Queue[], redis: Redis) => Promise<T>): Promise<T> {
    const redis = new Redis(valkey.url, { maxRetriesPerRequest: null });
    try {
      const names = (await redis.keys('{clada}:batch-*:meta')).map((key) => key.split(':')[1]!);
      return await ask(names.map((name) => new Queue(name, { connection: redis, prefix: '{clada}' })), redis);
    } finally {
      redis.disconnect();
    }
  }
  /** Every job of every model, by state. */
  const jobs = (): Promise<Record<string, number>> => asking(async (queues) => {
    const sum: Record<string, number> = {};
    for (const queue of queues) {
      for (const [state, n] of Object.entries(await queue.getJobCounts('waiting', 'active', 'completed', 'failed'))) sum[state] = (sum[state] ?? 0) + n;
    }
    return sum;
  });
  const models = (): Promise<number> => asking((_, redis) => redis.zcard('{clada}:models'));
  const total = (counts: Record<string, number>): number => Object.values(counts).reduce((a, b) => a + b, 0);

  test.before.each(async () => { valkey = await Valkey.start(program); });
  test.after.each(async () => {
    for (const one of running) one.kill('SIGKILL');
    await Promise.all([...running].map(({ ended }) => ended));
    await valkey.close();
  });

  test('twenty workers are killed in mid-batch, and every result is there once, as one process computes it', async () => {
    const text = requests(900, 24), expected = await expectedOf(model, text), output = fresh();
    const workers = [worker(), worker(), worker()], batch = run(fresh(text), output, '--ahead', '48');
    let most = 0, kills = 0;
    for (; kills < 20; kills++) {
      const before = count(output);
      await until(() => count(output) >= Math.min(before + 15, 880), `results behind ${before}`);
      await until(async () => {
        const now = await jobs();
        most = Math.max(most, total(now));
        return now['active']! > 0;
      }, 'lines that are being answered');
      workers[kills % 3]!.kill('SIGKILL');
      assert.is((await workers[kills % 3]!.ended).signal, 'SIGKILL');
      workers[kills % 3] = worker();
    }
    assert.ok(count(output) < 900, 'the last was killed before the end');
    const { status, stderr } = await batch.ended;
    assert.is(status, 0, stderr);
    same(output, expected);
    assert.ok(most <= 48, `${most} jobs in the queue`);
    assert.is(total(await jobs()), 0);
  });

  test('a worker that is told to stop finishes what it has begun', async () => {
    const text = requests(120, 30), output = fresh(), first = worker(), batch = run(fresh(text), output);
    await until(() => count(output) > 10, 'results'); // of the first, which is alone
    const second = worker();
    first.kill('SIGTERM');
    const { status, stderr } = await first.ended;
    assert.is(status, 143, stderr);
    assert.match(stderr, /lines answered/);
    second.kill('SIGTERM');
    await second.ended;
    const counts = await jobs();
    assert.is(counts['active'], 0);
    const third = worker();
    assert.is((await batch.ended).status, 0);
    same(output, await expectedOf(model, text));
    third.kill('SIGTERM');
    assert.is((await third.ended).status, 143);
  });

  test('the queue is killed and comes back, with what it held and without', async () => {
    const text = requests(300, 20), output = fresh(), batch = run(fresh(text), output);
    worker();
    worker();
    for (const forgets of [false, true]) {
      const before = count(output);
      await until(() => count(output) > before + 40, 'results');
      await valkey.kill();
      await pause(1500);
      if (forgets) valkey.forget();
      await valkey.start();
    }
    const { status, stderr } = await batch.ended;
    assert.is(status, 0, stderr);
    same(output, await expectedOf(model, text));
  });

  test('a worker that is told to stop while the queue dies ends as well', async () => {
    const output = fresh(), one = worker(model, '--patience', '2'), batch = run(fresh(requests(300, 20)), output, '--patience', '2');
    await until(() => count(output) > 10, 'results');
    one.kill('SIGTERM');
    await valkey.kill();
    const { status, stderr } = await one.ended;
    assert.ok(status === 143 || status === 1 && /E_QUEUE/.test(stderr), `${status}: ${stderr}`);
    assert.is((await batch.ended).status, 1);
    await valkey.start();
  });

  test('a queue that stays away ends both sides with an error, and the batch goes on later', async () => {
    const text = requests(200, 20), from = fresh(text), output = fresh(), one = worker(model, '--patience', '2'), batch = run(from, output, '--patience', '2');
    await until(() => count(output) > 20, 'results');
    await valkey.kill();
    for (const side of [one, batch]) {
      const { status, stderr } = await side.ended;
      assert.equal([status, /E_QUEUE/.test(stderr)], [1, true], stderr);
    }
    assert.ok(count(output) < 200);
    await valkey.start();
    worker();
    assert.is((await run(from, output).ended).status, 0);
    same(output, await expectedOf(model, text));
  });

  test('a batch is interrupted, then killed: it takes its lines back, or finds them again', async () => {
    const text = requests(300, 20), from = fresh(text), output = fresh();
    worker();
    const first = run(from, output);
    await until(() => count(output) > 20, 'results');
    first.kill('SIGINT');
    const { status, stderr } = await first.ended;
    assert.is(status, 130, stderr);
    assert.match(stderr, /The same command goes on/);
    assert.is(total(await jobs()), 0);
    const before = count(output);
    assert.ok(before < 300);
    for (let i = 0; i < 3; i++) {
      const next = run(from, output, '--ahead', '20'), had = count(output);
      await until(() => count(output) > had + 15, 'results');
      next.kill('SIGKILL');
      await next.ended;
    }
    // what it wrote and was killed before it could take from the queue
    const written = readResults(output).slice(0, 5).map(({ id }) => id), { url, body } = JSON.parse(text.split('\n')[0]!) as { url: string; body: object };
    await asking(async ([queue]) => {
      for (const id of written) await queue!.add('line', { customId: 'x', url, body: JSON.stringify(body), number: 1 }, { jobId: id });
      await until(async () => (await Promise.all(written.map((id) => queue!.getJobState(id)))).every((state) => state === 'completed'), 'results that are written');
    });
    assert.is((await run(from, output).ended).status, 0);
    same(output, await expectedOf(model, text));
    assert.is(total(await jobs()), 0);
  });

  test('a batch waits for its model, and refuses others', async () => {
    const from = fresh(requests(4)), output = fresh(), waiting = run(from, output);
    await until(() => waiting.stderr.includes('no worker is there yet'), 'a note');
    const own = worker();
    assert.is((await waiting.ended).status, 0);
    const wrong = await run(from, fresh(), '-m', 'elsewhere/qwen2.gguf').ended;
    assert.equal([wrong.status, /found workers with .*llama\.gguf.*E_OPTION/.test(wrong.stderr)], [2, true], wrong.stderr);
    worker(other);
    await until(async () => await models() === 2, 'the other worker');
    const unclear = await run(from, fresh()).ended;
    assert.equal([unclear.status, /llama\.gguf.*qwen2\.gguf|qwen2\.gguf.*llama\.gguf/.test(unclear.stderr)], [2, true], unclear.stderr);
    for (const [name, path] of [['qwen2.gguf', other], ['llama.gguf', model]] as const) {
      const result = fresh(), { status, stderr } = await run(from, result, '-m', name).ended;
      assert.is(status, 0, stderr);
      same(result, await expectedOf(path, requests(4)));
    }
    const mixed = await run(from, output, '-m', 'qwen2.gguf').ended;
    assert.equal([mixed.status, /results of another model/.test(mixed.stderr)], [2, true]);
    own.kill('SIGTERM');
  });

  test('a wrong password is said at once, and not shown', async () => {
    const locked = await Valkey.start(program, 'correct-horse');
    try {
      for (const [url, status] of [[locked.url.replace('correct', 'wrong'), 1], [locked.url.replace(/:correct-horse@/, ''), 1]] as const) {
        const outcome = await start(['batch', fresh(requests(1)), fresh(), '--queue', url]).ended;
        assert.equal([outcome.status, /E_QUEUE/.test(outcome.stderr), /horse/.test(outcome.stderr)], [status, true, false], outcome.stderr);
      }
    } finally {
      await locked.close();
    }
  });

  test('an output that cannot be written stops the batch, which goes on later', async () => {
    const text = requests(60), from = fresh(text), output = fresh();
    worker();
    const full = await start(['batch', from, output, '--queue', valkey.url], {}, limit, 'ulimit -f 12').ended;
    assert.equal([full.status, /E_WRITE/.test(full.stderr)], [1, true], full.stderr);
    assert.ok(readResults(output).length < 60);
    assert.is((await run(from, output).ended).status, 0);
    same(output, await expectedOf(model, text));
  });

  test('a line that no worker survives is given up, and the others are not', async () => {
    const link = await openLink(valkey.url, 10), name = { fingerprint: 'f'.repeat(32), name: 'm', file: 'm' };
    const asker = openAsker(link, name, new AbortController().signal, () => undefined);
    const id = 'batch_req_0123456789abcdef_7_0123456789abcdef', request = { customId: 'deadly', url: '/v1/completions', body: '{}' };
    let deaths = 0, over = false;
    const answer = asker.answer(request, { id, number: 7, bytes: 2 }).finally(() => { over = true; });
    while (!over && deaths < 20) {
      let taken = false;
      const mortal = new Worker(queueOf(name), () => { taken = true; return new Promise(() => undefined); }, {
        ...link.options(), lockDuration: 200, lockRenewTime: 100_000, stalledInterval: 150, maxStalledCount: 10,
      });
      mortal.on('error', () => undefined);
      await until(() => taken || over, 'a worker that takes it');
      if (taken) deaths++;
      await mortal.close(true);
    }
    assert.equal(await answer, {
      id, custom_id: 'deadly', response: null,
      error: { code: 'worker_lost', message: 'No worker got through it: job stalled more than allowable limit', line: 7 },
    });
    assert.is(deaths, 11);
    await asker.close();
    link.close();
  });

  test('a line that is withdrawn on its way into the queue is not left there', async () => {
    const link = await openLink(valkey.url, 10), name = { fingerprint: 'e'.repeat(32), name: 'm', file: 'm' };
    const { Queue: Quick } = link.bull;
    class Slow extends Quick {
      override async add(...args: Parameters<Queue['add']>): ReturnType<Queue['add']> {
        await pause(100);
        const job = await super.add(...args);
        await pause(300); // a worker answers it meanwhile
        return job;
      }
    }
    const stop = new AbortController(), asker = openAsker({ ...link, bull: { ...link.bull, Queue: Slow } }, name, stop.signal, () => undefined);
    const id = 'batch_req_0123456789abcdef_7_0123456789abcdef', quick = new Worker(queueOf(name), () => Promise.resolve({ id }), link.options());
    try {
      const answer = asker.answer({ customId: 'late', url: '/v1/completions', body: '{}' }, { id, number: 7, bytes: 2 });
      stop.abort();
      assert.equal(await answer, { id }, 'the answer of who had it already');
      asker.settled(id);
    } finally {
      await asker.close();
      await quick.close();
      link.close();
    }
    assert.is(total(await jobs()), 0);
  });

  test('lines that fail are results too', async () => {
    const lines = [...requests(3).trim().split('\n'), '{', '{"custom_id":"x","method":"POST","url":"/v1/completions","body":{"prompt":5}}'], output = fresh();
    worker();
    const { status, stderr } = await run(fresh(lines.join('\n')), output).ended;
    assert.is(status, 3, stderr);
    assert.equal(readResults(output).map(({ response, error }) => error?.code ?? response!.status_code).sort(), [200, 200, 200, 400, 'invalid_json_line']);
  });

  test.run();
}
