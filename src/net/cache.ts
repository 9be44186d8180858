/**
 * What a cache is: two interfaces, of which a caller may bring either. The simple one, a {@link BlockStore}, is all that most platforms
 * need.
 */
import type { Target } from './target.ts';

/** What a server said of a file: enough to tell two versions apart. */
export interface FileInfo {
  /** Bytes. */
  readonly size?: number | undefined;
  /** As sent by the server that the bytes came from, quotes and all. */
  readonly etag?: string | undefined;
  /** As sent by the server. */
  readonly lastModified?: string | undefined;
  /** Hexadecimal. */
  readonly sha256?: string | undefined;
  /** Of a copy in a cache: a digest of parts of it, made when it was whole and right (sample.ts). */
  readonly sample?: string | undefined;
  /** On the hub: the commit that the revision stood for, and the hub's own name of the content. */
  readonly commit?: string | undefined;
  /** The hub's own name of the content. */
  readonly blob?: string | undefined;
}

/** [start, end) of bytes. */
export type Stretch = readonly [number, number];

/** One file of a cache. Bytes become `whole` by {@link finish} only: nothing half-written is ever taken for a model. */
export interface CacheEntry {
  /** A finished copy, perhaps of an earlier version. */
  readonly whole: FileInfo | undefined;
  /** An unfinished copy that an earlier download left. */
  readonly part: { readonly info: FileInfo; readonly held: readonly Stretch[] } | undefined;
  /** Where the finished copy lies, if that is a file. */
  readonly path?: string | undefined;
  /** Begins a copy: forgets an unfinished one, unless `keep`. A finished one stays until the new one is. */
  start(info: FileInfo, keep: boolean): Promise<void>;
  /** Keeps bytes of the copy that was begun. They may come in any order. */
  write(offset: number, bytes: Uint8Array): Promise<void>;
  /** Fills `target` with bytes that are held: of the copy that was begun, else of the finished one. Resolves to how many. */
  read(offset: number, target: Uint8Array): Promise<number>;
  /** All bytes are here and right: from now on the copy is whole. */
  finish(info: FileInfo): Promise<void>;
  /** Keeps what has become known of the finished copy. */
  note?(info: FileInfo): Promise<void>;
  /** Forgets the copy that was begun, or else the finished one. */
  remove(): Promise<void>;
  /** What was written is kept for the next time. */
  close(): Promise<void>;
}

/** A cache with files of its own kind, where a {@link BlockStore} is not enough. */
export interface ModelCache {
  /** The entry of an address. */
  open(target: Target): Promise<CacheEntry>;
  /** A faster SHA-256 than the portable one, if there is one. */
  sha256?(): Hasher;
}

/** A SHA-256 in the making. */
export interface Hasher {
  /** Adds bytes. */
  update(bytes: Uint8Array): unknown;
  /** Hexadecimal. */
  hex(): string;
}

/** Named blocks of bytes, at most 4 MiB each: what a cache can be made of anywhere. Names are of letters, digits, dots and dashes. */
export interface BlockStore {
  /** A block, undefined where there is none. */
  get(name: string): Promise<Uint8Array | undefined>;
  /** All or nothing. @throws anything where there is no room: the load goes on without a cache if the cache was chosen by 'auto' */
  put(name: string, bytes: Uint8Array): Promise<void>;
  /** Forgets a block; none is no error. */
  delete(name: string): Promise<void>;
  /** Keeps others (tabs) from writing `name` too: resolves to what gives it back, undefined where somebody has it. */
  lock?(name: string): Promise<(() => void) | undefined>;
}

/**
 * True if both are of one version, false if they are not or nobody can tell. A hash decides; else the server's own ETag (weak ones too: the
 * bytes of a model do not vary), else its date and length.
 */
export function sameVersion(a: FileInfo, b: FileInfo): boolean {
  if (a.sha256 !== undefined && b.sha256 !== undefined) return a.sha256 === b.sha256;
  if (a.size !== undefined && b.size !== undefined && a.size !== b.size) return false;
  if (a.blob !== undefined && b.blob !== undefined) return a.blob === b.blob;
  const opaque = (etag: string): string => etag.replace(/^W\//, '');
  if (a.etag !== undefined && b.etag !== undefined) return opaque(a.etag) === opaque(b.etag);
  return a.lastModified !== undefined && a.lastModified === b.lastModified && a.size !== undefined && a.size === b.size;
}
