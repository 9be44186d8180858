/** Passwords, tokens and signatures: sent where they belong, nowhere else, and never shown or written. */
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { openSource } from '../../src/bytes/open.ts';
import { CladaError, InputError } from '../../src/errors.ts';
import type { NetworkOptions } from '../../src/net/options.ts';
import { redacted } from '../../src/redact.ts';
import { load } from '../../src/text/load.ts';
import { pull } from '../../src/text/pull.ts';
import { tinyPath } from '../helpers/models.ts';
import { TestServer, noise } from '../helpers/server.ts';

const test = suite('credentials');
const secrets = ['geheim', 'hf_abcdefghij0123', 'sig9f3a', 'Z2VoZWlt'];
let server: TestServer, other: TestServer, folder: string;

test.before.each(async () => {
  server = await new TestServer(noise(2_000_000)).start();
  other = await new TestServer(noise(2_000_000)).start();
  folder = mkdtempSync(join(tmpdir(), 'clada-cred-'));
});
test.after.each(async () => {
  await server.close();
  await other.close();
  rmSync(folder, { recursive: true, force: true });
});

const signed = (path = '/model.gguf'): string => `${server.origin.replace('//', '//user:geheim@')}${path}?X-Amz-Signature=sig9f3a&token=hf_abcdefghij0123&sig9f3a#geheim`;
const clean = (what: unknown): void => {
  const text = typeof what === 'string' ? what : inspect(what, { depth: 6, showHidden: true });
  for (const secret of secrets) assert.not.ok(text.includes(secret), `${secret} in ${text}`);
};
const get = (options: NetworkOptions & Parameters<typeof pull>[1] = {}, from: string | URL = signed()) =>
  pull(from, { cache: { directory: folder }, calibration: false, retries: 0, retryDelay: 1, token: 'hf_abcdefghij0123', ...options });

async function failure(run: () => Promise<unknown>): Promise<CladaError> {
  try { await run(); } catch (error) { if (error instanceof CladaError) return error; throw error; }
  throw new Error('no error');
}

test('what may be shown of an address', () => {
  for (const [text, shown] of [
    ['https://x.org/a/m.gguf', 'https://x.org/a/m.gguf'], ['hf:owner/repo/m.gguf@v1', 'hf:owner/repo/m.gguf@v1'], ['C:\\models\\m.gguf', 'C:\\models\\m.gguf'],
    ['https://u:p@x.org/m.gguf?a=b&c=d#t', 'https://x.org/m.gguf?a=…&c=…'], ['https://token@x.org', 'https://x.org'], ['https://u:p@ss@x.org:8080/m?k', 'https://x.org:8080/m?…'],
    ['from https://a/b?s=1 to http://u@c/d?e=f.', 'from https://a/b?s=… to http://c/d?e=…'], ['"https://a/b?s=1", then', '"https://a/b?s=…", then'],
    ['header Bearer abc.def-1=', 'header Bearer …'], ['hf_AbCdEfGh12345', 'hf_…'], ['https://x.org/u@v/m.gguf', 'https://x.org/u@v/m.gguf'], ['https://x.org/m?', 'https://x.org/m'],
  ] as const) {
    assert.is(redacted(text), shown);
    assert.is(redacted(shown), shown, 'twice is once');
  }
  clean(new InputError('E_OPTION', { subject: signed(), found: signed(), expected: signed(), remedy: `Bearer hf_abcdefghij0123 ${signed()}` }));
});

test('every kind of failure: no message, cause or stack shows them', async () => {
  const plans: Record<string, TestServer['plan']> = {
    E_NOT_FOUND: () => ({ status: 404, headers: { 'x-error-message': 'no such file for hf_abcdefghij0123' } }),
    E_ACCESS: () => ({ status: 403, headers: { 'x-error-message': `expired: ${signed()}` } }),
    E_SERVER: () => ({ status: 503 }), E_RATE_LIMIT: () => ({ status: 429 }),
    E_REDIRECT: () => ({ status: 302, headers: { location: `ftp://user:geheim@x.org/m?token=hf_abcdefghij0123` } }),
    E_INCOMPLETE: () => ({ short: 1000, headers: { 'content-length': '1000' } }), E_NETWORK: () => ({ cutAt: 1000 }),
  };
  for (const [code, plan] of Object.entries(plans)) {
    server.plan = plan;
    const error = await failure(() => get());
    assert.is(error.code, code);
    assert.match(error.message, /127\.0\.0\.1:\d+\/model\.gguf\?X-Amz-Signature=…/, 'the address is shown');
    clean(error);
  }
  server.plan = (n) => ({ status: 302, headers: { location: n % 2 ? signed('/a') : signed('/b') } });
  clean(await failure(() => get()));
  server.plan = () => ({});
  clean(await failure(() => get({ sha256: '0'.repeat(64) })));
  clean(await failure(() => get({ offline: true })));
  const address = signed();
  await server.close();
  clean(await failure(() => get({}, address)));
  clean(await failure(() => get({}, address.replace('//', '//['))));
  await server.start();
});

test('a token that no header takes is refused without being shown; one with a line break behind it is taken', async () => {
  for (const token of ['hf_abcdefghij0123\nx', 'geheim ü', 'ge heim']) {
    const error = await failure(() => get({ token }));
    assert.is(error.code, 'E_OPTION');
    clean(error);
    assert.not.match(inspect(error), /ge heim|abcdefg/);
  }
  await get({ token: 'hf_abcdefghij0123\n' });
  assert.is(server.requests.at(-1)!.headers.authorization, 'Bearer hf_abcdefghij0123');
});

test('results, progress and the notes of the cache show them neither', async () => {
  const files: string[] = [], pulled = await get({ onProgress: ({ file }) => { files.push(file); } });
  assert.ok(files.length > 0);
  clean(files);
  clean(pulled);
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    clean(entry.name);
    if (entry.name.endsWith('.json')) clean(readFileSync(join(entry.parentPath, entry.name), 'utf8'));
  }
  server.content = new Uint8Array(readFileSync(tinyPath('llama.gguf')));
  const names: string[] = [], model = await load(signed(), { cache: false, tier: 'base', contextSize: 32, calibration: false, onProgress: ({ file }) => { names.push(file); } });
  model.close();
  clean([names, model.info]);
  const response = await openSource(await fetch(signed().replace('user:geheim@', '')));
  clean(response.name);
  await response.close();
});

test('user and password of an address are sent to its server, and to no other', async () => {
  const basic = `Basic ${Buffer.from('user:geheim').toString('base64')}`;
  await pull(signed(), { cache: { directory: folder }, calibration: false });
  assert.ok(server.requests.length > 0 && server.requests.every(({ headers }) => headers.authorization === basic));
  assert.ok(server.requests.every(({ url }) => url.startsWith('/model.gguf?X-Amz-Signature=sig9f3a')), 'the query is sent as it is');
  await get({}, signed('/second.gguf'));
  assert.is(server.requests.at(-1)!.headers.authorization, 'Bearer hf_abcdefghij0123', 'a token comes first');
  server.plan = () => ({ status: 302, headers: { location: other.url('/elsewhere').replace('//', '//who:ever@') } });
  await get({}, signed('/third.gguf'));
  assert.ok(other.requests.length > 0 && other.requests.every(({ headers }) => headers.authorization === undefined && headers.cookie === undefined && headers.referer === undefined));
});

test.run();
