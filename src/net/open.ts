/** An address → a file that can be read while it arrives, from the cache where that has it. */
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import { InputError, TransferError } from '../errors.ts';
import { checkNames, checkNumber } from '../options.ts';
import { redacted } from '../redact.ts';
import { checkHub, decoded, parseHub, parseUrl, withoutUser } from './address.ts';
import { chooseCache, hasRoom } from './auto.ts';
import type { CacheEntry, FileInfo, Hasher } from './cache.ts';
import { sameVersion } from './cache.ts';
import type { NetworkOptions } from './options.ts';
import { networkNames } from './options.ts';
import { Pool } from './pool.ts';
import type { Requester } from './request.ts';
import { RetryableTransferError, request } from './request.ts';
import { sampleOf } from './sample.ts';
import type { Target } from './target.ts';
import { Transfer } from './transfer.ts';

/** A remote file; the shape of a ByteSource, and what became of it. */
export interface RemoteFile {
  readonly name: string;
  readonly size: number | undefined;
  readonly sequential: false;
  read(offset: number, target: Uint8Array, signal?: AbortSignal): Promise<number>;
  /** Resolves when every byte is here, hashed and kept. */
  verified(): Promise<void>;
  close(): Promise<void>;
  /** Where it lies in a cache that is a folder, once it is verified. */
  readonly path: string | undefined;
  /** Of the verified bytes, where it was computed or is known. */
  readonly sha256: string | undefined;
  /** True if no byte had to be fetched. */
  readonly cached: boolean;
}

/** How a remote file is opened. */
export interface OpenOptions {
  /** 'whole': fetch all of it, verify and keep it. 'demand': only what is read. */
  readonly mode: 'whole' | 'demand';
  /** Which part of a split model. */
  readonly part?: number;
  /** Bytes here so far, and in all if the server says. */
  readonly onProgress?: ((loaded: number, total: number | undefined) => void) | undefined;
  /** Fail where nothing can be kept, whatever the cache option says. */
  readonly mustKeep?: boolean;
  /** Hash a copy that the cache holds already, if its hash is known. */
  readonly recheck?: boolean;
}

const defaultEndpoint = 'https://huggingface.co';
const env = (name: string): string | undefined => {
  const { process } = globalThis as { process?: { env?: Record<string, string | undefined> } };
  try { return process?.env?.[name] || undefined; } catch { return undefined; } // Deno without permission
};

/** What an address stands for. Pages of the hub (`/blob/`) and its download links are the hub's files too. @throws InputError `E_OPTION` */
export function resolve(address: string | URL, options: NetworkOptions): Target {
  const text = String(address), endpoint = (options.endpoint ?? env('HF_ENDPOINT') ?? defaultEndpoint).replace(/\/+$/, '');
  if (!/^hf:/i.test(text)) {
    const url = parseUrl(text);
    const path = url.href.startsWith(`${endpoint}/`) ? url.pathname.slice(new URL(endpoint).pathname.replace(/\/$/, '').length) : '';
    const match = /^\/([\w.-]+\/[\w.-]+)\/(?:resolve|blob)\/([^/]+)\/(.+)$/.exec(path);
    url.hash = '';
    if (!match) return { url: url.href };
    return resolveHub(checkHub({ repo: match[1]!, revision: decoded(match[2]!), file: decoded(match[3]!) }, text), endpoint);
  }
  if (!URL.canParse(endpoint)) throw new InputError('E_OPTION', {
    subject: 'option endpoint (HF_ENDPOINT)', found: endpoint, expected: 'a URL',
    remedy: `Leave it out for ${defaultEndpoint}.`,
  });
  return resolveHub(parseHub(text), endpoint);
}

function resolveHub(hub: NonNullable<Target['hub']>, endpoint: string): Target {
  const file = hub.file.split('/').map(encodeURIComponent).join('/');
  return { hub, url: `${endpoint}/${hub.repo}/resolve/${encodeURIComponent(hub.revision)}/${file}` };
}

/** Parts that are opened with one options object share its connections. */
const pools = new WeakMap<NetworkOptions, Pool>();
let opened = 0;

/**
 * @throws InputError `E_OPTION`, `E_NOT_FOUND`; TransferError: `E_ACCESS`, `E_REDIRECT`, `E_RANGE`, `E_HASH`, `E_CACHE` at once,
 * `E_NETWORK`, `E_SERVER` and `E_RATE_LIMIT` after retries; AbortedError
 */
