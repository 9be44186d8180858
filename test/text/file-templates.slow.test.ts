/** Chat templates of published files (build/models), as transformers renders them: test/fixtures/real/chat.json. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { openFile } from '../../src/bytes/file.ts';
import type { Metadata } from '../../src/format/gguf/metadata.ts';
import { getString } from '../../src/format/gguf/metadata.ts';
import { readGguf } from '../../src/format/gguf/read.ts';
import type { ChatMessage, RenderOptions } from '../../src/text/template.ts';
import { createChatTemplate } from '../../src/text/template.ts';
import { createTokenizer } from '../../src/tokenizer/tokenizer.ts';

interface Rendering { chat: string; extra: string; text?: string; error?: string }
interface Vectors {
  now: string;
  chats: Record<string, ChatMessage[]>;
  extras: Record<string, Pick<RenderOptions, 'tools' | 'documents' | 'variables'> & { add_generation_prompt?: boolean }>;
  models: Record<string, { sha256: string; texts: Rendering[] }>;
}
const { now, chats, extras, models } = JSON.parse(readFileSync(new URL('../fixtures/real/chat.json', import.meta.url), 'utf8')) as Vectors;

const test = suite('templates of published files');

async function open(path: URL): Promise<Metadata> {
  const source = await openFile(path.pathname);
  try { return (await readGguf(source)).metadata; } finally { await source.close(); }
}

for (const [name, { sha256, texts }] of Object.entries(models)) {
  const path = new URL(`../../build/models/${name}.gguf`, import.meta.url);
  if (!existsSync(path)) {
    test.skip(`${name} (not in build/models)`, () => undefined);
    continue;
  }
  test(name, async () => {
    const metadata = await open(path), tokenizer = createTokenizer(metadata), template = createChatTemplate(metadata, tokenizer);
    assert.is(createHash('sha256').update(getString(metadata, 'tokenizer.chat_template')).digest('hex'), sha256, 'another file of that name');
    assert.ok(texts.length > 30);
    for (const { chat, extra, text, error } of texts) {
      const { add_generation_prompt: addGenerationPrompt = true, ...rest } = extras[extra]!;
      const options: RenderOptions = { ...rest, addGenerationPrompt, now: new Date(now) };
      if (error !== undefined) assert.throws(() => template.render(chats[chat]!, options), /E_CHAT_TEMPLATE/);
      else {
        assert.is(template.render(chats[chat]!, options), text, `${chat}, ${extra}`);
        assert.is(tokenizer.decode(template.encode(chats[chat]!, options)), text, `${chat}, ${extra}: its tokens`);
      }
    }
  });
}

test.run();
