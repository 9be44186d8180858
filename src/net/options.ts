/** What a caller may say about loading over the network. */
import type { BlockStore, ModelCache } from './cache.ts';

/** How bytes come over the network, and where they are kept. */
export interface NetworkOptions {
  /**
   * Where downloaded bytes are kept. 'auto' (default): a directory in Node, Deno and Bun (the Hugging Face cache for `hf:`), the origin's
   * private file system in browsers, the Cache API at the edge, and nothing where none of them can be used or has room. `{ directory }`,
   * 'opfs' and 'cache-api' insist on one; false keeps nothing; or bring your own.
   */
  cache?: 'auto' | 'directory' | 'opfs' | 'cache-api' | false | { readonly directory: string } | ModelCache | BlockStore;
  /**
   * Sent as a bearer token to the server of the address, never to another one it redirects to. Default for the Hugging Face hub:
   * `HF_TOKEN`.
   */
  token?: string;
  /**
   * What the file must hash to, 64 hexadecimal digits; of a split model one for each part. Default: what the hub says of its large files.
   */
  sha256?: string | readonly string[];
  /**
   * Hash a copy that the cache holds in full before it is used. Default: its size and a sample of it are looked at. Either way a copy that
   * is not what was downloaded is fetched again where that can be done, and is an error (`E_CACHE`) where it cannot.
   */
  verify?: boolean;
  /** Hears what happened on the way without being an error: that a cached copy was damaged and is fetched again. */
  onNote?: (note: string) => void;
  /** Requests at a time. Default 4. */
  connections?: number;
  /** Failures in a row, none of which brought a byte, that are tried again. Default 5. */
  retries?: number;
  /** Milliseconds before the first retry, doubled for each further one (at most 30 s). A server's Retry-After comes first. Default 500. */
  retryDelay?: number;
  /** Milliseconds without a byte after which a connection counts as dead. Default 30,000. */
  idleTimeout?: number;
  /** Take what the cache holds and ask no server. Default: true where `HF_HUB_OFFLINE` is set. */
  offline?: boolean;
  /** The hub's address. Default: `HF_ENDPOINT`, or https://huggingface.co. */
  endpoint?: string;
  /** Instead of the global `fetch`. */
  fetch?: typeof fetch;
  /** Ends it: what has arrived is kept. */
  signal?: AbortSignal;
}

export const networkNames = [
  'cache', 'token', 'sha256', 'verify', 'onNote', 'connections', 'retries', 'retryDelay', 'idleTimeout', 'offline', 'endpoint', 'fetch',
  'signal',
];
