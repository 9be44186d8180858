/**
 * Addresses of models on the network: URLs, and `hf:owner/repo/file[@revision]`. Small: whoever loads from a path pays for this file only.
 */
import { InputError } from '../errors.ts';

export type RemoteAddress = URL | `http${string}:${string}` | `hf:${string}`;

/** True of what is fetched rather than opened: http and https URLs, and `hf:` addresses. */
export function isRemote(input: unknown): input is RemoteAddress {
  return input instanceof URL ? /^https?:$/.test(input.protocol) : typeof input === 'string' && /^(https?|hf):/i.test(input);
}

export interface HubFile {
  /** `owner/repo` */
  readonly repo: string;
  readonly file: string;
  /** A branch, tag or commit. */
  readonly revision: string;
}

const hubForm = 'hf:owner/repo/path/to/file.gguf, with @revision behind it where it is not main';

/** The parts of `hf:owner/repo/file[@revision]`. @throws InputError `E_OPTION` */
export function parseHub(address: string): HubFile {
  const match = /^hf:(?:\/\/)?([\w.-]+\/[\w.-]+)\/([^@]+?)(?:@([^@]+))?$/i.exec(address);
  return checkHub({ repo: match?.[1] ?? '', file: match?.[2] ?? '', revision: match?.[3] ?? 'main' }, address);
}

/** The parts become paths of a cache: none may lead out of it. @throws InputError `E_OPTION` */
export function checkHub(hub: HubFile, address: string): HubFile {
  if (![hub.repo, hub.file, hub.revision].some((path) => path.split('/').some((part) => /^\.{0,2}$|\\|\0/.test(part)))) return hub;
  throw new InputError('E_OPTION', {
    subject: 'model source', found: address, expected: hubForm,
    remedy: 'Name the file too: the page of the model lists them under Files.',
  });
}

/** @throws InputError `E_OPTION` */
export function parseUrl(text: string): URL {
  if (URL.canParse(text)) return new URL(text);
  throw new InputError('E_OPTION', {
    subject: 'model source', found: text, expected: 'a URL such as https://example.com/model.gguf',
    remedy: 'Check the address.',
  });
}

/** The name at the end of an address, without query, fragment or revision. */
export function fileName(address: string | URL): string {
  const text = String(address);
  if (/^hf:/i.test(text)) return parseHub(text).file.split('/').pop()!;
  return decoded(parseUrl(text).pathname.split('/').pop()!);
}

/** The address of a file beside this one: same folder, query and revision. */
export function sibling(address: string | URL, name: string): string {
  const text = String(address);
  if (/^hf:/i.test(text)) {
    const { repo, file, revision } = parseHub(text);
    return `hf:${repo}/${[...file.split('/').slice(0, -1), name].join('/')}${revision === 'main' ? '' : `@${revision}`}`;
  }
  const url = parseUrl(text);
  url.pathname = [...url.pathname.split('/').slice(0, -1), encodeURIComponent(name)].join('/');
  return url.href;
}

/** User and password of an address, as the value of an Authorization header, and the address without them (`fetch` takes none with). */
export function withoutUser(address: string): { url: string; authorization?: string } {
  const url = new URL(address), { username, password } = url;
  if (username === '' && password === '') return { url: address };
  url.username = url.password = '';
  const bytes = new TextEncoder().encode([username, password].map(decoded).join(':'));
  return { url: url.href, authorization: `Basic ${btoa(String.fromCharCode(...bytes))}` };
}

/** Percent signs that mean nothing stay. */
export const decoded = (text: string): string => { try { return decodeURIComponent(text); } catch { return text; } };
