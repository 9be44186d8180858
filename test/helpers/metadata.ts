/** Metadata of GGUF files, and of vocabularies made up for a test. */
import { readFileSync } from 'node:fs';
import { MemorySource } from '../../src/bytes/memory.ts';
import type { Metadata } from '../../src/format/gguf/metadata.ts';
import { readGguf } from '../../src/format/gguf/read.ts';
import { writeGguf, type WriteValue } from '../../src/format/gguf/write.ts';

export async function metadataOf(path: string | URL): Promise<Metadata> {
  return (await readGguf(new MemorySource(new Uint8Array(readFileSync(path))))).metadata;
}

export async function metadataFrom(entries: Record<string, WriteValue>): Promise<Metadata> {
  return (await readGguf(new MemorySource(writeGguf(entries, [])))).metadata;
}
