/** Builds as they are carried: deflated text that any runtime makes a module of, once. */
import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { instantiate } from '../../src/engine/instantiate.ts';

const test = suite('binaries'), { compile } = WebAssembly;
/** The file has the names of functions, behind everything else. */
const begins = (tier: string, bytes: Uint8Array): boolean => {
  const file = readFileSync(new URL(`../../build/wasm/${tier}.wasm`, import.meta.url));
  return file.subarray(0, bytes.length).equals(bytes) && WebAssembly.Module.customSections(new WebAssembly.Module(file), 'name').length === 1;
};
let seen: Uint8Array[] = [];

test.before.each(() => {
  seen = [];
  WebAssembly.compile = (bytes) => { seen.push(bytes as Uint8Array); return compile(bytes); };
});
test.after.each(() => { WebAssembly.compile = compile; });

test('a build is compiled once, whoever asks, but not after it failed', async () => {
  WebAssembly.compile = () => Promise.reject(new Error('not now'));
  await instantiate('base').then(() => assert.unreachable(), (error: unknown) => { assert.match(String(error), 'not now'); });
  WebAssembly.compile = (bytes) => { seen.push(bytes as Uint8Array); return compile(bytes); };
  const instances = await Promise.all(Array.from({ length: 8 }, () => instantiate('base')));
  await instantiate('base');
  assert.is(seen.length, 1);
  assert.ok(begins('base', seen[0]!), 'the bytes of base.wasm');
  assert.is(new Set(instances.map(({ memory }) => memory)).size, 8);
  for (const { wasmBytes } of instances) assert.is(wasmBytes, seen[0]!.length);
});

test('where there is no zlib, the stream of the web platform does', async () => {
  const { getBuiltinModule } = process;
  process.getBuiltinModule = (() => undefined) as typeof getBuiltinModule;
  try {
    await instantiate('base', 'calibrate');
  } finally {
    process.getBuiltinModule = getBuiltinModule;
  }
  assert.is(seen.length, 1);
  assert.ok(begins('calibrate-base', seen[0]!), 'the bytes of calibrate-base.wasm');
});

test.run();