export async function openRemote(
  address: string | URL, options: NetworkOptions,
  { mode, part = 0, onProgress, recheck = false, mustKeep = false }: OpenOptions,
): Promise<RemoteFile> {
  checkNames('network options', options, networkNames);
  const connections = checkNumber('connections', { min: 1, max: 32, integer: true }, options.connections ?? 4);
  const expected = hashOf(options.sha256, part);
  checkNumber('retries', { min: 0, integer: true }, options.retries ?? 5);
  checkNumber('retryDelay', { min: 0 }, options.retryDelay ?? 500);
  checkNumber('idleTimeout', { min: 1 }, options.idleTimeout ?? 30_000);
  const resolved = resolve(address, options), { url, authorization } = withoutUser(resolved.url);
  const target = { ...resolved, url }, name = redacted(url);
  const token = checkToken(options.token ?? (target.hub ? env('HF_TOKEN') : undefined));
  const requester: Requester = { target, options, origin: new URL(url).origin, authorization: token ? `Bearer ${token}` : authorization };
  const fallBack = (options.cache ?? 'auto') === 'auto' && !mustKeep, cache = await chooseCache(options.cache);
  if (mustKeep && !cache) throw new TransferError('E_CACHE', {
    subject: name, found: 'no cache', expected: 'one to keep the file in',
    remedy: 'Name a folder or bring a cache: the option cache.',
  });
  const entry = await cache?.open(target).catch((cause: unknown) => {
    if (fallBack) return undefined;
    throw new TransferError('E_CACHE', {
      subject: name, found: String(cause), expected: 'a cache that can be read',
      remedy: 'Check its folder and permissions, or load with cache: false.', cause,
    });
  });
  const offline = options.offline ?? /^(1|true|yes|on)$/i.test(env('HF_HUB_OFFLINE') ?? '');
  const hasher = (): Hasher => cache?.sha256?.() ?? portableHasher();
  let flaw: string | undefined;
  try {
    if (entry?.whole) {
      const { hub } = target, fixed = offline || (hub !== undefined && /^[0-9a-f]{40}$/.test(hub.revision));
      if (fixed || await unchanged(requester, entry.whole)) {
        const verdict = await judge(entry, hasher, expected, options, recheck);
        if (verdict === 'sound') return stored(name, entry);
        flaw = flaws[verdict];
        if (flaw !== undefined && !offline) options.onNote?.(`${name}: ${flaw}; it is fetched again`);
      }
    }
    if (offline && flaw !== undefined) throw damagedCopy(name, flaw);
    if (offline) throw new TransferError('E_NETWORK', {
      subject: name, found: 'no copy in the cache, and offline', expected: 'a copy',
      remedy: 'Load it once while online (clada pull), or leave offline out.',
    });
    let pool = pools.get(options);
    if (!pool) pools.set(options, pool = new Pool(connections));
    const transfer = await Transfer.open({
      requester, entry, fallBack, mode, expected, pool, connections, rank: opened++, onProgress, hasRoom,
      hasher: (known) => (cache?.sha256 || known || options.verify ? hasher() : undefined), // where it costs little it is always known
    }).catch((error: unknown) => {
      throw flaw !== undefined && error instanceof RetryableTransferError ? damagedCopy(name, flaw, error) : error;
    });
    return {
      name, sequential: false, cached: false, get size() { return transfer.size; },
      get path() { return mode === 'whole' ? entry?.path : undefined; }, get sha256() { return transfer.sha256; },
      read: (offset, bytes, signal) => transfer.read(offset, bytes, signal), verified: () => transfer.verified(),
      close: () => transfer.close(),
    };
  } catch (error) {
    await entry?.close().catch(() => undefined);
    throw error;
  }
}

/** A header takes no line breaks; who would be told so by `fetch` would be told the token too. */
function checkToken(token: string | undefined): string | undefined {
  const trimmed = typeof token === 'string' ? token.trim() : token;
  if (trimmed === undefined || (typeof trimmed === 'string' && /^[\x21-\x7e]*$/.test(trimmed))) return trimmed;
  throw new InputError('E_OPTION', {
    subject: 'option token (HF_TOKEN)',
    found: typeof trimmed === 'string' ? 'blanks or other characters that a token cannot have' : typeof trimmed, expected: 'a token',
    remedy: 'Copy it again.',
  });
}

const damagedCopy = (subject: string, found: string, cause?: unknown): TransferError => new TransferError('E_CACHE', {
  subject, found: `${found}, and no server that can be reached`, expected: 'the bytes that were downloaded',
  remedy: 'Load it again while online: the copy is replaced then.', cause,
});

