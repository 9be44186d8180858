/** Who may ask: sizes of addresses and headers, names of the server, pages of elsewhere, keys. */
import { cors } from 'hono/cors';
import { timingSafeEqual } from 'hono/utils/buffer';
import type { MiddlewareHandler } from 'hono';
import { refusal, type Problem } from './problem.ts';
import type { ServerOptions } from './types.ts';

const longestUrl = 4096, mostHeaders = 32 * 1024;
/** Asked for by what watches a server, which has no key. */
const open = ['/', '/health', '/v1/health'];

const forbidden = (message: string, code: string): Problem => refusal(403, message, { code, type: 'permission_error' });

export function guard({ hosts, cors: origins = [], apiKeys }: ServerOptions): MiddlewareHandler[] {
  const isAllowed = (origin: string): boolean => origins === '*' || origins.includes(origin);
  const handlers: MiddlewareHandler[] = [async ({ req: { raw } }, next) => {
    if (raw.url.length > longestUrl) throw refusal(414, `The address is longer than ${longestUrl} characters.`, { code: 'uri_too_long' });
    let bytes = 0;
    for (const [name, value] of raw.headers) bytes += name.length + value.length + 4;
    if (bytes > mostHeaders) throw refusal(431, `The headers are larger than ${mostHeaders} bytes.`, { code: 'headers_too_large' });
    const { host, hostname } = new URL(raw.url), origin = raw.headers.get('origin');
    // a name of elsewhere that leads here is how a page of elsewhere would read answers (DNS rebinding)
    if (hosts && !hosts.includes(hostname)) throw forbidden(`This server is not called ${hostname.slice(0, 80)}.`, 'unknown_host');
    const isOwn = origin === null || (URL.canParse(origin) && new URL(origin).host === host);
    if (!isOwn && !isAllowed(origin)) throw forbidden('Pages of other origins may not use this server.', 'origin_not_allowed');
    return next();
  }];
  if (origins.length > 0) {
    handlers.push(cors({
      origin: origins === '*' ? '*' : [...origins], allowMethods: ['GET', 'POST'], maxAge: 600,
      exposeHeaders: ['retry-after', 'x-request-id'],
    }));
  }
  if (apiKeys && apiKeys.length > 0) {
    handlers.push(async ({ req }, next) => {
      if (open.includes(req.path)) return next();
      const [, given] = /^Bearer +(\S+)\s*$/i.exec(req.header('authorization') ?? '') ?? [];
      const found = await Promise.all(apiKeys.map((key) => timingSafeEqual(key, given ?? req.header('x-api-key') ?? '')));
      if (found.includes(true)) return next();
      throw refusal(401, given === undefined ? 'An API key is needed: Authorization: Bearer KEY.' : 'The API key is wrong.', {
        type: 'authentication_error', code: 'invalid_api_key', headers: { 'www-authenticate': 'Bearer' },
      });
    });
  }
  return handlers;
}
