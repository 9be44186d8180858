/** Where model bytes come from. Files, blobs and memory answer any offset; a stream only moves forward. */
export interface ByteSource {
  /** A name for messages: file name, URL, or `<bytes>`. */
  readonly name: string;
  /** Total length in bytes; `undefined` where it is not known before the end (a stream without a length). */
  readonly size: number | undefined;
  /** True where reads must not go back (see {@link StreamSource}). */
  readonly sequential: boolean;
  /**
   * Fills `target` with the bytes from `offset` on and resolves to the number of bytes written, which is less than
   * `target.length` only at the end of the source. `target` may be a view of WebAssembly memory: the bytes go straight there.
   * @throws FormatError `E_SOURCE_READ` when the underlying read fails, AbortedError when `signal` fires.
   */
  read(offset: number, target: Uint8Array, signal?: AbortSignal): Promise<number>;
  /** Resolves when all bytes are known to be right, of a source that checks them. @throws TransferError `E_HASH` where they are not */
  verified?(): Promise<void>;
  /** Releases the handle. Safe to call twice. */
  close(): Promise<void>;
}
