/** Models from the network: through the proxy that the environment names; what lets others in is never shown. */
import { createServer, request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { redact } from '../../src/cli/output.ts';
import { headerFor } from '../../src/cli/results.ts';
import { start, type Outcome } from '../helpers/cli.ts';
import { tinyPath } from '../helpers/models.ts';
import { TestServer } from '../helpers/server.ts';

const test = suite('cli/network');
const folder = mkdtempSync(join(tmpdir(), 'clada-network-'));
const server = await new TestServer(readFileSync(tinyPath('llama.gguf'))).start();

/** A forward proxy as RFC 9112 describes it; counts what passes, tunnels nothing. */
const passed: string[] = [];
let credentials: string | undefined;
const proxy = createServer((incoming, outgoing) => {
  passed.push(`${incoming.method} ${incoming.url}`);
  credentials = incoming.headers['proxy-authorization'];
  const target = new URL(incoming.url!), { host: _host, 'proxy-authorization': _auth, ...headers } = incoming.headers;
  if (target.hostname === 'model.example') target.host = new URL(server.origin).host; // a name that only the proxy knows
  incoming.pipe(httpRequest(target, { method: incoming.method, headers }, (response) => {
    outgoing.writeHead(response.statusCode!, response.headers);
    response.pipe(outgoing);
  }));
}).on('connect', (incoming, socket) => {
  passed.push(`CONNECT ${incoming.url}`);
  socket.end('HTTP/1.1 403 Forbidden\r\n\r\n');
});
await new Promise<void>((resolve) => { proxy.listen(0, '127.0.0.1', resolve); });
const proxyAddress = `127.0.0.1:${(proxy.address() as AddressInfo).port}`;

test.after(async () => {
  rmSync(folder, { recursive: true });
  await server.close();
  proxy.closeAllConnections();
  proxy.close();
});

/** None of the machine's own proxies. */
const bare = { http_proxy: '', https_proxy: '', HTTP_PROXY: '', HTTPS_PROXY: '', no_proxy: '', NO_PROXY: '', HF_TOKEN: '' };

async function clada(args: string[], env: Record<string, string> = {}): Promise<Outcome> {
  passed.length = 0;
  const running = start(args, { ...bare, ...env });
  running.endInput();
  return running.ended;
}

test('HTTP_PROXY is asked for http, with its name and password; NO_PROXY goes around it', async () => {
  const run = ['run', '-p', 'abc', '-n', '2', '--temp', '0', '--json', '--calibration', 'none', '-m'];
  for (const variable of ['HTTP_PROXY', 'http_proxy']) {
    const { HTTP_PROXY: _a, http_proxy: _b, ...rest } = bare, env = { ...rest, [variable]: `http://me:geheim@${proxyAddress}` };
    passed.length = 0;
    const running = start([...run, 'http://model.example/tiny.gguf'], { ...env, XDG_CACHE_HOME: join(folder, variable), ...(variable === 'HTTP_PROXY' ? {} : { HTTP_PROXY: '' }) });
    running.endInput();
    const { status, stdout, stderr } = await running.ended;
    assert.is(status, 0, stderr);
    assert.is((JSON.parse(stdout) as { generatedTokens: number }).generatedTokens, 2);
    assert.ok(passed.some((line) => line === 'GET http://model.example/tiny.gguf'), passed.join());
    assert.is(credentials, `Basic ${Buffer.from('me:geheim').toString('base64')}`);
    assert.not.match(stdout + stderr, /geheim/);
  }
  const direct = await clada(['pull', server.url('/a.gguf'), '--cache', join(folder, 'direct')], { HTTP_PROXY: `http://${proxyAddress}`, http_proxy: `http://${proxyAddress}`, NO_PROXY: 'example.org,127.0.0.1', no_proxy: 'example.org,127.0.0.1' });
  assert.is(direct.status, 0, direct.stderr);
  assert.equal(passed, []);
});

test('HTTPS_PROXY: a tunnel is asked for, and a refusal says so', async () => {
  const { status, stderr } = await clada(['pull', 'https://model.example/tiny.gguf', '--retries', '0', '--cache', join(folder, 'tunnel')], { HTTPS_PROXY: `http://${proxyAddress}`, https_proxy: `http://${proxyAddress}` });
  assert.is(status, 1);
  assert.match(stderr, /^error https:\/\/model\.example\/tiny\.gguf: .*E_NETWORK\]\n$/);
  assert.equal(passed.slice(0, 1), ['CONNECT model.example:443']);
});

