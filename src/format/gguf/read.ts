/**
 * Reads GGUF v2 and v3 headers (specification: github.com/ggml-org/ggml, docs/gguf.md). Tensor data is not touched; every count, length,
 * offset and type is checked before it is believed.
 */
import type { ByteSource } from '../../bytes/source.ts';
import { FormatError } from '../../errors.ts';
import { Cursor, cutShort } from './cursor.ts';
import { limits } from './limits.ts';
import type { GgufFile, GgufTensor, GgufValue, NumberArray } from './types.ts';
import { StringArray, dtypeBytes, dtypeOfId, dtypes, withdrawnTypes } from './types.ts';

const magic = [0x47, 0x47, 0x55, 0x46]; // "GGUF"

/** GGUF's value types by id. */
const valueTypes = ['u8', 'i8', 'u16', 'i16', 'u32', 'i32', 'f32', 'bool', 'string', 'array', 'u64', 'i64', 'f64'] as const;
type ValueType = (typeof valueTypes)[number];
type ScalarType = Exclude<ValueType, 'string' | 'array' | 'bool'>;

const scalarBytes: Record<ScalarType | 'bool', number> = {
  u8: 1, i8: 1, u16: 2, i16: 2, u32: 4, i32: 4, f32: 4, bool: 1, u64: 8, i64: 8, f64: 8,
};

const arrayTypes = {
  u8: Uint8Array, i8: Int8Array, u16: Uint16Array, i16: Int16Array, u32: Uint32Array, i32: Int32Array, f32: Float32Array, bool: Uint8Array,
  u64: BigUint64Array, i64: BigInt64Array, f64: Float64Array,
} as const;

interface Part {
  version: 2 | 3;
  metadata: Map<string, GgufValue>;
  metadataEnd: number;
  tensors: GgufTensor[];
  end: number;
}

/**
 * Reads the header of a model: one file, or all parts of a split one in order.
 * @throws FormatError (`E_GGUF_*`), AbortedError.
 */
export async function readGguf(source: ByteSource | readonly ByteSource[], signal?: AbortSignal): Promise<GgufFile> {
  const parts = Array.isArray(source) ? (source as readonly ByteSource[]) : [source as ByteSource];
  const tensors = new Map<string, GgufTensor>();
  let first: Part | undefined;
  let size = 0;
  for (const [index, part] of parts.entries()) {
    const read = await readPart(part, index, signal);
    first ??= read;
    checkSplit(part, read, index, parts.length);
    for (const tensor of read.tensors) {
      if (tensors.has(tensor.name)) fail('E_GGUF_TENSOR', `${part.name}, tensor ${tensor.name}`, 'a second tensor of that name', 'one');
      tensors.set(tensor.name, tensor);
    }
    size += read.end;
  }
  if (!first) fail('E_GGUF_SPLIT', 'model', 'no parts', 'at least one file');
  const total = first.metadata.get('split.tensors.count');
  if (parts.length > 1 && typeof total === 'number' && total !== tensors.size) {
    fail('E_GGUF_SPLIT', 'split.tensors.count', `${tensors.size} tensors in ${parts.length} parts`, `${total}`);
  }
  return { version: first.version, metadata: first.metadata, metadataEnd: first.metadataEnd, tensors, parts, size };
}

async function readPart(source: ByteSource, index: number, signal: AbortSignal | undefined): Promise<Part> {
  const cursor: Cursor = new Cursor(source, signal);
  const version = await readVersion(cursor);
  const nTensors = await cursor.count(limits.tensors, 'tensor count');
  const nKeys = await cursor.count(limits.keys, 'key count');
  const metadata = await readMetadata(cursor, nKeys), metadataEnd = cursor.position;
  const alignment = Number(metadata.get('general.alignment') ?? 32); // a u32: see readMetadata
  if (!Number.isInteger(Math.log2(alignment))) cursor.fail('E_GGUF_KEY', 'general.alignment', String(alignment), 'a power of two');
  const { tensors, end } = await readTensors(cursor, nTensors, alignment, index);
  cursor.release();
  return { version, metadata, metadataEnd, tensors, end };
}

/** How many of the first bytes foreign.ts looks at; fewer where the file is shorter. */
const sniffBytes = 512;

