/** What loading has to say: copies of the cache that are damaged (--verify looks at all of one), and warnings of the model. */
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { commandNames, commands, type Command } from '../../src/cli/commands.ts';
import { clada, start, type Outcome } from '../helpers/cli.ts';
import { tinyPath } from '../helpers/models.ts';
import { TestServer } from '../helpers/server.ts';
import { twin } from '../helpers/twin.ts';

const test = suite('cli/loading');
const folder = mkdtempSync(join(tmpdir(), 'clada-loading-'));
const server = await new TestServer(readFileSync(tinyPath('llama.gguf'))).start();
server.plan = (_n, { url }) => (url?.endsWith('.clada.gguf') ? { status: 404 } : {}); // no calibration beside it
const address = server.url('/tiny.gguf');

test.after(async () => {
  rmSync(folder, { recursive: true });
  await server.close();
});

async function cached(...args: string[]): Promise<Outcome> {
  const running = start(args, { XDG_CACHE_HOME: folder, http_proxy: '', HTTP_PROXY: '' });
  running.endInput();
  return running.ended;
}

/** A bit of the copy in the cache is turned over, where the sample that is looked at without --verify does not notice. */
function damage(): void {
  const paths = readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name));
  const copy = paths.find((path) => path.endsWith('tiny.gguf'))!, info = paths.find((path) => path.endsWith('.info.json'))!;
  const bytes = readFileSync(copy);
  bytes[bytes.length - 4]! ^= 1;
  writeFileSync(copy, bytes);
  const { sample: _sample, ...rest } = JSON.parse(readFileSync(info, 'utf8')) as { sample?: string; sha256: string };
  assert.is(rest.sha256.length, 64);
  writeFileSync(info, JSON.stringify(rest));
}

const template = join(folder, 'template.jinja');
writeFileSync(template, '{{ messages[0].content }}');
const short = ['-c', '64', '--calibration', 'none'];
const uses: Record<string, string[]> = {
  run: ['-p', 'abc', '-n', '1', ...short],
  chat: [...short, '--chat-template', template],
  inspect: [],
  split: ['--out', join(folder, 'parts')],
  tokenize: ['-p', 'abc'],
  embed: ['-p', 'abc', '-c', '64'],
  eval: ['-p', 'a b c d e f', ...short],
  bench: ['-p', '4', '-n', '0', '-r', '1', '--calibration', 'none'],
  calibrate: ['--count', '2', '--tokens', '32', '--held-out', '2', '--out', join(folder, 'tiny.clada.gguf')],
  pull: [],
};

test('every command that takes a model takes --verify', () => {
  const takers = commandNames.filter((name) => 'model' in (commands[name] as Command).flags);
  assert.equal([...Object.keys(uses), 'batch', 'serve'].sort(), [...takers].sort()); // these two open a model as run does
  for (const name of takers) assert.ok('verify' in (commands[name] as Command).flags, name);
});

for (const [name, args] of Object.entries(uses)) {
  test(`${name} --verify: a damaged copy in the cache is noted and fetched again`, async () => {
    assert.is((await cached('pull', address)).status, 0);
    damage();
    const fetched = /\/tiny\.gguf: a cached copy whose bytes are not those that were downloaded; it is fetched again\n/g;
    if (name !== 'pull') { // which always looks at all of it
      const trusting = await cached('tokenize', '-p', 'abc', '-m', address);
      assert.is(trusting.status, 0, trusting.stderr);
      assert.not.match(trusting.stderr, fetched);
    }
    const { status, stderr } = await cached(name, ...args, '-m', address, '--verify');
    assert.is(status, 0, stderr);
    assert.is(stderr.match(fetched)?.length, 1, stderr);
  });
}

test('what the tokenizer warns of is a note after loading, but not with --json', async () => {
  const path = await twin('llama.gguf', { 'tokenizer.ggml.bos_token_id': { type: 'u32', value: 99_999 } });
  const warning = /bos_token_id is 99999/;
  for (const args of [['run', '-p', 'abc', '-n', '1', ...short], ['tokenize', '-p', 'abc'], ['eval', '-p', 'a b c', ...short]]) {
    const told = clada([...args, '-m', path]), silent = clada([...args, '-m', path, '--json']);
    assert.is(told.status, 0, told.stderr);
    assert.match(told.stderr, warning);
    assert.is(silent.status, 0, silent.stderr);
    assert.not.match(silent.stderr, warning);
  }
});

test.run();
