/** `clada serve` as a shell sees it. */
import { request } from 'node:http';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { clada, start } from '../helpers/cli.ts';
import { tinyPath } from '../helpers/models.ts';

const tiny = tinyPath('llama.gguf');
const test = suite('clada serve');

const originOf = async (running: ReturnType<typeof start>): Promise<string> => {
  await running.said(/^http:\S+\n/);
  return running.stdout.trim();
};

test('SIGTERM: nobody new, and who is being answered gets the whole answer', async () => {
  const running = start(['serve', '-m', tiny, '--port', '0', '-a', 'mine']), origin = await originOf(running);
  const list = (await (await fetch(`${origin}/v1/models`)).json()) as { data: { id: string }[] };
  assert.equal(list.data.map(({ id }) => id), ['mine']);
  const body = JSON.stringify({ prompt: 'a', max_tokens: 400, ignore_eos: true, stream: true });
  const response = await fetch(`${origin}/v1/completions`, { method: 'POST', body }), text = response.text();
  running.kill('SIGTERM');
  assert.match(await text, /"finish_reason":"length".*\n\ndata: \[DONE\]\n\n$/);
  const { status, stderr } = await running.ended;
  assert.is(status, 0, stderr);
  assert.is(await fetch(`${origin}/health`).then(() => 'it still answers', () => 'gone'), 'gone');
});

test('beyond loopback only with a key, or where that is said', async () => {
  const refused = clada(['serve', '-m', tiny, '--host', '0.0.0.0', '--port', '0']);
  assert.is(refused.status, 2);
  assert.match(refused.stderr, /--api-key/);
  const running = start(['serve', '-m', tiny, '--host', '0.0.0.0', '--port', '0'], { CLADA_API_KEY: 'secret-of-mine' });
  const origin = (await originOf(running)).replace('0.0.0.0', '127.0.0.1');
  assert.is((await fetch(`${origin}/v1/models`)).status, 401);
  assert.is((await fetch(`${origin}/v1/models`, { headers: { authorization: 'Bearer secret-of-mine' } })).status, 200);
  running.kill('SIGINT');
  const { status, stdout, stderr } = await running.ended;
  assert.is(status, 0);
  assert.not((stdout + stderr).includes('secret-of-mine'));
});

test('another name that leads here is refused, and a port that is taken', async () => {
  const running = start(['serve', '-m', tiny, '--port', '0']), origin = await originOf(running), { port } = new URL(origin);
  const named = (host: string): Promise<number> => new Promise((resolve, reject) => {
    request(`${origin}/v1/models`, { headers: { host } }, (response) => { response.resume(); resolve(response.statusCode!); }).on('error', reject).end();
  });
  assert.equal(await Promise.all([named(`localhost:${port}`), named('rebound.example'), named(`[::1]:${port}`)]), [200, 403, 200]);
  const second = clada(['serve', '-m', tiny, '--port', port]);
  assert.is(second.status, 2);
  assert.match(second.stderr, /EADDRINUSE/);
  running.kill('SIGTERM');
  await running.ended;
});

test.run();
