/** What goes wrong with a request, in OpenAI's shape: `{ error: { message, type, param, code } }`. */
import { AbortedError, CladaError, InputError } from '../errors.ts';

/** Fields of an error beside its message. */
interface Details {
  readonly type?: string;
  /** Which field of the body is meant. */
  readonly param?: string | undefined;
  readonly code?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Characters of a message: what is quoted from a request may be long. */
const longest = 1000;

/** An answer that is an error. */
export class Problem extends Error {
  constructor(readonly status: number, message: string, readonly details: Details = {}) {
    super(message.length > longest ? `${message.slice(0, longest - 1)}…` : message);
  }

  /** The body of the answer, also sent where an answer has begun. */
  get body(): { error: { message: string; type: string; param: string | null; code: string | null } } {
    const { type = this.status < 500 ? 'invalid_request_error' : 'server_error', param = null, code = null } = this.details;
    return { error: { message: this.message, type, param, code } };
  }

  response(): Response {
    const headers = { ...this.details.headers };
    // the official clients try again by themselves, which helps where it is said when
    if (this.status >= 500 && headers['retry-after'] === undefined) headers['x-should-retry'] ??= 'false';
    return Response.json(this.body, { status: this.status, headers });
  }
}

/** Any other status. */
export const refusal = (status: number, message: string, details: Details = {}): Problem => new Problem(status, message, details);

/** 400 for a field of the body. */
export function wrong(param: string | undefined, message: string, code = 'invalid_value'): Problem {
  return new Problem(400, message, { param, code });
}

/** 400 for a field that is not there. */
export const missing = (param: string): Problem => wrong(param, `Missing required parameter: '${param}'.`, 'missing_required_parameter');

/** 400 for a field of another kind, or outside of what it may be. */
export function invalid(param: string, expected: string, found: string, code = 'invalid_value'): Problem {
  return wrong(param, `Invalid value for '${param}': expected ${expected}, found ${found}.`, code);
}

/** 400 for what is understood and cannot be done here. */
export function unsupported(param: string, remedy: string): Problem {
  return wrong(param, `'${param}' is not supported by this server. ${remedy}`, 'unsupported_parameter');
}

export const tooLong = (message: string, param: string): Problem => wrong(param, message, 'context_length_exceeded');

/** Nobody is there any more. */
export const gone = (): Problem => new Problem(499, 'The client closed the connection.', { code: 'client_closed_request' });

/** Every error as an answer; of what is a mistake of this program only that it is one. `param`: what the request's input is called. */
export function problemOf(error: unknown, param = 'messages'): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof AbortedError) return error.cause instanceof Problem ? error.cause : gone();
  if (!(error instanceof CladaError)) return new Problem(500, 'The server made a mistake.', { code: 'internal_error' });
  const { code, message, subject } = error;
  if (code === 'E_CONTEXT_FULL') return tooLong(message, param);
  if (code === 'E_LOGITS' && subject === 'logits') return wrong('logit_bias', message, code); // the request forbids every token
  if (code === 'E_CLOSED' || code === 'E_POISONED') return new Problem(503, message, { code });
  const named = /^(?:option )?([\w.]+)$/.exec(subject)?.[1];
  const option = named?.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`); // topP is top_p here
  const asked = error instanceof InputError || ['E_CHAT_TEMPLATE', 'E_CALIBRATION', 'E_METHOD'].includes(code);
  return new Problem(asked ? 400 : 500, message, { code, ...(option ? { param: option } : {}) });
}
