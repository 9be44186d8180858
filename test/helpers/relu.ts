/** A twin of a tiny llama whose activation is ReLU: the same tensors, one more key. */
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MemorySource } from '../../src/bytes/memory.ts';
import { readGguf } from '../../src/format/gguf/read.ts';
import { dtypeBytes } from '../../src/format/gguf/types.ts';
import type { WriteValue } from '../../src/format/gguf/write.ts';
import { writeGguf } from '../../src/format/gguf/write.ts';
import { tinyPath } from './models.ts';

/** Path of the twin, in a temporary folder. */
export async function reluTwin(name: string): Promise<string> {
  const bytes = new Uint8Array(readFileSync(tinyPath(name))), file = await readGguf(new MemorySource(bytes));
  const metadata: Record<string, WriteValue> = { 'llama.hidden_act': { type: 'string', value: 'relu' } };
  for (const [key, value] of file.metadata) {
    if (typeof value === 'string') metadata[key] = { type: 'string', value };
    else if (typeof value === 'number') metadata[key] = Number.isInteger(value) && !/eps|base/.test(key) ? { type: 'u32', value } : { type: 'f32', value };
  }
  const tensors = [...file.tensors.values()].map(({ name: tensor, dims, dtype, offset }) => {
    const length = dtypeBytes(dtype, dims.reduce((product, dim) => product * dim, 1));
    return { name: tensor, dims, dtype, data: bytes.slice(offset, offset + length) };
  });
  const path = join(mkdtempSync(join(tmpdir(), 'clada-relu-')), 'relu.gguf');
  writeFileSync(path, writeGguf(metadata, tensors));
  return path;
}
