/** A line of a batch, in OpenAI's format, as a request. */
import type { Line } from './lines.ts';

/** What may be asked in a batch. */
export const batchUrls = ['/v1/chat/completions', '/v1/completions', '/v1/embeddings', '/v1/responses'] as const;

/** Why a line is none that can be answered. */
export interface LineError {
  /** What is wrong with it. */
  readonly code: 'line_too_long' | 'invalid_utf8' | 'invalid_json_line' | 'missing_required_parameter' | 'invalid_custom_id'
    | 'duplicate_custom_id' | 'invalid_method' | 'invalid_url' | 'invalid_body' | 'stream_not_supported' | 'internal_error' | 'worker_lost';
  /** For people. */
  readonly message: string;
  /** The number of the line, from 1. */
  readonly line: number;
}

/** What a line asks, or what is wrong with it. */
export interface BatchRequest {
  /** null where the line has none. */
  readonly customId: string | null;
  readonly url: string;
  /** JSON text. */
  readonly body: string;
  readonly error?: LineError;
}

const longestName = 512;
const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);

/** Never throws: what is wrong is in `error`. */
export function readRequest({ text, number, problem, bytes }: Line, maxBytes: number): BatchRequest {
  let customId: string | null = null;
  const refused = (code: LineError['code'], message: string): BatchRequest =>
    ({ customId, url: '', body: '', error: { code, message, line: number } });
  if (problem === 'too_long') return refused('line_too_long', `The line has ${bytes} bytes; at most ${maxBytes} are read.`);
  if (text === undefined) return refused('invalid_utf8', 'The line is not valid UTF-8.');
  let value: unknown;
  try { value = JSON.parse(text); } catch (error) {
    return refused('invalid_json_line', `The line is not JSON: ${(error as Error).message}`);
  }
  if (!isObject(value)) return refused('invalid_json_line', 'The line is not a JSON object.');
  const { custom_id: name, method, url, body } = value;
  if (name === undefined || name === null) return refused('missing_required_parameter', 'The line has no custom_id.');
  if (typeof name !== 'string' || name === '' || name.length > longestName || /\p{Surrogate}/u.test(name)) {
    return refused('invalid_custom_id', `custom_id must be a string of 1 to ${longestName} characters of Unicode.`);
  }
  customId = name;
  if (method !== 'POST') return refused('invalid_method', "method must be 'POST'.");
  if (typeof url !== 'string' || !(batchUrls as readonly string[]).includes(url)) {
    return refused('invalid_url', `url must be one of ${batchUrls.join(', ')}.`);
  }
  if (!isObject(body)) return refused('invalid_body', 'body must be a JSON object.');
  if (body['stream'] === true) return refused('stream_not_supported', 'A batch does not stream: leave stream out.');
  let endless: string | undefined; // as 1e999 is read, which would be written as null: another request
  const look = (name: string, value: unknown): unknown => {
    if (value === Infinity || value === -Infinity) endless = name;
    return value;
  };
  try {
    const written = JSON.stringify(body, look);
    if (endless !== undefined) return refused('invalid_body', `A number is too large: ${endless.slice(0, 80)}.`);
    return { customId, url, body: written };
  } catch {
    return refused('invalid_body', 'body nests too many objects and lists.'); // JSON.parse goes deeper than JSON.stringify
  }
}
