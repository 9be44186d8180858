/** What clients do wrong, by mistake or on purpose: an error in the protocol's shape, and the server goes on. */
import { connect } from 'node:net';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { load } from '../../src/index.ts';
import { createServer } from '../../src/server/index.ts';
import { codeOf } from '../helpers/errors.ts';
import { embeddedModel } from '../helpers/models.ts';
import { serving } from '../helpers/serving.ts';

const model = await load(embeddedModel, { contextSize: 512, sequences: 4, threads: 1 });
const at = await serving(model, { slots: 4, maxBody: 100_000, timeout: 60 });
const test = suite('server, bad input');
test.after(async () => {
  await at.close();
  model.close();
});

interface Answer { error: { message: string; type: string; param: string | null; code: string | null } }
const chat = (more: object = {}): object => ({ messages: [{ role: 'user', content: 'Hi' }], temperature: 0, max_tokens: 4, ...more });

/** Status and error of an answer, whose shape is checked. */
async function refused(response: Promise<Response>): Promise<[status: number, param: string | null, code: string | null]> {
  const answer = await response, { status, headers } = answer, { error } = (await answer.json()) as Answer;
  assert.match(headers.get('content-type')!, /^application\/json/);
  assert.equal(Object.keys(error).sort(), ['code', 'message', 'param', 'type']);
  assert.ok(error.message.length > 5 && error.message.length < 500, error.message);
  assert.type(error.type, 'string');
  return [status, error.param, error.code];
}
const asked = (body: unknown, path = '/v1/chat/completions', init: RequestInit = {}) => refused(at.post(path, body, init));

test('bodies that are no request', async () => {
  for (const body of ['', '{', '[]', 'null', '"text"', '{"messages":', `${'['.repeat(50_000)}`, `{"a":${'['.repeat(200)}${']'.repeat(200)}}`]) {
    assert.equal(await asked(body), [400, null, 'invalid_json'], body.slice(0, 40));
  }
  assert.equal(await refused(fetch(`${at.origin}/v1/chat/completions`, { method: 'POST', body: new Uint8Array([0x7b, 0xff, 0xfe, 0x7d]) })), [400, null, 'invalid_json']);
  assert.equal(await asked({ padding: 'x'.repeat(100_000) }), [413, null, 'request_too_large']);
  const endless = new ReadableStream<Uint8Array>({ pull: (controller) => { controller.enqueue(new Uint8Array(10_000).fill(0x20)); } });
  assert.equal(await refused(at.server.fetch(new Request('http://x/v1/chat/completions', { method: 'POST', body: endless, duplex: 'half' } as RequestInit))), [413, null, 'request_too_large']);
  assert.equal(await asked(chat(), undefined, { headers: { 'content-type': 'multipart/form-data; boundary=x' } }), [415, null, 'unsupported_media_type']);
});

