/** Every kind of source gives the same bytes, and says clearly what went wrong. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { SourceInput } from '../../src/bytes/open.ts';
import { located, openSource } from '../../src/bytes/open.ts';
import { AbortedError, CladaError } from '../../src/errors.ts';

const bytes = Uint8Array.from({ length: 3_000_000 }, (_, i) => (i * 2_654_435_761) >>> 24);
const folder = mkdtempSync(join(tmpdir(), 'clada-bytes-'));
const path = join(folder, 'model.bin');
writeFileSync(path, bytes);

/** The bytes in pieces of odd sizes. */
function stream(data = bytes): ReadableStream<Uint8Array> {
  let at = 0, piece = 1;
  return new ReadableStream({
    pull(controller) {
      if (at >= data.length) { controller.close(); return; }
      controller.enqueue(data.subarray(at, at + piece));
      at += piece;
      piece = (piece * 7 + 1) % 70_001;
    },
  });
}

const inputs: Record<string, () => SourceInput> = {
  path: () => path, 'file URL': () => pathToFileURL(path), 'text of a file URL': () => pathToFileURL(path).href, Uint8Array: () => bytes, ArrayBuffer: () => bytes.buffer, Blob: () => new Blob([bytes]), ReadableStream: () => stream(),
};

const code = async (run: () => Promise<unknown>): Promise<string> => {
  try { await run(); } catch (error) { return error instanceof CladaError ? error.code : String(error); }
  return 'no error';
};

const test = suite('byte sources');

/** `located` as a page or a worker at that address would say it. */
function at(globals: object, input: string): string | undefined {
  const { process } = globalThis, given = Object.entries(globals);
  try {
    Object.assign(globalThis, { process: { env: {} } }); // as bundlers' polyfills have it
    for (const [name, value] of given) Object.assign(globalThis, { [name]: value });
    return located(input);
  } finally {
    globalThis.process = process;
    for (const [name] of given) delete (globalThis as Record<string, unknown>)[name];
  }
}

test('in a page a path is an address beside it; where there are files it is one of theirs', () => {
  const location = { href: 'https://example.com/app/index.html?x#y' };
  for (const [input, expected] of [
    ['/models/x.gguf', 'https://example.com/models/x.gguf'], ['models/x.gguf', 'https://example.com/app/models/x.gguf'], ['../x.gguf', 'https://example.com/x.gguf'],
    ['//cdn.example.com/x.gguf', 'https://cdn.example.com/x.gguf'], ['https://b.example/x.gguf', 'https://b.example/x.gguf'], ['hf:owner/repo/x.gguf', 'hf:owner/repo/x.gguf'],
  ] as const) assert.is(at({ location }, input), expected);
  assert.is(at({ location, document: { baseURI: 'https://example.com/base/' } }, 'x.gguf'), 'https://example.com/base/x.gguf');
  assert.is(at({ location: { href: 'blob:https://example.com/0000' } }, '/models/x.gguf'), 'https://example.com/models/x.gguf');
  assert.is(at({ location: { href: 'file:///app/index.html' } }, 'x.gguf'), 'x.gguf');
  assert.is(at({}, 'x.gguf'), 'x.gguf', 'an edge function has no address');
  assert.is(located('models/x.gguf'), 'models/x.gguf');
  assert.is(located(new URL('file:///models/x.gguf')), 'file:///models/x.gguf');
});

test('a file: URL of another machine, and Node without getBuiltinModule', async () => {
  assert.is(await code(() => openSource('file://elsewhere/x.gguf')), 'E_NOT_FOUND');
  const { getBuiltinModule } = process;
  try {
    Object.assign(process, { getBuiltinModule: undefined });
    const source = await openSource(path);
    assert.is(source.size, bytes.length);
    await source.close();
  } finally {
    Object.assign(process, { getBuiltinModule });
  }
});

for (const [name, input] of Object.entries(inputs)) {
  test(`${name}: any forward reads give the file's bytes, the last one less`, async () => {
    await fc.assert(fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 400_000 }), { minLength: 1, maxLength: 12 }), async (lengths) => {
      const source = await openSource(input());
      try {
        let offset = 0;
        for (const length of lengths) {
          const target = new Uint8Array(length);
          const read = await source.read(offset, target);
          assert.is(read, Math.max(0, Math.min(length, bytes.length - offset)));
          assert.ok(Buffer.compare(target.subarray(0, read), bytes.subarray(offset, offset + read)) === 0, `bytes from ${offset}`);
          offset += read;
        }
      } finally {
        await source.close();
        await source.close(); // twice is fine
      }
    }), { numRuns: 15, seed: 1 });
  });
}

test('a stream reaches a MiB back, and says so when asked for more', async () => {
  const source = await openSource(stream());
  const target = new Uint8Array(100);
  await source.read(2_000_000, target);
  assert.is(await source.read(1_100_000, target), 100);
  assert.equal(target, bytes.slice(1_100_000, 1_100_100));
  assert.is(await code(() => source.read(1000, target)), 'E_SOURCE_READ');
});

test('a stream that fails in the middle fails the read', async () => {
  let sent = false;
  const broken = new ReadableStream<Uint8Array>({
    pull(controller) { if (sent) controller.error(new Error('cable pulled')); else { sent = true; controller.enqueue(bytes.subarray(0, 10)); } },
  });
  const source = await openSource(broken);
  assert.is(await code(() => source.read(0, new Uint8Array(20))), 'E_SOURCE_READ');
  await source.close();
});

test('an aborted signal stops a read', async () => {
  for (const input of [path, stream()]) {
    const source = await openSource(input);
    try { await source.read(0, new Uint8Array(100), AbortSignal.abort()); assert.unreachable(); } catch (error) { assert.instance(error, AbortedError); }
    await source.close();
  }
});

test('what is not a source is refused by name', async () => {
  assert.is(await code(() => openSource(join(folder, 'nothing.gguf'))), 'E_NOT_FOUND');
  assert.is(await code(() => openSource(folder)), 'E_NOT_FOUND');
  for (const wrong of ['https://', 'hf:a/b', new URL('ftp://example.com/a.gguf'), 5, null, {}]) {
    assert.is(await code(() => openSource(wrong as SourceInput)), 'E_OPTION');
  }
});

test.after(() => rmSync(folder, { recursive: true }));
test.run();
