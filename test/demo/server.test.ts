/** The server of the page: whole files and ranges of them, bound to a version, and nothing outside its folder. */
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import type { Server } from 'node:http';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { listen, serveFolder } from '../../scripts/demo.ts';

const test = suite('server of the page');
const text = '0123456789';
let folder: string, server: Server, url: string;

test.before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'clada-page-'));
  mkdirSync(join(folder, 'site/models'), { recursive: true });
  writeFileSync(join(folder, 'outside'), 'secret');
  writeFileSync(join(folder, 'site/models/m.gguf'), text);
  writeFileSync(join(folder, 'site/index.html'), '<p>');
  server = createServer(serveFolder(join(folder, 'site')));
  url = `http://127.0.0.1:${await listen(server, 0)}`;
});
test.after(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => { server.close(resolve); });
  rmSync(folder, { recursive: true });
});

const get = async (headers: Record<string, string> = {}, path = '/models/m.gguf', method = 'GET') => {
  const response = await fetch(url + path, { headers, method });
  return { status: response.status, headers: response.headers, body: await response.text() };
};
const answer = async (range: string, more: Record<string, string> = {}): Promise<(string | number | null)[]> => {
  const { status, headers, body } = await get({ range, ...more });
  return [status, headers.get('content-range'), body];
};

test('ranges: from, to, the last ones, cut at the end; none where there are none, the whole where the wish makes no sense', async () => {
  assert.equal(await answer('bytes=2-4'), [206, 'bytes 2-4/10', '234']);
  assert.equal(await answer('bytes=0-0'), [206, 'bytes 0-0/10', '0']);
  assert.equal(await answer('bytes=7-'), [206, 'bytes 7-9/10', '789']);
  assert.equal(await answer('bytes=8-99'), [206, 'bytes 8-9/10', '89']);
  assert.equal(await answer('bytes=-3'), [206, 'bytes 7-9/10', '789']);
  assert.equal(await answer('bytes=-99'), [206, 'bytes 0-9/10', text]);
  for (const range of ['bytes=10-', 'bytes=10-20', 'bytes=-0']) assert.equal((await answer(range)).slice(0, 2), [416, 'bytes */10'], range);
  for (const range of ['bytes=4-2', 'bytes=-', 'bytes=0-1,3-4', 'lines=0-1']) assert.equal(await answer(range), [200, null, text], range);
  const { status, headers, body } = await get({ range: 'bytes=2-4' }, undefined, 'HEAD');
  assert.equal([status, headers.get('content-length'), headers.get('accept-ranges'), body], [200, '10', 'bytes', '']);
});

test('versions: a range of another one is the whole of this one; what the browser has is not sent', async () => {
  const etag = (await get()).headers.get('etag')!;
  assert.match(etag, /^"[\w-]+"$/);
  assert.equal(await answer('bytes=2-4', { 'if-range': etag }), [206, 'bytes 2-4/10', '234']);
  assert.is((await get({ 'if-none-match': `"x", ${etag}` })).status, 304);
  utimesSync(join(folder, 'site/models/m.gguf'), 1, 1);
  assert.equal(await answer('bytes=2-4', { 'if-range': etag }), [200, null, text]);
  assert.is((await get({ 'if-none-match': etag })).status, 200);
});

test('nothing outside the folder, and nothing but reading', async () => {
  for (const path of ['/..%2foutside', '/models', '/%00', '/models/none']) assert.is((await get({}, path)).status, 404, path);
  assert.is((await get({}, '/%')).status, 400);
  assert.is((await get({}, '/', 'POST')).status, 405);
  assert.is((await get({}, '/')).headers.get('content-type'), 'text/html; charset=utf-8');
});

test.run();