test('fields of the wrong kind are named', async () => {
  const cases: [object, string][] = [
    [{ messages: 'Hi' }, 'messages'], [{ messages: [] }, 'messages'], [{}, 'messages'], [chat({ messages: ['Hi'] }), 'messages[0]'],
    [chat({ messages: [{ content: 'Hi' }] }), 'messages[0].role'], [chat({ messages: [{ role: 'nobody', content: '' }] }), 'messages[0].role'], [chat({ messages: [{ role: 'user' }] }), 'messages[0].content'],
    [chat({ messages: [{ role: 'user', content: 7 }] }), 'messages[0].content'], [chat({ messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'x' } }] }] }), 'messages[0].content[0]'],
    [chat({ temperature: '1' }), 'temperature'], [chat({ temperature: -1 }), 'temperature'], [chat({ max_tokens: 1.5 }), 'max_tokens'], [chat({ max_tokens: -7 }), 'max_tokens'],
    [chat({ n: 0 }), 'n'], [chat({ n: 100 }), 'n'], [chat({ stop: [''] }), 'stop'], [chat({ stop: Array(99).fill('a') }), 'stop'], [chat({ seed: 'x' }), 'seed'],
    [chat({ logit_bias: { x: 1 } }), 'logit_bias'], [chat({ logit_bias: { '': 1 } }), 'logit_bias'], [chat({ logit_bias: { '0x10': 1 } }), 'logit_bias'], [chat({ logit_bias: { 5: 1e308 } }), 'logit_bias'], [chat({ logit_bias: { 999999: 1 } }), 'logit_bias'], [chat({ stream: 'yes' }), 'stream'],
    [chat({ top_logprobs: 5 }), 'top_logprobs'], [chat({ logprobs: true, top_logprobs: 21 }), 'top_logprobs'], [chat({ model: 7 }), 'model'],
    [chat({ messages: [{ role: 'assistant', tool_calls: [{ function: { name: 'f', arguments: '{"a":'.repeat(9000) } }] }] }), 'messages[0].tool_calls[0].function.arguments'],
    [chat({ response_format: { type: 'xml' } }), 'response_format.type'], [chat({ response_format: { type: 'json_schema' } }), 'response_format.schema'],
    [chat({ tools: [{ type: 'function', function: { name: '' } }] }), 'tools[0].function.name'], [chat({ tools: [{ type: 'function', function: { name: 'a b' } }] }), 'tools[0].function.name'], [chat({ tools: [{ type: 'code_interpreter' }] }), 'tools[0].type'],
    [chat({ tool_choice: 'required' }), 'tool_choice'], [chat({ audio: { voice: 'x' } }), 'audio'], [chat({ functions: [] }), 'functions'], [chat({ mirostat: 2 }), 'mirostat'],
    [chat({ sparsity: { density: 7 } }), 'sparsity.density'], [chat({ sparsity: 'clever' }), 'sparsity.method'],
    [chat({ messages: [{ role: 'user', content: 'Hi', __proto__: null }], top_p: null, grammar: 'root ::= "a"', json_schema: {} }), 'grammar'],
  ];
  for (const [body, param] of cases) {
    const [status, found, code] = await asked(body);
    assert.equal([status, found], [400, param], `${JSON.stringify(body)} ${code}`);
  }
  const items = [{ type: 'reasoning' }, { role: 'user', content: [{ type: 'input_image', image_url: 'x' }] }];
  assert.equal(await asked({ instructions: 'Be brief.', input: items }, '/v1/responses'), [400, 'input[1].content[0]', 'unsupported_content']);
  assert.equal((await asked({ prompt: [[]] }, '/v1/completions'))[0], 400);
  assert.equal((await asked({ prompt: 'a', suffix: 'b' }, '/v1/completions')).slice(1), ['suffix', 'unsupported_parameter']);
  assert.equal((await asked({ prompt: [1e9] }, '/v1/completions'))[0], 400);
  assert.equal((await asked({ tokens: [-1] }, '/detokenize')).slice(0, 2), [400, 'tokens[0]']);
  assert.equal((await asked({ tokens: [1e9] }, '/detokenize')).slice(0, 2), [400, 'tokens']);
});

test('numbers that no double holds are refused wherever they stand: they could not be handed on', async () => {
  const body = (more: string): string => `{"messages":[{"role":"user","content":"1e999"}],"max_tokens":1,${more}}`;
  for (const [more, param] of [
    ['"temperature":1e999', 'temperature'], ['"temperature":-1E+0400', 'temperature'], [`"top_p":1${'0'.repeat(400)}`, 'top_p'], ['"user":{"a":[0,1e400]}', 'user.a[1]'],
    ['"response_format":{"type":"json_schema","json_schema":{"schema":{"const":1e999}}}', 'response_format.json_schema.schema.const'],
  ]) assert.equal(await asked(body(more!)), [400, param, 'invalid_value'], more);
  for (const more of ['"temperature":1e-999', '"user":"1e999"', '"temperature":0.00e000']) assert.is((await at.post('/v1/chat/completions', body(more))).status, 200, more);
});

test('what changes nothing is taken: null, neutral values, and what is only told', async () => {
  const harmless = { user: 'me', metadata: { a: 'b' }, store: false, service_tier: 'auto', mirostat: 0, modalities: ['text'], stop: null, seed: null, tools: null, cache_prompt: true };
  assert.is((await at.post('/v1/chat/completions', chat(harmless))).status, 200);
});

