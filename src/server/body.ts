/** The body of a request, within limits. */
import { invalid, refusal, wrong, type Problem } from './problem.ts';

/** Objects and lists inside each other: a schema or message needs a few; what goes deeper would exhaust the stack of whoever walks it. */
const deepest = 100;

/** @throws Problem 413 where it is larger, 415 where it is not JSON, 400 where it is broken */
export async function readJson(request: Request, limit: number, signal?: AbortSignal): Promise<Record<string, unknown>> {
  const type = request.headers.get('content-type');
  // curl -d says the second by itself, fetch the third
  if (type !== null && !/^(?:application\/(?:[\w.+-]*json|x-www-form-urlencoded)|text\/plain)\s*(?:;|$)/i.test(type)) {
    throw refusal(415, `Unsupported content type ${type.slice(0, 80)}: send application/json.`, { code: 'unsupported_media_type' });
  }
  const bytes = await readBytes(request, limit, signal);
  let text: string, body: unknown;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw broken('is not UTF-8');
  }
  if (isDeep(text)) throw broken(`nests more than ${deepest} objects and lists`);
  try {
    body = JSON.parse(text);
  } catch (error) {
    throw broken(`is not JSON: ${error instanceof Error ? error.message.slice(0, 200) : 'it cannot be read'}`);
  }
  if (typeof body !== 'object' || body === null || Array.isArray(body)) throw broken('is not a JSON object');
  const endless = /\d{309}|\d[eE]\+?\d{3}/.test(text) ? endlessIn(body) : undefined; // of what looks so hardly anything is
  if (endless !== undefined) throw invalid(endless, 'a number that a double holds', 'a larger one');
  return body as Record<string, unknown>;
}

/** Where a number is Infinity: as 1e999 is read, which JSON cannot write again. */
function endlessIn(value: unknown, path = ''): string | undefined {
  if (value === Infinity || value === -Infinity) return path;
  if (typeof value !== 'object' || value === null) return undefined;
  for (const [key, inner] of Object.entries(value)) {
    const found = endlessIn(inner, Array.isArray(value) ? `${path}[${key}]` : path === '' ? key : `${path}.${key}`);
    if (found !== undefined) return found;
  }
  return undefined;
}

const broken = (how: string): Problem => wrong(undefined, `The body ${how}.`, 'invalid_json');

async function readBytes(request: Request, limit: number, signal?: AbortSignal): Promise<Uint8Array> {
  const tooLarge = (): Problem => refusal(413, `The body is larger than ${limit} bytes.`, { code: 'request_too_large' });
  if (Number(request.headers.get('content-length') ?? 0) > limit) throw tooLarge();
  const parts: Uint8Array[] = [];
  let size = 0;
  if (request.body) {
    const reader = request.body.getReader(), cancel = (): void => { void reader.cancel().catch(() => undefined); };
    signal?.addEventListener('abort', cancel, { once: true }); // a read under way then says done
    try {
      for (let read = await reader.read(); !read.done; read = await reader.read()) {
        size += read.value.length;
        if (size > limit) { cancel(); throw tooLarge(); }
        parts.push(read.value);
      }
    } finally {
      signal?.removeEventListener('abort', cancel);
    }
    signal?.throwIfAborted();
  }
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const part of parts) { bytes.set(part, at); at += part.length; }
  return bytes;
}

/** Whether a JSON text nests more than a request may. */
export const isDeep = (text: string): boolean => nesting(text) > deepest;

/** How deep brackets nest in a JSON text. */
function nesting(text: string): number {
  let depth = 0, most = 0, inString = false;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (inString) {
      if (c === 0x5c) i++;
      else if (c === 0x22) inString = false;
    } else if (c === 0x22) inString = true;
    else if (c === 0x7b || c === 0x5b) most = Math.max(most, ++depth);
    else if (c === 0x7d || c === 0x5d) depth--;
  }
  return most;
}
