/**
 * Vocabularies as they are published, against llama.cpp on the same bytes: ids with and without special tokens, and what they decode to. They
 * are megabytes each, so they are looked for: in build/models, beside it in models, and in the folders that CLADA_VOCABULARIES names
 * (llama.cpp's own `models` folder has two dozen).
 */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { basename, delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { openFile } from '../../src/bytes/file.ts';
import type { Metadata } from '../../src/format/gguf/metadata.ts';
import { getString } from '../../src/format/gguf/metadata.ts';
import { readGguf } from '../../src/format/gguf/read.ts';
import { createTokenizer } from '../../src/tokenizer/tokenizer.ts';
import { askPeer, hasPeer, isPeerControl } from '../fixtures/tokenizers/peer.ts';
import { texts } from './texts.ts';

const test = suite('published vocabularies, as llama.cpp');
const here = ['../../build/models', '../../models'].map((path) => fileURLToPath(new URL(path, import.meta.url)));
const folders = !hasPeer ? [] : [...here, ...(process.env.CLADA_VOCABULARIES ?? '').split(delimiter)].filter((folder) => folder !== '' && existsSync(folder));
const files = folders.flatMap((folder) => readdirSync(folder).filter((name) => /(?<!\.clada)\.gguf$/.test(name)).map((name) => join(folder, name)));

/** llama.cpp's own test texts, where they lie beside a vocabulary. */
const more = folders.flatMap((folder) => readdirSync(folder).filter((name) => name.endsWith('.inp')).map((name) => join(folder, name)))
  .flatMap((path) => readFileSync(path, 'utf8').split('\n__ggml_vocab_test__\n'));
const all = [...new Set([...texts, ...more])];

/** Encoders' kinds, which are refused. */
const isRefused = (metadata: Metadata): boolean =>
  getString(metadata, 'tokenizer.ggml.model') === 'bert' || metadata.has('tokenizer.ggml.precompiled_charsmap');

async function open(path: string): Promise<Metadata> {
  const source = await openFile(path);
  try { return (await readGguf(source)).metadata; } finally { await source.close(); }
}

for (const path of files) {
  test(basename(path), async () => {
    const metadata = await open(path);
    if (isRefused(metadata)) {
      assert.throws(() => createTokenizer(metadata), /E_TOKENIZER/);
      return;
    }
    const tokenizer = createTokenizer(metadata), shown = cleans(metadata) ? cleaned : (text: string): string => text;
    await askPeer(path, (peer) => {
      const wrong: string[] = [];
      const compare = (text: string, special: boolean): void => {
        const theirs = [...peer.tokenize(text, special)], mine = [...tokenizer.encode(text, { parseSpecial: special })];
        if (mine.join() !== theirs.join()) wrong.push(`${JSON.stringify(text)}, special ${special}: ${mine.join()} for ${theirs.join()}`);
        const decoded = peer.detokenize(Uint32Array.from(mine), true), read = shown(tokenizer.decode(mine));
        if (read !== decoded) wrong.push(`${JSON.stringify(text)}: read as ${JSON.stringify(read)} for ${JSON.stringify(decoded)}`);
      };
      for (const text of all) for (const special of [false, true]) compare(text, special);
      assert.is(wrong.length, 0, `${wrong.length} of ${2 * all.length}:\n${wrong.slice(0, 8).join('\n')}`);
      for (let id = 0; id < tokenizer.vocabSize; id++) {
        assert.is(tokenizer.isControl(id), isPeerControl(peer, id), `token ${id} is a control token`);
        assert.is(tokenizer.isEog(id), peer.isEogToken(id), `token ${id} ends a generation`);
      }
      assert.is(tokenizer.encode('', { addSpecial: 'start' }).length, peer.shouldPrependBosToken() ? 1 : 0);
    });
  });
}

/** Names whose whole texts llama.cpp leaves as they are. */
const uncleaned = new Set(['deepseek-llm', 'deepseek-coder', 'command-r', 'qwen2', 'qwen35', 'smollm', 'tekken', 'gpt-4o', 'llama4']);
const cleans = (metadata: Metadata): boolean =>
  getString(metadata, 'tokenizer.ggml.model') !== 'llama' && !uncleaned.has(getString(metadata, 'tokenizer.ggml.pre', ''));

/** What it makes of the others: blanks before marks and apostrophes go. Here they stay, as in its own streams: a text is given back as it was. */
function cleaned(text: string): string {
  return text.replace(/ (?=[?!.,])/g, '').replaceAll(' \' ', '\'').replace(/ (?='(?:s|m|re|ve))/g, '');
}

if (!hasPeer) test.skip('needs node-llama-cpp in bench/peers', () => undefined);
test.before(() => { console.log(`${files.length} vocabularies, ${all.length} texts`); });
test.run();