test('longer than the context: told before anything streams, at once even where it is much longer', async () => {
  for (const [path, body, param] of [['/v1/chat/completions', chat({ messages: [{ role: 'user', content: 'word '.repeat(600) }] }), 'messages'], ['/v1/completions', { prompt: 'word '.repeat(15_000) }, 'prompt']] as const) {
    for (const stream of [false, true]) assert.equal(await asked({ ...body, stream }, path), [400, param, 'context_length_exceeded']);
  }
  const large = await serving(model), blank = ' '.repeat(3_000_000), started = performance.now(); // seconds to tokenise
  const bodies: [string, object, string][] = [
    ['/v1/chat/completions', { messages: [{ role: 'user', content: blank }] }, 'messages'], ['/v1/completions', { prompt: blank }, 'prompt'],
    ['/v1/chat/completions', chat({ tools: [{ type: 'function', function: { name: 'f', description: blank } }] }), 'messages'], ['/v1/chat/completions', chat({ logit_bias: [[blank, 1]] }), 'logit_bias'],
    ['/v1/chat/completions', chat({ tools: [{ type: 'function', function: { name: 'f' } }], messages: [{ role: 'assistant', tool_calls: [{ function: { name: 'f', arguments: blank } }] }] }), 'messages'],
    ['/v1/chat/completions', chat({ messages: [{ role: 'user', content: 'Hi' }, { role: 'tool', content: blank }] }), 'messages'],
    ['/v1/chat/completions', chat({ logit_bias: Array(3000).fill([' '.repeat(1000), 1]) }), 'logit_bias'], ['/detokenize', { tokens: Array(300_000).fill(5) }, 'tokens'],
    ['/v1/completions', { prompt: Array(300_000).fill(5), echo: true }, 'prompt'], ['/v1/responses', { input: blank }, 'input'], ['/v1/embeddings', { input: [blank] }, 'input'], ['/tokenize', { content: blank }, 'content'],
  ];
  for (const [path, body, param] of bodies) assert.equal((await refused(large.post(path, body))).slice(0, 2), [400, param], path);
  // what this template shows nobody is no part of the prompt
  assert.is((await large.post('/v1/chat/completions', chat({ messages: [{ role: 'user', content: 'Hi' }, { role: 'assistant', content: 'Yes.', reasoning_content: blank }, { role: 'user', content: 'Hi' }] }))).status, 200);
  const ms = performance.now() - started;
  assert.ok(ms < 5000, `${ms} ms`);
  await large.close();
});

test('paths and methods that are not there', async () => {
  for (const path of ['/v1', '/v1/', '/v1/chat', '/v1/models/../../etc/passwd', '/%2e%2e/%2e%2e/etc/passwd', '//v1//models', '/v1/chat/completions/', '/index.html', '/v1/chat/completions%00']) {
    const response = await at.server.fetch(new Request(`http://127.0.0.1${path}`));
    assert.is(response.status, 404, path);
  }
  assert.equal((await refused(fetch(`${at.origin}/v1/chat/completions`)))[0], 405);
  assert.equal((await refused(at.post('/v1/models', {})))[0], 405);
  assert.equal((await refused(fetch(`${at.origin}/v1/models/unknown`))), [404, 'model', 'model_not_found']);
  assert.equal((await refused(fetch(`${at.origin}/?${'x'.repeat(5000)}`)))[0], 414);
  assert.equal((await refused(at.server.fetch(new Request('http://x/health', { headers: { 'x-large': 'y'.repeat(40_000) } }))))[0], 431);
});

test('bytes that are no HTTP do not bring it down', async () => {
  const { port } = new URL(at.origin);
  for (const text of ['\0\0\0\0\r\n\r\n', 'GET / HTTP/9.9\r\n\r\n', 'POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: -5\r\n\r\n',
    'POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\ncontent-length: 4\r\n\r\nzz\r\n', 'GET http://[::bad/ HTTP/1.1\r\nhost: [::bad\r\n\r\n']) {
    await new Promise<void>((resolve) => {
      const socket = connect(Number(port), '127.0.0.1', () => { socket.end(text); });
      socket.on('error', () => { resolve(); }).on('close', () => { resolve(); }).resume();
    });
  }
  assert.is((await fetch(`${at.origin}/health`)).status, 200);
});

