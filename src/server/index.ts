/** clada/server: models behind OpenAI's protocol, as a handler from Request to Response. */
export { createServer } from './server.ts';
export type { Models, Server, ServerOptions } from './types.ts';
