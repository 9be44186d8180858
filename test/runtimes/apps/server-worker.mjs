/** The server as a Worker: loads at the first request; ASSETS is a folder of models. POST / asks it everything, other paths are its own. */
import { load } from 'clada';
import { createServer } from 'clada/server';
import { answers } from './server.mjs';

let server;

export default {
  async fetch(request, env) {
    try {
      server ??= (async () => {
        const file = await env.ASSETS.fetch(new Request('http://assets/smollm2-135m-instruct-q4_1.gguf'));
        return createServer(await load(file.body, { tier: 'base', contextSize: 256 }));
      })();
      const { fetch } = await server;
      return request.method === 'POST' && new URL(request.url).pathname === '/' ? Response.json(await answers(fetch)) : await fetch(request);
    } catch (error) {
      return new Response(error.stack, { status: 500 });
    }
  },
};