/** Magic and version; what else a file may be gets a sentence of its own. */
async function readVersion(cursor: Cursor): Promise<2 | 3> {
  const head = await cursor.peek(sniffBytes);
  if (head.length > 0 && magic.some((byte, i) => i < head.length && head[i] !== byte)) {
    const { found, remedy } = (await import('./foreign.ts')).foreign(head); // few need it
    cursor.fail('E_GGUF_MAGIC', 'magic', found, 'a GGUF file', remedy);
  }
  await cursor.need(24, 'header');
  cursor.position += magic.length;
  const version = cursor.u32();
  if (version === 2 || version === 3) return version;
  const expected = 'little-endian GGUF of version 2 or 3';
  if ((version & 0xffff) === 0 && version !== 0) {
    cursor.fail('E_GGUF_VERSION', 'version', 'a big-endian file', expected,
      'Take the file for little-endian machines, or convert it: gguf_convert_endian.py of llama.cpp.');
  }
  if (version === 1) {
    cursor.fail('E_GGUF_VERSION', 'version', 'version 1, of August 2023', expected,
      'Convert the original model again with a current llama.cpp, or take a newer file of it.');
  }
  if (version > 3 && version < 256) {
    cursor.fail('E_GGUF_VERSION', 'version', `version ${version}, newer than this clada`, expected,
      'Update clada; until then take a file of version 3.');
  }
  cursor.fail('E_GGUF_VERSION', 'version', `version ${version}`, expected);
}

async function readString(cursor: Cursor, limit: number, what: string): Promise<Uint8Array> {
  const length = await cursor.count(limit, `length of ${what}`);
  await cursor.need(length, what);
  return cursor.take(length);
}

const strict = new TextDecoder('utf-8', { fatal: true });
const lenient = new TextDecoder();

/** Names must be readable; values may be anything (a vocabulary holds broken UTF-8 on purpose). */
async function readName(cursor: Cursor, limit: number, what: string): Promise<string> {
  const bytes = await readString(cursor, limit, what);
  try {
    return strict.decode(bytes);
  } catch {
    return cursor.fail('E_GGUF_KEY', what, 'invalid UTF-8', 'a name in UTF-8');
  }
}

async function readMetadata(cursor: Cursor, nKeys: number): Promise<Map<string, GgufValue>> {
  const metadata = new Map<string, GgufValue>();
  for (let i = 0; i < nKeys; i++) {
    const key = await readName(cursor, limits.keyBytes, `key ${i}`);
    if (key === '') cursor.fail('E_GGUF_KEY', `key ${i}`, 'a key without a name', 'a name');
    if (metadata.has(key)) cursor.fail('E_GGUF_KEY', key, 'the key a second time', 'one value');
    const type = await readType(cursor, key);
    if (key === 'general.alignment' && type !== 'u32') cursor.fail('E_GGUF_KEY', key, `a value of type ${type}`, 'one of type u32');
    metadata.set(key, type === 'array' ? await readArray(cursor, key) : await readValue(cursor, type, key));
  }
  return metadata;
}

async function readType(cursor: Cursor, key: string): Promise<ValueType> {
  await cursor.need(4, `type of ${key}`);
  const id = cursor.u32();
  return valueTypes[id] ?? cursor.fail('E_GGUF_TYPE', key, `value type ${id}`, `0 to ${valueTypes.length - 1}`);
}

async function readValue(cursor: Cursor, type: Exclude<ValueType, 'array'>, key: string): Promise<GgufValue> {
  if (type === 'string') return lenient.decode(await readString(cursor, limits.stringBytes, key));
  await cursor.need(scalarBytes[type], key);
  if (type === 'bool') return cursor.u8() !== 0;
  const value = cursor[type]();
  if (typeof value === 'bigint') {
    return value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;
  }
  return value;
}

async function readArray(cursor: Cursor, key: string): Promise<NumberArray | StringArray> {
  const type = await readType(cursor, `elements of ${key}`);
  const length = await cursor.count(limits.arrayLength, `length of ${key}`);
  if (type === 'array') cursor.fail('E_GGUF_TYPE', key, 'an array of arrays', 'an array of numbers or strings');
  if (type === 'string') return readStrings(cursor, length, key);
  const bytes = length * scalarBytes[type];
  await cursor.need(bytes, key);
  return new arrayTypes[type](cursor.take(bytes).buffer); // little-endian, as every runtime with WebAssembly
}

async function readStrings(cursor: Cursor, length: number, key: string): Promise<StringArray> {
  await cursor.need(8 * length, key); // every string has at least a length: a false count fails before it allocates
  const start = cursor.position;
  const offsets = new Uint32Array(length + 1);
  let total = 0;
  for (let i = 0; i < length; i++) {
    if (!cursor.has(8)) await cursor.need(8, key); // waiting for what is there would cost more than the reading
    const bytes = cursor.length(limits.stringBytes, key);
    if (!cursor.has(bytes)) await cursor.need(bytes, key);
    cursor.position += bytes;
    total += bytes;
    offsets[i + 1] = total;
  }
  const end = cursor.position;
  const pool = new Uint8Array(total);
  cursor.position = start;
  for (let i = 0; i < length; i++) {
    cursor.position += 8;
    cursor.copy(pool, offsets[i]!, offsets[i + 1]! - offsets[i]!);
  }
  cursor.position = end;
  return new StringArray(pool, offsets);
}

