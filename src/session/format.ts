/**
 * A snapshot as bytes (docs/sessions.md), little-endian, every part on a multiple of 16:
 *
 *   0   'CLADAKV\0'            8 bytes
 *   8   u32 version            16   32 hexadecimal digits: the fingerprint of everything from 48 on
 *   12  u32 total bytes
 *   48  u32 bytes of the header, 12 bytes of zeros; 64: the header, JSON in UTF-8; then the sections in the order of `header.sections`
 *
 * What a header says besides is its writer's affair.
 */
import { fingerprintOf } from '../bytes/fingerprint.ts';
import { FormatError, InputError } from '../errors.ts';
import { show } from '../options.ts';

export const SNAPSHOT_VERSION = 1;
const magic = Uint8Array.of(0x43, 0x4c, 0x41, 0x44, 0x41, 0x4b, 0x56, 0);
const bodyAt = 48, headerAt = 64;
const padded = (bytes: number): number => 16 * Math.ceil(bytes / 16);

/** What bytes say that a snapshot of ours never says. */
export function damaged(found: string, expected: string): never {
  throw new FormatError('E_SNAPSHOT', {
    subject: 'snapshot', found, expected, remedy: 'The bytes are not those that save() gave: fetch or save them again.',
  });
}

export interface Section { readonly name: string; readonly data: Uint8Array | Int32Array | Float32Array }

const bytesOf = (data: Section['data']): Uint8Array => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

export function packSnapshot(header: object, sections: readonly Section[]): Uint8Array<ArrayBuffer> {
  const text = new TextEncoder().encode(JSON.stringify({ ...header, sections: sections.map(({ name, data }) => [name, data.byteLength]) }));
  const total = sections.reduce((sum, { data }) => sum + padded(data.byteLength), headerAt + padded(text.length));
  const out = new Uint8Array(total), view = new DataView(out.buffer);
  out.set(magic);
  view.setUint32(8, SNAPSHOT_VERSION, true);
  view.setUint32(12, total, true);
  view.setUint32(bodyAt, text.length, true);
  out.set(text, headerAt);
  let at = headerAt + padded(text.length);
  for (const { data } of sections) {
    out.set(bytesOf(data), at);
    at += padded(data.byteLength);
  }
  out.set(new TextEncoder().encode(fingerprintOf(out.subarray(bodyAt))), 16);
  return out;
}

export interface Unpacked<H> {
  readonly header: H;
  /** The bytes of a section, at a multiple of 4: a view of the snapshot. Undefined where there is none of that name. */
  section(name: string): Uint8Array | undefined;
}

/**
 * Checks magic, version, length and fingerprint, and takes the parts apart. The header's own fields are still to be checked.
 * @throws InputError `E_OPTION` for what is not bytes; FormatError `E_SNAPSHOT` (not a snapshot, cut, changed), `E_SNAPSHOT_VERSION` (of a
 * later release)
 */
export function unpackSnapshot<H>(snapshot: Uint8Array | ArrayBuffer): Unpacked<H> {
  if (!(snapshot instanceof Uint8Array || snapshot instanceof ArrayBuffer)) {
    throw new InputError('E_OPTION', {
      subject: 'snapshot', found: show(snapshot), expected: 'the bytes that save() gave', remedy: 'Pass a Uint8Array.',
    });
  }
  const given = snapshot instanceof ArrayBuffer ? new Uint8Array(snapshot) : snapshot;
  const bytes = given.byteOffset % 4 === 0 ? given : given.slice();
  if (bytes.length < headerAt || magic.some((byte, i) => bytes[i] !== byte)) {
    damaged(`${bytes.length} bytes that do not begin with CLADAKV`, 'a snapshot of clada');
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length), version = view.getUint32(8, true);
  const total = view.getUint32(12, true);
  if (version !== SNAPSHOT_VERSION) {
    throw new FormatError('E_SNAPSHOT_VERSION', {
      subject: 'snapshot', found: `format version ${version}`, expected: `${SNAPSHOT_VERSION}`,
      remedy: version > SNAPSHOT_VERSION
        ? 'It was saved by a later clada: update this one.'
        : 'The bytes are damaged: fetch or save them again.',
    });
  }
  if (bytes.length !== total) damaged(`${bytes.length} bytes`, `${total}: it was ${bytes.length < total ? 'cut' : 'added to'}`);
  const sum = fingerprintOf(bytes.subarray(bodyAt)), written = String.fromCharCode(...bytes.subarray(16, bodyAt));
  if (sum !== written) damaged('a fingerprint that does not fit', 'unchanged bytes');
  const headerBytes = view.getUint32(bodyAt, true), places = new Map<string, Uint8Array>();
  const header = headerBytes <= total - headerAt ? parse(bytes.subarray(headerAt, headerAt + headerBytes)) : undefined;
  if (typeof header !== 'object' || header === null || !Array.isArray(header.sections)) {
    return damaged('a header that cannot be read', 'JSON with sections');
  }
  let at = headerAt + padded(headerBytes);
  for (const entry of header.sections as unknown[]) {
    const [name, length] = (Array.isArray(entry) ? entry : []) as unknown[];
    if (typeof name !== 'string' || !Number.isInteger(length) || (length as number) < 0 || at + (length as number) > total) {
      return damaged('sections that do not fit', `${total} bytes in all`);
    }
    places.set(name, bytes.subarray(at, at + (length as number)));
    at += padded(length as number);
  }
  return { header: header as H, section: (name) => places.get(name) };
}

function parse(bytes: Uint8Array): { sections?: unknown } | undefined {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as { sections?: unknown };
  } catch {
    return undefined;
  }
}
