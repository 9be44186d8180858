/** Writes GGUF v2 and v3: fixtures for tests, and small files of our own. Tensor data is given as the bytes of its dtype. */
import { InputError } from '../../errors.ts';
import type { GgufDtype } from './types.ts';
import { dtypeBytes, dtypes } from './types.ts';

type NumberType = 'u8' | 'i8' | 'u16' | 'i16' | 'u32' | 'i32' | 'f32' | 'f64';

/** A value with its GGUF type spelled out: numbers alone would leave u32, i32 and f32 to guessing. */
export type WriteValue =
  | { type: NumberType; value: number }
  | { type: 'u64' | 'i64'; value: bigint }
  | { type: 'bool'; value: boolean }
  | { type: 'string'; value: string }
  | { type: 'strings'; value: readonly (string | Uint8Array)[] }
  | { type: 'u8s' | 'i8s' | 'u16s' | 'i16s' | 'u32s' | 'i32s' | 'f32s' | 'f64s' | 'bools'; value: ArrayLike<number> }
  | { type: 'u64s' | 'i64s'; value: ArrayLike<bigint> };

export interface WriteTensor {
  name: string;
  /** GGUF order: dims[0] is contiguous. */
  dims: readonly number[];
  dtype: GgufDtype;
  data: Uint8Array;
}

export interface WriteOptions { version?: 2 | 3; alignment?: number }

export const typeIds = { u8: 0, i8: 1, u16: 2, i16: 3, u32: 4, i32: 5, f32: 6, bool: 7, string: 8, u64: 10, i64: 11, f64: 12 } as const;
const arrayId = 9;

/** Bytes that grow as they are written, little-endian. */
export class Bytes {
  #buffer = new Uint8Array(4096);
  #view = new DataView(this.#buffer.buffer);
  length = 0;

  #room(count: number): number {
    const at = this.length;
    this.length += count;
    if (this.length > this.#buffer.length) {
      const grown = new Uint8Array(2 * this.length);
      grown.set(this.#buffer);
      this.#buffer = grown;
      this.#view = new DataView(grown.buffer);
    }
    return at;
  }

  u32(value: number): void {
    const at = this.#room(4); // may replace the buffer, so first
    this.#view.setUint32(at, value, true);
  }
  u64(value: number | bigint): void {
    const at = this.#room(8);
    this.#view.setBigUint64(at, BigInt.asUintN(64, BigInt(value)), true);
  }
  raw(bytes: Uint8Array): void {
    const at = this.#room(bytes.length);
    this.#buffer.set(bytes, at);
  }
  string(value: string | Uint8Array): void {
    const bytes = typeof value === 'string' ? new TextEncoder().encode(value) : value;
    this.u64(bytes.length);
    this.raw(bytes);
  }
  scalar(type: NumberType, value: number): void {
    const bytes = new DataView(new ArrayBuffer(8));
    const set = { u8: 'setUint8', i8: 'setInt8', u16: 'setUint16', i16: 'setInt16', u32: 'setUint32', i32: 'setInt32', f32: 'setFloat32', f64: 'setFloat64' } as const;
    bytes[set[type]](0, value, true);
    this.raw(new Uint8Array(bytes.buffer, 0, { u8: 1, i8: 1, u16: 2, i16: 2, u32: 4, i32: 4, f32: 4, f64: 8 }[type]));
  }
  pad(alignment: number): void { this.#room((alignment - (this.length % alignment)) % alignment); }
  done(): Uint8Array<ArrayBuffer> { return this.#buffer.slice(0, this.length); }
}

function writeValue(out: Bytes, entry: WriteValue): void {
  switch (entry.type) {
    case 'strings': out.u32(arrayId); out.u32(typeIds.string); out.u64(entry.value.length); for (const s of entry.value) out.string(s); break;
    case 'u8s': case 'i8s': case 'u16s': case 'i16s': case 'u32s': case 'i32s': case 'f32s': case 'f64s': case 'bools': case 'u64s': case 'i64s': {
      const type = entry.type.slice(0, -1) as Exclude<keyof typeof typeIds, 'string'>;
      out.u32(arrayId);
      out.u32(typeIds[type]);
      out.u64(entry.value.length);
      for (let i = 0; i < entry.value.length; i++) {
        const value = entry.value[i]!;
        if (typeof value === 'bigint') out.u64(value); else out.scalar(type === 'bool' ? 'u8' : (type as NumberType), value);
      }
      break;
    }
    case 'string': out.u32(typeIds.string); out.string(entry.value); break;
    case 'bool': out.u32(typeIds.bool); out.scalar('u8', entry.value ? 1 : 0); break;
    case 'u64': case 'i64': out.u32(typeIds[entry.type]); out.u64(entry.value); break;
    default: out.u32(typeIds[entry.type]); out.scalar(entry.type, entry.value);
  }
}

/** The bytes of a GGUF file. @throws InputError `E_OPTION` where a tensor's data has the wrong length. */
export function writeGguf(metadata: Readonly<Record<string, WriteValue>>, tensors: readonly WriteTensor[], options: WriteOptions = {}): Uint8Array<ArrayBuffer> {
  const { version = 3, alignment = 32 } = options;
  const entries = Object.entries(metadata);
  if (alignment !== 32) entries.push(['general.alignment', { type: 'u32', value: alignment }]);
  const out = new Bytes();
  out.raw(new TextEncoder().encode('GGUF'));
  out.u32(version);
  out.u64(tensors.length);
  out.u64(entries.length);
  for (const [key, value] of entries) {
    out.string(key);
    writeValue(out, value);
  }
  let offset = 0;
  for (const { name, dims, dtype, data } of tensors) {
    const bytes = dtypeBytes(dtype, dims.reduce((a, b) => a * b, 1));
    if (data.length !== bytes) {
      throw new InputError('E_OPTION', { subject: `tensor ${name}`, found: `${data.length} bytes`, expected: `${bytes} for ${dims.join(' x ')} ${dtype}`, remedy: 'Pass the bytes of the whole tensor.' });
    }
    out.string(name);
    out.u32(dims.length);
    for (const dim of dims) out.u64(dim);
    out.u32(dtypes[dtype].id);
    out.u64(offset);
    offset = Math.ceil((offset + bytes) / alignment) * alignment;
  }
  for (const { data } of tensors) {
    out.pad(alignment);
    out.raw(data);
  }
  return out.done();
}
