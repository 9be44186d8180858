/** The server as a handler of requests: routes, and errors as answers. */
import { Hono } from 'hono/tiny';
import { readJson } from './body.ts';
import { chatCompletions } from './chat.ts';
import { completions } from './completions.ts';
import { Context, freshId } from './context.ts';
import { embeddings } from './embeddings.ts';
import { guard } from './guard.ts';
import type { Job } from './job.ts';
import { page } from './page.ts';
import { problemOf, refusal } from './problem.ts';
import { responses } from './responses.ts';
import { health, metrics, modelNamed, models, props, slotStates } from './status.ts';
import { applyTemplate, detokenize, tokenize } from './tokens.ts';
import type { Models, Server, ServerOptions } from './types.ts';

type Body = Readonly<Record<string, unknown>>;
type Answering = (body: Body, job: Job, context: Context) => Promise<Response>;
type Telling = (query: (name: string) => string | undefined, context: Context) => Response;

/** What runs a model: a job, with a time limit, that waits for a slot. The second: what the input is called. */
const answering: Readonly<Record<string, readonly [Answering, string]>> = {
  '/v1/chat/completions': [chatCompletions, 'messages'], '/v1/completions': [completions, 'prompt'],
  '/v1/responses': [responses, 'input'], '/v1/embeddings': [embeddings, 'input'],
};
const reading: Readonly<Record<string, (body: Body, context: Context) => Response>> = {
  '/tokenize': tokenize, '/detokenize': detokenize, '/apply-template': applyTemplate,
};
const telling: Readonly<Record<string, Telling>> = {
  '/health': (_, context) => health(context), '/v1/health': (_, context) => health(context),
  '/v1/models': (_, context) => models(context), '/metrics': (_, context) => metrics(context),
  '/props': (query, context) => props(query('model'), context), '/slots': (query, context) => slotStates(query('model'), context),
};

/**
 * A server for `models` that speaks OpenAI's protocol, and llama-server's for what OpenAI has not.
 *
 * ```ts
 * const server = createServer(await load('model.gguf'));
 * Deno.serve(server.fetch); // or Bun.serve({ fetch: server.fetch }), or `export default server` in a worker
 * ```
 * @throws InputError `E_OPTION`
 */
export function createServer(given: Models, options: ServerOptions = {}): Server {
  const context = new Context(given, options), app = new Hono();
  app.onError((error) => problemOf(error).response());
  app.use(...guard(options));
  for (const [path, [answer, param]] of Object.entries(answering)) {
    app.post(path, async ({ req: { raw } }) => {
      const job = context.job(raw);
      try {
        const response = await answer(await readJson(raw, context.maxBody, job.signal), job, context);
        if (!isStream(response)) job.end();
        return response;
      } catch (error) {
        job.end();
        return problemOf(error, param).response();
      }
    });
  }
  for (const [path, read] of Object.entries(reading)) {
    app.post(path, async ({ req: { raw } }) => read(await readJson(raw, context.maxBody), context));
  }
  for (const [path, tell] of Object.entries(telling)) app.get(path, ({ req }) => tell((name) => req.query(name), context));
  app.get('/v1/models/:id{.+}', ({ req }) => modelNamed(req.param('id'), context));
  if (options.page !== false) app.get('/', () => page());
  const methods = new Map([...Object.keys(answering), ...Object.keys(reading)].map((path) => [path, 'POST']));
  for (const path of Object.keys(telling)) methods.set(path, 'GET');
  app.notFound(({ req: { path, method } }) => {
    const allowed = methods.get(path);
    if (allowed === undefined) {
      return refusal(404, `Unknown request URL: ${method.slice(0, 20)} ${path.slice(0, 200)}.`, { code: 'unknown_url' }).response();
    }
    return refusal(405, `${path} takes ${allowed} alone.`, { code: 'method_not_allowed', headers: { allow: allowed } }).response();
  });
  return {
    fetch: async (request) => {
      const response = await app.fetch(request);
      response.headers.set('x-request-id', freshId('req_'));
      context.metrics.answered(response.status);
      return response;
    },
    close: (seconds = 30) => context.close(seconds),
    get active() { return context.active; },
  };
}

const isStream = (response: Response): boolean => response.headers.get('content-type')?.startsWith('text/event-stream') === true;
