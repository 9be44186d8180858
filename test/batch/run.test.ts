/** Batches as a library: what becomes of a line, what is kept, in which order, and how it ends. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { runBatch, type BatchResult, type Handler } from '../../src/batch/index.ts';
import { codeOf } from '../helpers/errors.ts';

const test = suite('batch');

const line = (id: string, body: object = {}, more: object = {}): string =>
  JSON.stringify({ custom_id: id, method: 'POST', url: '/v1/chat/completions', body, ...more });
const echo: Handler = async (request) => Response.json({ said: await request.json(), url: new URL(request.url).pathname, usage: { prompt_tokens: 2, completion_tokens: 3 } });

/** A stream in pieces of so many bytes. */
async function* pieces(text: string | Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  const bytes = typeof text === 'string' ? new TextEncoder().encode(text) : text;
  for (let at = 0; at < bytes.length; at += size) { await Promise.resolve(); yield bytes.subarray(at, at + size); }
}

async function run(text: string | Uint8Array, options: Partial<Parameters<typeof runBatch>[1]> & { size?: number } = {}) {
  const results: BatchResult[] = [], { size = 7, ...rest } = options;
  const progress = await runBatch(pieces(text, size), { handler: echo, write: (result) => { results.push(result); }, ...rest });
  return { results, progress, by: new Map(results.map((result) => [result.custom_id, result])) };
}

test('a line becomes a result in OpenAI\'s format', async () => {
  const { results: [result], progress } = await run(`${line('a', { model: 'm', n: 1 })}\n`);
  assert.match(result!.id, /^batch_req_[0-9a-f]{16}_1_[0-9a-f]{16}$/);
  assert.equal({ ...result, id: '' }, {
    id: '', custom_id: 'a', error: null, response: {
      status_code: 200, request_id: result!.id.replace('batch_', ''),
      body: { said: { model: 'm', n: 1 }, url: '/v1/chat/completions', usage: { prompt_tokens: 2, completion_tokens: 3 } },
    },
  });
  assert.equal({ ...progress, bytes: 0 }, {
    lines: 1, bytes: 0, before: 0, completed: 1, failed: 0, running: 0, promptTokens: 2, completionTokens: 3, ended: true,
  });
});

test('cut into pieces of any size, and with every ending, a file is the same lines', async () => {
  const text = `\ufeff${line('ä€😀')}\r\n\n  \n${line('b')}\n${line('c')}`;
  const ids = (results: BatchResult[]): string[] => results.map(({ id }) => id.split('_').slice(3).join('_')).sort();
  const whole = await run(text, { size: 1e6 });
  assert.equal([...whole.by.keys()].sort(), ['b', 'c', 'ä€😀'].sort());
  for (let size = 1; size < 40; size++) assert.equal(ids((await run(text, { size })).results), ids(whole.results), `${size}`);
  assert.equal((await run('')).progress.ended, true);
  const stream = new Blob([text]).stream(), results: BatchResult[] = [];
  await runBatch(stream, { handler: echo, write: (result) => { results.push(result); } });
  assert.equal(ids(results), ids(whole.results));
});

test('every line that is no request gets an error of its own, and is not asked', async () => {
  const bad: [string, string | null, string][] = [
    ['{', null, 'invalid_json_line'], ['[]', null, 'invalid_json_line'], ['null', null, 'invalid_json_line'], ['"x"', null, 'invalid_json_line'],
    ['{}', null, 'missing_required_parameter'], [line('', {}), null, 'invalid_custom_id'], [line('x'.repeat(513)), null, 'invalid_custom_id'],
    [line(5 as unknown as string), null, 'invalid_custom_id'], [line('m', {}, { method: 'GET' }), 'm', 'invalid_method'],
    [line('u', {}, { url: '/metrics' }), 'u', 'invalid_url'], [line('v', {}, { url: '/v1/../metrics' }), 'v', 'invalid_url'],
    [line('w', {}, { url: 'http://elsewhere/v1/chat/completions' }), 'w', 'invalid_url'], [line('x', {}, { url: ['/v1/embeddings'] }), 'x', 'invalid_url'],
    [line('y', [] as object), 'y', 'invalid_body'], [line('z', {}, { body: 'text' }), 'z', 'invalid_body'],
    [line('s', { stream: true }), 's', 'stream_not_supported'],
    [line('i', { temperature: 9 }).replace('9', '1e999'), 'i', 'invalid_body'], [line('j', { tools: [{ a: 9 }] }).replace('9', '-1e999'), 'j', 'invalid_body'],
    [line('d', 0 as unknown as object).replace('"body":0', `"body":{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}`), 'd', 'invalid_body'], [line('\ud800'), null, 'invalid_custom_id'],
  ];
  let asked = 0;
  const { results, progress } = await run(bad.map(([text]) => text).join('\n'), { handler: (request) => { asked++; return echo(request); } });
  assert.is(asked, 0);
  assert.equal([progress.completed, progress.failed, progress.ended], [bad.length, bad.length, true]);
  for (const [i, [text, id, code]] of bad.entries()) {
    const result = results.find(({ error }) => error?.line === i + 1);
    assert.equal([result?.custom_id, result?.error?.code, result?.response], [id, code, null], text.slice(0, 60));
  }
});