function hashOf(given: NetworkOptions['sha256'], part: number): string | undefined {
  const hash = (typeof given === 'string' ? [given] : given)?.[part];
  if (given === undefined) return undefined;
  if (typeof hash === 'string' && /^[0-9a-f]{64}$/i.test(hash)) return hash.toLowerCase();
  throw new InputError('E_OPTION', {
    subject: 'option sha256', found: hash === undefined ? `none for part ${part + 1}` : JSON.stringify(hash),
    expected: '64 hexadecimal digits, one hash for each part',
    remedy: 'sha256sum prints it.',
  });
}

/** True if the server still has this version, or cannot be asked: a copy is better than nothing then. */
async function unchanged(requester: Requester, whole: FileInfo): Promise<boolean> {
  const { options } = requester, idleTimeout = Math.min(options.idleTimeout ?? Infinity, 10_000);
  const patient = { ...requester, options: { ...options, idleTimeout } };
  try {
    const reply = await request(patient, requester.target.url, { range: 'bytes=0-0' }, options.signal ?? new AbortController().signal);
    reply.cancel();
    return sameVersion(whole, reply.info);
  } catch (error) {
    if (error instanceof RetryableTransferError) return true;
    throw error;
  }
}

type Verdict = 'sound' | 'other' | 'damaged' | 'unproved';
const flaws: Readonly<Record<Exclude<Verdict, 'sound'>, string | undefined>> = {
  damaged: 'a cached copy whose bytes are not those that were downloaded', unproved: 'a cached copy of which no hash is known',
  other: undefined,
};

/**
 * Whether the cached copy is what was downloaded: in full where a hash is known and asked for, else by its size and a sample of it.
 * 'other': what the caller wants is another file; 'unproved': it must be proved, and nothing is known to hold it against.
 */
async function judge(
  entry: CacheEntry, hasher: () => Hasher, expected: string | undefined, options: NetworkOptions, recheck: boolean,
): Promise<Verdict> {
  const info = entry.whole!, { size, sha256: known, sample } = info, wanted = expected ?? known;
  if (expected !== undefined && known !== undefined && expected !== known) return 'other';
  if (options.verify && wanted === undefined) return 'unproved';
  try {
    if (wanted !== undefined && (options.verify || recheck || known === undefined)) {
      if (await hashOfAll(entry, size ?? 0, hasher()) !== wanted) return 'damaged';
      if (known === undefined) await entry.note?.({ ...info, sha256: wanted }).catch(() => undefined);
      return 'sound';
    }
    const found = size === undefined ? sample : await sampleOf((offset, target) => entry.read(offset, target), size, hasher());
    if (found === undefined && size !== undefined) return 'damaged';
    // A copy that another tool left: what it is now has to do.
    if (sample === undefined) await entry.note?.({ ...info, sample: found }).catch(() => undefined);
    return sample === undefined || found === sample ? 'sound' : 'damaged';
  } catch {
    return 'damaged'; // a disk that cannot read it
  }
}

async function hashOfAll(entry: CacheEntry, size: number, hasher: Hasher): Promise<string> {
  const piece = new Uint8Array(1024 * 1024);
  for (let at = 0, count = 0; at < size; at += count) {
    count = await entry.read(at, piece.subarray(0, Math.min(piece.length, size - at)));
    if (count === 0) break;
    hasher.update(piece.subarray(0, count));
  }
  return hasher.hex();
}

function stored(name: string, entry: CacheEntry): RemoteFile {
  const { size, sha256: hash } = entry.whole!;
  return {
    name, size, sequential: false, cached: true, path: entry.path, sha256: hash,
    async read(offset, target) {
      const want = Math.max(0, Math.min(target.length, (size ?? Infinity) - offset));
      const count = await entry.read(offset, target.subarray(0, want));
      if (count < want && size !== undefined) {
        throw new TransferError('E_CACHE', {
          subject: name, found: `no bytes at ${offset + count} in the cache`, expected: `${size} bytes`,
          remedy: 'The cached copy was changed by somebody: delete it, then load again.',
        });
      }
      return count;
    },
    verified: () => Promise.resolve(), close: () => entry.close(),
  };
}

function portableHasher(): Hasher {
  const hash = sha256.create();
  return { update: (bytes) => hash.update(bytes), hex: () => bytesToHex(hash.digest()) };
}
