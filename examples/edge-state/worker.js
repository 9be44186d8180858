/**
 * A chat as a Cloudflare Worker that forgets nothing between requests: POST /?id=ID with a message answers as text; what was computed of the
 * conversation is kept in KV as a snapshot for a day, so that any instance goes on with it and reads only what is new.
 *
 * Whoever knows an ID has its conversation: make it with crypto.randomUUID(), and put it behind a login.
 */
import { load } from 'clada';

const options = { contextSize: 512, calibration: false }; // with the embedded model under the 128 MB of a Worker
let loading;

const model = (env) => loading ??= load(ReadableStream.from(pieces(env)), options).catch((error) => { loading = undefined; throw error; });

/** The file in pieces of at most 25 MiB, as they lie among the static assets (`clada split --by bytes`), one after the other. */
async function* pieces({ ASSETS, MODEL, MODEL_PARTS }) {
  const number = (n) => String(n).padStart(5, '0');
  for (let i = 1; i <= Number(MODEL_PARTS); i++) {
    const name = `${MODEL}.${number(i)}-of-${number(MODEL_PARTS)}`, { ok, status, body } = await ASSETS.fetch(`https://assets/${name}`);
    if (!ok) throw new Error(`asset ${name}: status ${status}`);
    yield* body;
  }
}

async function answer(chat, message, id, env, writer) {
  const encoder = new TextEncoder();
  try {
    for await (const { text } of chat.send(message, { temperature: 0, maxTokens: 100 })) await writer.write(encoder.encode(text));
    await env.CHATS.put(id, await chat.save(), { expirationTtl: 86_400 }); // before the end of the answer: who asks on finds it
    await writer.close();
  } catch (error) {
    await writer.abort(error).catch(() => undefined);
  }
}

export default {
  async fetch(request, env, ctx) {
    const id = new URL(request.url).searchParams.get('id') ?? '';
    if (request.method !== 'POST' || !/^[\w-]{16,64}$/.test(id)) return new Response('POST /?id=ID with a message\n', { status: 400 });
    const message = await request.text(), snapshot = await env.CHATS.get(id, 'arrayBuffer'), loaded = await model(env);
    const chat = snapshot ? await loaded.restore(snapshot) : loaded.chat({ system: 'You answer in one sentence.' });
    const { readable, writable } = new TransformStream();
    ctx.waitUntil(answer(chat, message, id, env, writable.getWriter()));
    return new Response(readable, { headers: { 'content-type': 'text/plain; charset=utf-8', 'x-messages': String(chat.messages.length) } });
  },
};
