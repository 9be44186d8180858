/** Twins of GGUF files for tests: the same bytes but for what a test changes. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MemorySource } from '../../src/bytes/memory.ts';
import type { GgufValue } from '../../src/format/gguf/types.ts';
import { StringArray } from '../../src/format/gguf/types.ts';
import { readGguf } from '../../src/format/gguf/read.ts';
import type { WriteTensor, WriteValue } from '../../src/format/gguf/write.ts';
import { writeGguf } from '../../src/format/gguf/write.ts';
import { tinyPath } from './models.ts';

function writable(key: string, value: GgufValue): WriteValue | undefined {
  if (typeof value === 'string') return { type: 'string', value };
  if (typeof value === 'boolean') return { type: 'bool', value };
  if (typeof value === 'number') return Number.isInteger(value) && !/eps|base|weight/.test(key) ? { type: 'u32', value } : { type: 'f32', value };
  if (value instanceof StringArray) return { type: 'strings', value: Array.from({ length: value.length }, (_, i) => value.bytesAt(i)) };
  if (value instanceof Float32Array) return { type: 'f32s', value: [...value] };
  return value instanceof Int32Array ? { type: 'i32s', value: [...value] } : undefined;
}

export interface GgufParts { metadata: Record<string, WriteValue>; tensors: WriteTensor[] }

/** The file taken apart, changed, and put together again. */
export async function rewritten(bytes: Uint8Array, change: (parts: GgufParts) => void | Promise<void>): Promise<Uint8Array<ArrayBuffer>> {
  const file = await readGguf(new MemorySource(bytes)), metadata: Record<string, WriteValue> = {};
  for (const [key, value] of file.metadata) {
    const entry = writable(key, value);
    if (entry) metadata[key] = entry;
  }
  const tensors = [...file.tensors.values()].map(({ name, dims, dtype, offset, bytes: length }) => ({ name, dims, dtype, data: bytes.slice(offset, offset + length) }));
  const parts = { metadata, tensors };
  await change(parts);
  return writeGguf(parts.metadata, parts.tensors);
}

/** A new temporary folder, removed when the process ends. */
export function temporary(): string {
  const folder = mkdtempSync(join(tmpdir(), 'clada-test-'));
  process.once('exit', () => { rmSync(folder, { recursive: true, force: true }); });
  return folder;
}

/** Path of a copy of a tiny model with more or other metadata, alone in a temporary folder. */
export async function twin(name: string, metadata: Record<string, WriteValue>): Promise<string> {
  const path = join(temporary(), 'twin.gguf');
  writeFileSync(path, await rewritten(readFileSync(tinyPath(name)), (parts) => { Object.assign(parts.metadata, metadata); }));
  return path;
}
