/** Short names of models: what they stand for, what is near, and where a file or an address comes first. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { modelPath } from '../../src/cli/model.ts';
import { addressOf, looksLikeName, namedModels } from '../../src/cli/names.ts';
import { parseHub } from '../../src/net/address.ts';
import { clada } from '../helpers/cli.ts';

const test = suite('cli/names');

function refusal(name: string): string {
  try { return `accepted: ${addressOf(name)}`; } catch (error) { return (error as Error).message; }
}

test('every name is one of a kind and leads to a file of a hub', () => {
  const plain = namedModels.map(({ name }) => name.replace(/[-_:]/g, ''));
  assert.is(new Set(plain).size, namedModels.length);
  for (const { name, address, megabytes } of namedModels) {
    assert.match(parseHub(address).file, /\.gguf$/i, name);
    assert.ok(looksLikeName(name) && megabytes > 50 && megabytes < 4295, `${name}: within the reach of 32 bits`);
    assert.is(modelPath(name), address);
  }
});

test('case and separators do not count: the names of ollama are understood', () => {
  assert.is(addressOf('qwen3:0.6b'), addressOf('qwen3-0.6b'));
  assert.is(addressOf('gemma3:270m'), addressOf('gemma-3-270m'));
  assert.is(addressOf('Llama-3.2-1B'), addressOf('llama3.2:1b'));
});

test('an unknown name says which are near, and what a path looks like', () => {
  assert.match(refusal('qwen3-0.5b'), /Did you mean qwen3-0\.6b/);
  assert.match(refusal('qwen3'), /Did you mean qwen3-0\.6b or qwen3-1\.7b\? clada models/);
  assert.match(refusal('gema-3-270m'), /Did you mean gemma-3-270m/);
  assert.match(refusal('nothing-like-it-at-all'), /\.\/model\.gguf.*hf:owner\/repo\/file\.gguf.*\. clada models lists the names/);
});

test('a path, an address and a file of that name come before the table', () => {
  for (const given of ['./qwen3-0.6b', 'qwen3.gguf', 'a\\b', 'hf:o/r/f.gguf', 'https://example.com/x', 'model.gguf.00001-of-00002']) assert.is(modelPath(given), given);
  const folder = mkdtempSync(join(tmpdir(), 'clada-names-')), before = process.cwd();
  try {
    process.chdir(folder);
    writeFileSync('smollm2', '');
    assert.is(modelPath('smollm2'), 'smollm2');
  } finally {
    process.chdir(before);
    rmSync(folder, { recursive: true });
  }
});

test('the command line: a list, and a name that is not known', () => {
  const listed = clada(['models']), json = clada(['models', '--json']), unknown = clada(['run', '-m', 'smolm2', '-p', 'x']);
  assert.match(listed.stdout, /^gemma-3-270m +270M +253 MB +hf:unsloth\/gemma-3-270m-it-GGUF\/\S+\.gguf$/m);
  assert.equal(JSON.parse(json.stdout), namedModels);
  assert.is(unknown.status, 1);
  assert.match(unknown.stderr, /Did you mean smollm2\b/);
});

test.run();