test('pages of elsewhere: refused, unless they are let in', async () => {
  const foreign = { headers: { origin: 'https://elsewhere.example' } };
  assert.equal(await asked(chat(), undefined, foreign), [403, null, 'origin_not_allowed']);
  assert.is((await at.post('/v1/chat/completions', chat(), { headers: { origin: at.origin } })).status, 200);
  const open = createServer(model, { cors: ['https://elsewhere.example'] });
  const preflight = await open.fetch(new Request('http://x/v1/models', { method: 'OPTIONS', headers: { ...foreign.headers, 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization' } }));
  assert.is(preflight.headers.get('access-control-allow-origin'), 'https://elsewhere.example');
  assert.match(preflight.headers.get('access-control-allow-headers')!, /authorization/);
  assert.is((await open.fetch(new Request('http://x/v1/models', foreign))).headers.get('access-control-allow-origin'), 'https://elsewhere.example');
  assert.is((await open.fetch(new Request('http://x/v1/models', { headers: { origin: 'https://third.example' } }))).status, 403);
  assert.is((await createServer(model, { hosts: ['x'] }).fetch(new Request('http://y/v1/models'))).status, 403);
});

test('a time limit: 504 before the stream, an error in it', async () => {
  const hasty = createServer(model, { timeout: 0.4 });
  const ask = (stream: boolean) => hasty.fetch(new Request('http://x/v1/chat/completions', { method: 'POST', body: JSON.stringify(chat({ max_tokens: 400, ignore_eos: true, stream })) }));
  const whole = await ask(false);
  assert.is(whole.status, 504);
  assert.is(whole.headers.get('x-should-retry'), 'false');
  const text = await (await ask(true)).text();
  assert.match(text, /data: \{"error":\{"message":"The answer took longer than 0.4 s\.".*"code":"timeout"\}\}\n\n$/);
  assert.is(hasty.active, 0);
});

test('a bias that forbids every token', async () => {
  const body = JSON.stringify(chat({ logit_bias: Array.from({ length: model.info.vocab }, (_, id) => [id, false]) }));
  assert.equal(await refused(createServer(model).fetch(new Request('http://x/v1/chat/completions', { method: 'POST', body }))), [400, 'logit_bias', 'E_LOGITS']);
});

test('a body that never ends is not waited for longer than an answer', async () => {
  const server = createServer(model, { timeout: 0.3 }), more = createServer(model);
  const ask = (to: typeof server) => {
    const body = new ReadableStream<Uint8Array>({ start: (controller) => { controller.enqueue(new Uint8Array([0x7b])); } });
    return to.fetch(new Request('http://x/v1/chat/completions', { method: 'POST', body, duplex: 'half' } as RequestInit));
  };
  assert.equal(await refused(ask(server)), [504, null, 'timeout']);
  const waiting = refused(ask(more));
  await more.close(0.1);
  assert.equal(await waiting, [503, null, 'shutting_down']);
  assert.equal([server.active, more.active], [0, 0]);
});

test('a reader that does not read: nothing is made for it, and its slot is free when it goes', async () => {
  const server = createServer(model, { slots: 1 });
  const response = await server.fetch(new Request('http://x/v1/chat/completions', { method: 'POST', body: JSON.stringify(chat({ max_tokens: 300, ignore_eos: true, stream: true })) }));
  const reader = response.body!.getReader();
  await reader.read();
  const decoded = async () => ((await (await server.fetch(new Request('http://x/slots'))).json()) as { next_token: { n_decoded: number } }[])[0]!.next_token.n_decoded;
  await new Promise((resolve) => { setTimeout(resolve, 300); });
  assert.ok(await decoded() <= 4, `${await decoded()} tokens for nobody`);
  await reader.cancel();
  assert.is(server.active, 0);
  assert.is((await (await server.fetch(new Request('http://x/slots'))).json() as { is_processing: boolean }[])[0]!.is_processing, false);
});

test('clients that vanish leave slots and line', async () => {
  const { port } = new URL(at.origin);
  const sockets = await Promise.all(Array.from({ length: 12 }, (_, i) => new Promise<ReturnType<typeof connect>>((resolve) => {
    const body = JSON.stringify(chat({ max_tokens: 400, ignore_eos: true, stream: i % 2 === 0 }));
    const socket = connect(Number(port), '127.0.0.1', () => {
      socket.write(`POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
      resolve(socket);
    }).on('error', () => undefined);
  })));
  while (at.server.active < 12) await new Promise((resolve) => { setTimeout(resolve, 5); });
  for (const socket of sockets) socket.destroy();
  await at.idle();
  const slots = (await (await fetch(`${at.origin}/slots`)).json()) as { is_processing: boolean }[];
  assert.equal(slots.map(({ is_processing }) => is_processing), [false, false, false, false]);
});

test('ten times more clients than slots: 200 or 429, and to each its own answer', async () => {
  const small = await serving(model, { slots: 4, queue: 4 });
  try {
    const bodyOf = (i: number): object => chat({ max_tokens: 16, messages: [{ role: 'user', content: `My number is ${i * 31}. What is my number?` }] });
    const textOf = async (response: Response): Promise<string> => ((await response.json()) as { choices: { message: { content: string } }[] }).choices[0]!.message.content;
    const answers = await Promise.all(Array.from({ length: 40 }, (_, i) => small.post('/v1/chat/completions', bodyOf(i))));
    const statuses = answers.map(({ status }) => status);
    const [answered, sentAway] = [200, 429].map((wanted) => statuses.filter((status) => status === wanted).length);
    assert.is(answered! + sentAway!, 40, statuses.join(' '));
    assert.ok(answered! >= 8 && sentAway! > 0, statuses.join(' '));
    for (const [i, answer] of answers.entries()) {
      if (answer.status !== 200) { assert.ok(Number(answer.headers.get('retry-after')) >= 1); continue; }
      if (i % 4 === 0) assert.is(await textOf(answer), await textOf(await small.post('/v1/chat/completions', bodyOf(i))), `client ${i}, alone`);
    }
    const metrics = await (await fetch(`${small.origin}/metrics`)).text();
    assert.match(metrics, /^llamacpp:requests_deferred 0$/m);
    assert.ok(metrics.includes(`clada:requests_total{status="429"} ${sentAway}\n`), metrics);
    assert.match(metrics, /^llamacpp:tokens_predicted_total \d+$/m);
  } finally {
    await small.close();
  }
});

test('a request for many answers hears of its end once, whoever waits', async () => {
  const warnings: string[] = [], listen = (warning: Error): void => { warnings.push(warning.message); }, server = createServer(model, { slots: 2 });
  process.on('warning', listen);
  const answer = await server.fetch(new Request('http://x/v1/chat/completions', { method: 'POST', body: JSON.stringify(chat({ n: 24, max_tokens: 1 })) }));
  assert.is(((await answer.json()) as { choices: unknown[] }).choices.length, 24);
  await new Promise((resolve) => { setTimeout(resolve, 10); });
  process.off('warning', listen);
  assert.equal(warnings, []);
});

test('close: nobody new, and who runs is ended after the limit', async () => {
  const server = createServer(model);
  const running = server.fetch(new Request('http://x/v1/chat/completions', { method: 'POST', body: JSON.stringify(chat({ max_tokens: 400, ignore_eos: true })) }));
  await new Promise((resolve) => { setTimeout(resolve, 50); });
  const closed = server.close(0.2);
  assert.is((await server.fetch(new Request('http://x/health'))).status, 503);
  const sentAway = await server.fetch(new Request('http://x/v1/chat/completions', { method: 'POST', body: '{}' }));
  assert.equal([sentAway.status, sentAway.headers.get('retry-after'), sentAway.headers.get('x-should-retry')], [503, '10', null], 'another may answer');
  assert.is((await running).status, 503);
  await closed;
});

test('options and models that cannot be', async () => {
  for (const options of [{ slots: 0 }, { queue: -1 }, { timeout: 0 }, { apiKeys: [''] }, { slotz: 4 }]) assert.is(await codeOf(() => createServer(model, options as object)), 'E_OPTION');
  for (const models of [{}, { a: 7 }, null]) assert.is(await codeOf(() => createServer(models as never)), 'E_OPTION');
});

test.run();