async function readTensors(
  cursor: Cursor, nTensors: number, alignment: number, part: number,
): Promise<{ tensors: GgufTensor[]; end: number }> {
  const tensors: GgufTensor[] = [];
  let last = 0, end = 0; // of the data so far, and with padding behind it
  for (let i = 0; i < nTensors; i++) {
    const name = await readName(cursor, limits.tensorNameBytes, `name of tensor ${i}`);
    await cursor.need(4, `dimensions of ${name}`);
    const nDims = cursor.u32();
    if (nDims > limits.dims) cursor.fail('E_GGUF_LIMIT', `dimensions of ${name}`, `${nDims}`, `at most ${limits.dims}`);
    const dims: number[] = [];
    for (let d = 0; d < nDims; d++) dims.push(await cursor.count(limits.dim, `dimension ${d} of ${name}`));
    await cursor.need(12, `type of ${name}`);
    const id = cursor.u32();
    const dtype = dtypeOfId(id) ?? refuseType(cursor, name, id);
    const relative = cursor.u64();
    const values = dims.reduce((a, b) => a * b, 1);
    const { blockSize } = dtypes[dtype];
    if ((dims[0] ?? 1) % blockSize !== 0) {
      cursor.fail('E_GGUF_TENSOR', `tensor ${name}`, `rows of ${dims[0]} values`, `a multiple of ${dtype}'s block of ${blockSize}`);
    }
    if (!(values >= 1 && values <= limits.dim)) {
      cursor.fail('E_GGUF_TENSOR', `tensor ${name}`, `${dims.join(' x ')} values`, `1 to ${limits.dim}`);
    }
    // as llama.cpp: one behind the other, so that a changed size or offset cannot make a tensor read the bytes of another
    if (relative !== BigInt(end)) {
      cursor.fail('E_GGUF_TENSOR', `offset of ${name}`, `${relative}`,
        `${end}, right behind the tensor before it (on a multiple of ${alignment})`);
    }
    const bytes = dtypeBytes(dtype, values);
    tensors.push({ name, dims, dtype, part, offset: end, bytes });
    last = end + bytes;
    end = padded(last, alignment);
  }
  const dataStart = nTensors > 0 ? padded(cursor.position, alignment) : cursor.position, { size } = cursor.source;
  if (size !== undefined && dataStart + last > size) {
    cursor.fail('E_GGUF_TRUNCATED', `tensor data from byte ${dataStart} on`, `a file of ${size} bytes`,
      `${dataStart + last}: ${dataStart + last - size} are missing`, cutShort);
  }
  return { tensors: tensors.map((tensor) => ({ ...tensor, offset: tensor.offset + dataStart })), end: dataStart + last };
}

const padded = (bytes: number, alignment: number): number => Math.ceil(bytes / alignment) * alignment;

/** A type of tensor that is not in the table: one that ggml gave up, or one that it has now. */
function refuseType(cursor: Cursor, name: string, id: number): never {
  const old = withdrawnTypes[id];
  if (old) {
    cursor.fail('E_GGUF_TYPE', `tensor ${name}`, `tensor type ${id} (${old[0]}), which ggml has withdrawn`, 'a type that is in use',
      `Take the ${old[1]} file of this model, or convert it again.`);
  }
  cursor.fail('E_GGUF_TYPE', `tensor ${name}`, `tensor type ${id}`, 'a type id of ggml.h that this version knows',
    'The file is damaged, or newer than this version: compare its checksum, or update clada; '
      + 'Q4_K_M, Q4_0 and Q8_0 are read by every version.');
}

function checkSplit(source: ByteSource, part: Part, index: number, nParts: number): void {
  const count = part.metadata.get('split.count') || 1; // 0: llama-gguf-split joined the parts
  const number = part.metadata.get('split.no') ?? 0;
  if (count !== nParts || number !== index) {
    const found = `part ${Number(number) + 1} of ${String(count)}`, alone = nParts === 1 && Number(count) > 1;
    fail('E_GGUF_SPLIT', source.name, alone ? `${found} alone` : found, alone ? `all ${String(count)}` : `part ${index + 1} of ${nParts}`);
  }
}

function fail(code: 'E_GGUF_SPLIT' | 'E_GGUF_TENSOR', subject: string, found: string, expected: string): never {
  throw new FormatError(code, {
    subject, found, expected,
    remedy: 'Pass all parts of one model, in order, each once; where they are named NAME-00001-of-0000N.gguf, the first finds the others.',
  });
}