test('a line that is too long, or no UTF-8, costs only itself', async () => {
  const long = await run(`${line('a')}\n${line('long', { text: 'x'.repeat(5000) })}\n${line('b')}`, { maxLineBytes: 200 });
  assert.equal(long.results.map(({ custom_id: id, error }) => [id, error?.code]), [['a', undefined], [null, 'line_too_long'], ['b', undefined]]);
  const bytes = new TextEncoder().encode(`${line('a')}\n${line('b')}\n`);
  bytes[5] = 0xff;
  assert.equal((await run(bytes)).results.map(({ custom_id: id, error }) => [id, error?.code]), [[null, 'invalid_utf8'], ['b', undefined]]);
});

test('the first line of a custom_id is answered, later ones say that it was taken', async () => {
  const text = [...Array(3000).keys()].map((i) => line(`id-${i % 2500}`, { i })).join('\n');
  const { results } = await run(text, { size: 4096 });
  const refused = results.filter(({ error }) => error?.code === 'duplicate_custom_id');
  assert.equal([results.length, refused.length], [3000, 500]);
  assert.equal(refused.map(({ error }) => error!.line).sort((a, b) => a - b), [...Array(500).keys()].map((i) => 2501 + i));
  assert.equal(new Set(results.filter(({ error }) => !error).map(({ custom_id: id }) => id)).size, 2500);
});

test('answers that are errors count as failed, and keep their status and body', async () => {
  const { results, progress } = await run(`${line('a')}\n${line('b')}\n${line('c')}`, {
    concurrency: 1, handler: async (request) => {
      const n = (await request.text()).length;
      assert.is(n, 2);
      return progressed++ === 0 ? Response.json({ error: { code: 'model_not_found' } }, { status: 404, headers: { 'x-request-id': 'r1' } })
        : progressed === 2 ? new Response('<html>', { status: 502 }) : Promise.reject(new Error('out of order'));
    },
  });
  assert.equal(results.map(({ response, error }) => response ?? error!.code), [
    { status_code: 404, request_id: 'r1', body: { error: { code: 'model_not_found' } } },
    { status_code: 502, request_id: results[1]!.id.replace('batch_', ''), body: '<html>' }, 'internal_error',
  ]);
  assert.equal([progress.completed, progress.failed], [3, 3]);
});
let progressed = 0;

test('who is busy is asked again', async () => {
  let asked = 0;
  const { results } = await run(line('a'), {
    handler: (request) => (asked++ < 2 ? new Response('{}', { status: 429, headers: { 'retry-after': '0' } }) : echo(request)),
  });
  assert.equal([asked, results[0]!.response!.status_code], [3, 200]);
  asked = 0;
  await run(line('a'), { handler: () => { asked++; return new Response('{}', { status: 503, headers: { 'x-should-retry': 'false' } }); } });
  assert.is(asked, 1);
});

test('a model that can answer no more ends the batch, without results for what it did not answer', async () => {
  const results: BatchResult[] = [];
  let asked = 0;
  const handler: Handler = (request) => (asked++ < 2 ? echo(request) : Response.json({ error: { code: 'E_POISONED' } }, { status: 503 }));
  const text = [...Array(10).keys()].map((i) => line(`${i}`)).join('\n');
  assert.is(await codeOf(() => runBatch(pieces(text, 99), { handler, concurrency: 2, write: (result) => { results.push(result); } })), 'E_CLOSED');
  assert.ok(results.length <= 2 && results.every(({ response }) => response?.status_code === 200));
});

