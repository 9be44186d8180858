/**
 * Reads a header of unknown length front to back in pieces of 1 MiB: never the whole file, never past its end. Numbers are little-endian.
 * Waiting happens only in {@link Cursor.need}; the getters behind it are synchronous.
 */
import type { ByteSource } from '../../bytes/source.ts';
import { FormatError, type ErrorCode } from '../../errors.ts';
import { limits } from './limits.ts';

const pieceBytes = 1024 * 1024;

/** What to do about a file that ends too early. */
export const cutShort = 'The file is cut short, by a download or a copy that did not end, or a full disk: fetch it again.';

/** The same bytes in a buffer of another length; the old one is freed where the runtime can do that (ES2024). */
function resized(bytes: Uint8Array<ArrayBuffer>, length: number): Uint8Array<ArrayBuffer> {
  const buffer = bytes.buffer as ArrayBuffer & { transfer?: (length: number) => ArrayBuffer };
  if (buffer.transfer) return new Uint8Array(buffer.transfer(length));
  const result = new Uint8Array(length);
  result.set(bytes.subarray(0, length));
  return result;
}

export class Cursor {
  #bytes = new Uint8Array(0);
  #view = new DataView(this.#bytes.buffer);
  #loaded = 0;
  #ended = false;
  /** Offset of the next byte to be read. */
  position = 0;

  constructor(readonly source: ByteSource, private readonly signal?: AbortSignal) {}

  /** Makes the next `count` bytes readable. @throws FormatError `E_GGUF_TRUNCATED` at the end of the file. */
  async need(count: number, what: string): Promise<void> {
    const end = this.position + count;
    if (end <= this.#loaded) return;
    if (this.source.size !== undefined && end > this.source.size) this.#truncated(what, end, this.source.size);
    if (end > limits.headerBytes) {
      this.fail('E_GGUF_LIMIT', what, `a header of more than ${limits.headerBytes} bytes`, `at most ${limits.headerBytes}`);
    }
    await this.#fill(end);
    if (this.#loaded < end) this.#truncated(what, end, this.#loaded);
  }

  /** The next `count` bytes without taking them; fewer at the end of the file. */
  async peek(count: number): Promise<Uint8Array> {
    await this.#fill(this.position + count);
    return this.#bytes.slice(this.position, Math.min(this.position + count, this.#loaded));
  }

  u8(): number { return this.#view.getUint8(this.#advance(1)); }
  i8(): number { return this.#view.getInt8(this.#advance(1)); }
  u16(): number { return this.#view.getUint16(this.#advance(2), true); }
  i16(): number { return this.#view.getInt16(this.#advance(2), true); }
  u32(): number { return this.#view.getUint32(this.#advance(4), true); }
  i32(): number { return this.#view.getInt32(this.#advance(4), true); }
  f32(): number { return this.#view.getFloat32(this.#advance(4), true); }
  f64(): number { return this.#view.getFloat64(this.#advance(8), true); }
  u64(): bigint { return this.#view.getBigUint64(this.#advance(8), true); }
  i64(): bigint { return this.#view.getBigInt64(this.#advance(8), true); }

  /** A copy of the next `count` bytes. */
  take(count: number): Uint8Array<ArrayBuffer> {
    const at = this.#advance(count);
    return this.#bytes.slice(at, at + count);
  }

  /** Copies the next `count` bytes to `target`; most are a few, for which a view would cost more than the copying. */
  copy(target: Uint8Array, to: number, count: number): void {
    const at = this.#advance(count);
    if (count > 64) target.set(this.#bytes.subarray(at, at + count), to);
    else for (let i = 0; i < count; i++) target[to + i] = this.#bytes[at + i]!;
  }

  /** True if `count` bytes can be read without waiting. */
  has(count: number): boolean { return this.position + count <= this.#loaded; }

  /** A count or length: refused above `limit` before anything is allocated for it. */
  async count(limit: number, what: string): Promise<number> {
    await this.need(8, what);
    return this.length(limit, what);
  }

  /** The same, of eight bytes that are there already. */
  length(limit: number, what: string): number {
    const low = this.u32(), high = this.u32(), value = high * 2 ** 32 + low; // no bigint for each of 262,144 strings
    if (value > limit) this.fail('E_GGUF_LIMIT', what, `${(BigInt(high) << 32n) | BigInt(low)}`, `at most ${limit}`);
    return value;
  }

  /** @throws FormatError always */
  fail(
    code: ErrorCode, what: string, found: string, expected: string,
    remedy = 'The file is damaged, or its writer was wrong; compare its checksum, and fetch or convert it again.',
  ): never {
    throw new FormatError(code, { subject: `${this.source.name}, byte ${this.position}, ${what}`, found, expected, remedy });
  }

  #truncated(what: string, end: number, size: number): never {
    const found = size === 0 ? 'an empty file (0 bytes)' : `the end of the file at byte ${size}`;
    this.fail('E_GGUF_TRUNCATED', what, found, `at least ${end} bytes`, cutShort);
  }

  #advance(count: number): number {
    const at = this.position;
    this.position += count;
    return at;
  }

  /** Gives the memory back at once rather than when it is collected: a Worker has 128 MB for everything. */
  release(): void {
    this.#bytes = resized(this.#bytes, 0);
    this.#view = new DataView(this.#bytes.buffer);
    this.#loaded = 0;
  }

  async #fill(end: number): Promise<void> {
    while (this.#loaded < end && !this.#ended) await this.#load();
  }

  async #load(): Promise<void> {
    if (this.#bytes.length < this.#loaded + pieceBytes) {
      this.#bytes = resized(this.#bytes, Math.max(2 * this.#bytes.length, this.#loaded + pieceBytes));
      this.#view = new DataView(this.#bytes.buffer);
    }
    const read = await this.source.read(this.#loaded, this.#bytes.subarray(this.#loaded, this.#loaded + pieceBytes), this.signal);
    this.#loaded += read;
    if (read < pieceBytes) this.#ended = true;
  }
}
