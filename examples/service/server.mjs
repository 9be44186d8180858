/**
 * A model as a service that speaks OpenAI's protocol: http://127.0.0.1:8080/v1, and a chat page at http://127.0.0.1:8080.
 *
 *   npm install clada @hono/node-server && node server.mjs model.gguf
 */
import { serve } from '@hono/node-server';
import { load } from 'clada';
import { createServer } from 'clada/server';

const [file = 'model.gguf', port = '8080'] = process.argv.slice(2);
const model = await load(file, { contextSize: 2048, sequences: 4 });
const server = createServer(model, { name: 'local', slots: 4, queue: 16, timeout: 120 });
const node = serve({ fetch: server.fetch, hostname: '127.0.0.1', port: Number(port) }, ({ port }) => { console.log(`http://127.0.0.1:${port}`); });

process.once('SIGTERM', async () => {
  node.close();
  await server.close(); // answers under way end first
  model.close();
});