test('so many run at a time, and no more lines are read than that', async () => {
  let running = 0, most = 0, read = 0;
  async function* endless(): AsyncGenerator<Uint8Array> {
    for (let i = 0; i < 500; i++) { read = i; yield new TextEncoder().encode(`${line(`n${i}`)}\n`); }
  }
  let answered = 0;
  await runBatch(endless(), {
    concurrency: 3, write: () => { answered++; }, handler: async (request) => {
      most = Math.max(most, ++running);
      assert.ok(read - answered <= 4, `${read} read, ${answered} answered`);
      await new Promise((resolve) => { setTimeout(resolve, 1); });
      running--;
      return echo(request);
    },
  });
  assert.equal([most, answered], [3, 500]);
});

test('long lines are held in bounded memory: one is always let in', async () => {
  let running = 0, most = 0;
  const text = [...Array(8).keys()].map((i) => line(`${i}`, { text: 'x'.repeat(1000) })).join('\n');
  const handler: Handler = async (request) => { most = Math.max(most, ++running); await new Promise((resolve) => { setTimeout(resolve, 2); }); running--; return echo(request); };
  assert.is((await run(text, { handler, concurrency: 8, maxBytes: 2500, size: 1e6 })).results.length, 8);
  assert.is(most, 2);
  most = 0;
  assert.is((await run(text, { handler, concurrency: 8, maxBytes: 1, size: 1e6 })).results.length, 8);
  assert.is(most, 1);
});

test('goes on behind results of an earlier run, wherever that was cut', async () => {
  const text = [...Array(20).keys()].map((i) => line(`${i}`, { i })).join('\n'), all = (await run(text)).results;
  for (let cut = 0; cut <= all.length; cut++) {
    const asked: number[] = [], done = all.slice(0, cut);
    const { results, progress } = await run(text, {
      done, handler: async (request) => { asked.push((await request.clone().json() as { i: number }).i); return echo(request); },
    });
    assert.equal([progress.before, progress.completed, asked.length], [cut, 20 - cut, 20 - cut]);
    assert.equal([...done, ...results].map(({ custom_id: id }) => Number(id)).sort((a, b) => a - b), [...Array(20).keys()]);
    if (cut > 0) assert.equal(new Set([...done, ...results].map(({ id }) => id.slice(0, 26))).size, 1);
  }
});

test('results of another input, or twice, are refused', async () => {
  const { results } = await run(`${line('a')}\n${line('b')}`);
  assert.is(await codeOf(() => run(`${line('a')}\n${line('other')}`, { done: results })), 'E_DATA');
  assert.is(await codeOf(() => run(line('a'), { done: [results[0]!, results[0]!] })), 'E_DATA');
  for (const id of ['batch_req_1', '', undefined as unknown as string, 'batch_req_0123456789abcdef_0_0123456789abcdef', 'batch_req_0123456789abcdef_9999999999_0123456789abcdef']) {
    assert.is(await codeOf(() => run(line('a'), { done: [{ id }] })), 'E_DATA');
  }
});

test('a signal lets what runs finish, and says that it is not all', async () => {
  const stop = new AbortController(), text = [...Array(20).keys()].map((i) => line(`${i}`)).join('\n');
  let asked = 0;
  const { results, progress } = await run(text, {
    signal: stop.signal, concurrency: 3, handler: async (request) => {
      if (++asked === 5) stop.abort();
      await new Promise((resolve) => { setTimeout(resolve, 2); });
      return echo(request);
    },
  });
  assert.equal([progress.ended, progress.running, results.length], [false, 0, asked]);
  assert.ok(asked >= 5 && asked <= 8, `${asked}`);
});

test('where results cannot be written it ends with that error, and asks nothing more', async () => {
  let asked = 0, written = 0;
  const text = [...Array(50).keys()].map((i) => line(`${i}`)).join('\n'), full = new Error('full');
  try {
    await runBatch(pieces(text, 99), {
      concurrency: 2, handler: (request) => { asked++; return echo(request); },
      write: () => { if (written++ === 3) throw full; },
    });
    assert.unreachable();
  } catch (error) {
    assert.is(error, full);
  }
  assert.is(written, 4);
  assert.ok(asked < 10, `${asked}`);
});

test('an input that breaks off, and options that cannot be, are errors', async () => {
  async function* broken(): AsyncGenerator<Uint8Array> { yield new TextEncoder().encode(`${line('a')}\n`); throw new Error('gone'); }
  let written = 0;
  try {
    await runBatch(broken(), { handler: echo, write: () => { written++; } });
    assert.unreachable();
  } catch (error) { assert.is((error as Error).message, 'gone'); }
  for (const wrong of [{ concurrency: 0 }, { maxLineBytes: 1.5 }, { parallel: 3 }]) {
    assert.is(await codeOf(() => run(line('a'), wrong)), 'E_OPTION');
  }
});

test.run();
