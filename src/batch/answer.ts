/** A request of a batch, answered by a handler of requests as a server is one. */
import { AbortedError, StateError } from '../errors.ts';
import type { BatchRequest, LineError } from './request.ts';

/** What answers a request: `createServer(model).fetch`, or `fetch` itself. */
export type Handler = (request: Request) => Promise<Response> | Response;

/** A line of the output, in OpenAI's format. */
export interface BatchResult {
  /** Of the run, the line and the model: what makes a run go on. */
  readonly id: string;
  /** The line's own; null where it has none. */
  readonly custom_id: string | null;
  /** null where no request was made of the line. */
  readonly response: { readonly status_code: number; readonly request_id: string; readonly body: unknown } | null;
  /** Why there is no response; null where there is one, which may say an error of its own. */
  readonly error: LineError | null;
}

/** Whether a line has no answer of the kind that it asked for. */
export const hasFailed = ({ response, error }: BatchResult): boolean =>
  error !== null || response === null || response.status_code >= 400;

/** A line that was not answered. */
export const refusal = (id: string, customId: string | null, error: LineError): BatchResult =>
  ({ id, custom_id: customId, response: null, error });

const mostRetries = 8, longestWait = 60;
/** Nothing more will be answered: not the line's fault. */
const deadCodes = ['E_POISONED', 'E_CLOSED'];

/**
 * Asks the handler. One that is busy (429, 503) is asked again when it says so, up to eight times.
 * @param number of the line
 * @throws StateError `E_CLOSED` where the model can answer no more, AbortedError: the line has no result then
 */
export async function answerRequest(
  id: string, number: number, request: BatchRequest, handler: Handler, signal?: AbortSignal,
): Promise<BatchResult> {
  if (request.error) return refusal(id, request.customId, request.error);
  for (let tries = 0; ; tries++) {
    let response: Response, text: string;
    // a request holds on to its signal for as long as it lives: not to the batch's
    const own = new AbortController(), stop = (): void => { own.abort(signal!.reason); };
    signal?.addEventListener('abort', stop);
    try {
      if (signal?.aborted) stop();
      response = await handler(new Request(`http://localhost${request.url}`, {
        method: 'POST', headers: { 'content-type': 'application/json' }, body: request.body, signal: own.signal,
      }));
      text = await response.text();
    } catch (error) {
      if (signal?.aborted) throw new AbortedError('batch', signal.reason);
      checkAlive((error as { code?: unknown }).code);
      const message = error instanceof Error ? error.message : String(error);
      return refusal(id, request.customId, { code: 'internal_error', message, line: number });
    } finally {
      signal?.removeEventListener('abort', stop);
    }
    const body = parsed(text);
    checkAlive((body as { error?: { code?: unknown } } | null)?.error?.code);
    const busy = (response.status === 429 || response.status === 503) && response.headers.get('x-should-retry') !== 'false';
    if (busy && tries < mostRetries) {
      await pause(retryAfter(response) ?? Math.min(2 ** tries, longestWait), signal);
      continue;
    }
    const requestId = response.headers.get('x-request-id') ?? id.replace('batch_', '');
    return { id, custom_id: request.customId, response: { status_code: response.status, request_id: requestId, body }, error: null };
  }
}

function checkAlive(code: unknown): void {
  if (!deadCodes.includes(code as string)) return;
  throw new StateError('E_CLOSED', {
    subject: 'batch', found: `a model that answers no more (${String(code)})`, expected: 'a model that runs',
    remedy: 'Start again: what was answered is kept, and the rest goes on.',
  });
}

/** What is not JSON is a text. */
function parsed(text: string): unknown {
  try { return JSON.parse(text) as unknown; } catch { return text; }
}

function retryAfter({ headers }: Response): number | undefined {
  const said = headers.get('retry-after');
  return said !== null && /^\d+$/.test(said) ? Math.min(Number(said), longestWait) : undefined;
}

function pause(seconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (): void => { clearTimeout(timer); reject(new AbortedError('batch', signal!.reason)); };
    const timer = setTimeout(() => { signal?.removeEventListener('abort', stop); resolve(); }, 1000 * seconds);
    if (signal?.aborted) stop();
    else signal?.addEventListener('abort', stop, { once: true });
  });
}
