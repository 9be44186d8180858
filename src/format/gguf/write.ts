/** Writes GGUF v2 and v3: fixtures for tests, calibrations, small files of anyone's. Tensor data is given as the bytes of its dtype. */
import { InputError } from '../../errors.ts';
import { show } from '../../options.ts';
import type { GgufDtype } from './types.ts';
import { dtypeBytes, dtypes } from './types.ts';

/** GGUF's value types that a JavaScript number holds. */
export type WriteNumberType = 'u8' | 'i8' | 'u16' | 'i16' | 'u32' | 'i32' | 'f32' | 'f64';

/** A value with its GGUF type spelled out: numbers alone would leave u32, i32 and f32 to guessing. A plural is an array. */
export type WriteValue =
  | { type: WriteNumberType; value: number }
  | { type: 'u64' | 'i64'; value: bigint }
  | { type: 'bool'; value: boolean }
  | { type: 'string'; value: string }
  | { type: 'strings'; value: readonly (string | Uint8Array)[] }
  | { type: `${WriteNumberType}s`; value: ArrayLike<number> }
  | { type: 'u64s' | 'i64s'; value: ArrayLike<bigint> }
  | { type: 'bools'; value: readonly boolean[] };

/** A tensor to write. */
export interface WriteTensor {
  /** As GGUF names it, `blk.0.attn_q.weight`. */
  name: string;
  /** GGUF order: `dims[0]` is contiguous. */
  dims: readonly number[];
  /** Its type, which says how many bytes there are. */
  dtype: GgufDtype;
  /** The tensor's bytes as they lie in a file. */
  data: Uint8Array;
}

/** How to write. */
export interface WriteOptions {
  /** Default 3. */
  version?: 2 | 3;
  /** Of tensors, bytes, a power of two; anything but the default 32 becomes `general.alignment`. */
  alignment?: number;
}

export const typeIds = { u8: 0, i8: 1, u16: 2, i16: 3, u32: 4, i32: 5, f32: 6, bool: 7, string: 8, u64: 10, i64: 11, f64: 12 } as const;
const arrayId = 9;
const arrayTypes = {
  u8: Uint8Array, i8: Int8Array, u16: Uint16Array, i16: Int16Array, u32: Uint32Array, i32: Int32Array, f32: Float32Array, f64: Float64Array,
} as const;

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
  /** @throws InputError `E_OPTION` for a number that an integer type does not hold */
  scalar(type: WriteNumberType, value: number): void {
    const { [type]: array } = arrayTypes, typed = array.of(value);
    if (typed[0] !== value && type[0] !== 'f') {
      throw new InputError('E_OPTION', {
        subject: 'GGUF value', found: show(value), expected: `a whole number that ${type} holds`,
        remedy: 'Choose a wider type, or round it.',
      });
    }
    this.raw(new Uint8Array(typed.buffer));
  }
  pad(alignment: number): void { this.#room((alignment - (this.length % alignment)) % alignment); }
  done(): Uint8Array<ArrayBuffer> { return this.#buffer.slice(0, this.length); }
}

type ScalarType = keyof typeof typeIds;

function writeOne(out: Bytes, type: ScalarType, value: unknown): void {
  if (type === 'string') out.string(value as string | Uint8Array);
  else if (type === 'bool') out.scalar('u8', value ? 1 : 0);
  else if (type === 'u64' || type === 'i64') out.u64(value as bigint);
  else out.scalar(type, value as number);
}

function writeValue(out: Bytes, { type, value }: WriteValue): void {
  if (type in typeIds) {
    out.u32(typeIds[type as ScalarType]);
    writeOne(out, type as ScalarType, value);
    return;
  }
  const each = type.slice(0, -1) as ScalarType, values = value as ArrayLike<unknown>;
  out.u32(arrayId);
  out.u32(typeIds[each]);
  out.u64(values.length);
  for (let i = 0; i < values.length; i++) writeOne(out, each, values[i]);
}

/**
 * The bytes of a GGUF file, all of it in memory.
 *
 * ```ts
 * const bytes = writeGguf({ 'general.name': { type: 'string', value: 'mine' } }, [{ name: 'norm', dims: [4], dtype: 'f32', data: new
 * Uint8Array(16) }]); ```
 * @throws InputError `E_OPTION` where a tensor's data has the wrong length, or a value does not fit its type
 */
export function writeGguf(
  metadata: Readonly<Record<string, WriteValue>>, tensors: readonly WriteTensor[], options: WriteOptions = {},
): Uint8Array<ArrayBuffer> {
  const { version = 3, alignment = 32 } = options;
  if (!Number.isInteger(Math.log2(alignment)) || alignment < 1) {
    throw new InputError('E_OPTION', {
      subject: 'alignment', found: show(alignment), expected: 'a power of two',
      remedy: 'Leave it out for 32.',
    });
  }
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
      throw new InputError('E_OPTION', {
        subject: `tensor ${name}`, found: `${data.length} bytes`, expected: `${bytes} for ${dims.join(' x ')} ${dtype}`,
        remedy: 'Pass the bytes of the whole tensor.',
      });
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