test('a proxy that can be none is refused, without its password', async () => {
  const { status, stderr } = await clada(['pull', 'http://model.example/tiny.gguf'], { http_proxy: 'socks5://me:geheim@localhost:1' });
  assert.is(status, 2, stderr);
  assert.match(stderr, /http_proxy: found socks5:\/\/localhost:1; expected http/);
});

test('credentials never show: not in errors, not in JSON, not in the header of a results file', async () => {
  server.plan = () => ({ status: 403 });
  for (const json of [[], ['--json']]) {
    const { stdout, stderr } = await clada(['pull', `${server.url('/m.gguf')}?X-Amz-Signature=geheim&token=geheim`, '--cache', join(folder, 'secret'), ...json], { HF_TOKEN: 'hf_geheimgeheim' });
    assert.match(stderr, /\/m\.gguf\?X-Amz-Signature=….*E_ACCESS/);
    assert.not.match(stdout + stderr, /geheim/);
  }
  server.plan = () => ({});
  const userinfo = await clada(['pull', '--retries', '0', server.url('/m.gguf').replace('http://', 'http://me:geheim@')]);
  assert.is(userinfo.status, 0, userinfo.stderr);
  assert.not.match(userinfo.stdout + userinfo.stderr, /geheim/);
  const signed = await clada(['run', '-p', 'abc', '-n', '1', '--json', '--calibration', 'none', '-m', `${server.url('/m.gguf')}?token=geheim`], { XDG_CACHE_HOME: join(folder, 'signed') });
  assert.is(signed.status, 0, signed.stderr);
  assert.not.match(signed.stdout + signed.stderr, /geheim/);
  const pulled = await clada(['pull', `${server.url('/m.gguf')}?token=geheim`, '--json', '--cache', join(folder, 'pulled')]);
  assert.is(pulled.status, 0, pulled.stderr);
  assert.not.match(pulled.stderr, /geheim/);
  assert.match((JSON.parse(pulled.stdout) as { url: string }[])[0]!.url, /\/m\.gguf\?token=…$/);
  const info = { name: 'm', fileBytes: 1, kv: 'q8', tier: 'base', contextSize: 8 };
  assert.not.match(headerFor({ info } as never, ['eval', '-m', 'https://me:geheim@host/m.gguf?sig=geheim']).command, /geheim/);
});

test('redact: names and passwords, queries, tokens; other text as it is', () => {
  const env = { HF_TOKEN: 'a-secret-token' };
  for (const [text, expected] of [
    ['https://me:pw@host/a.gguf: found', 'https://host/a.gguf: found'], ['https://token@host/a', 'https://host/a'],
    ['see https://h/a.gguf?sig=1&x=2#part, then', 'see https://h/a.gguf?sig=…&x=… then'], ['https://h/a?b and http://i/c?d', 'https://h/a?… and http://i/c?…'],
    ['header hf_abcdefghijklmnop', 'header hf_…'], ['Bearer abcdefghijkl', 'Bearer …'], ['x a-secret-token y', 'x … y'],
    ['hf:owner/repo/file.gguf@main', 'hf:owner/repo/file.gguf@main'], ['mail me@host: what? nothing', 'mail me@host: what? nothing'], ['https://h/a@b.gguf', 'https://h/a@b.gguf'],
    ['C:\\models\\m.gguf', 'C:\\models\\m.gguf'],
  ] as const) assert.is(redact(text, env), expected);
});

test.run();
