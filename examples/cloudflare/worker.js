/**
 * A chat as a Cloudflare Worker: POST / { "prompt": "…", "system"?: "…", "maxTokens"?: n } answers with server-sent events,
 * `data: {"text":"…"}` for every piece, then `data: {"stats":{…}}` and `data: [DONE]`.
 *
 * The model lies among the static assets, in pieces of at most 25 MiB (`clada split --by bytes`: one of its tensors alone is larger). They
 * stream into WebAssembly memory one after the other; a context of 512 keeps that and the JavaScript heap under the 128 MB of a Worker.
 */
import { CladaError, load } from 'clada';

/** Loaded by the first request that an isolate gets, then shared by all. */
let loading;

function model(env, ctx) {
  loading ??= open(env).catch((error) => { loading = undefined; throw error; });
  ctx.waitUntil(loading.catch(() => undefined)); // a visitor who leaves does not stop it for the others
  return loading;
}

function open(env) {
  const { readable, writable } = new TransformStream();
  void join(env, writable).catch((error) => writable.abort(error).catch(() => undefined)); // load then fails with the same error
  return load(readable, { contextSize: 512, calibration: false });
}

/** The pieces of the file, one after the other, as one stream. */
async function join(env, writable) {
  const count = Number(env.MODEL_PARTS), number = (n) => String(n).padStart(5, '0');
  for (let i = 1; i <= count; i++) {
    const name = `${env.MODEL}.${number(i)}-of-${number(count)}`, { ok, status, body } = await env.ASSETS.fetch(new Request(`https://assets/${name}`));
    if (!ok) throw new Error(`asset ${name}: status ${status}`);
    await body.pipeTo(writable, { preventClose: true, preventAbort: true });
  }
  await writable.close();
}

async function answer({ prompt, system = 'You answer in one sentence.', maxTokens = 128 }, env, ctx, writer) {
  const encoder = new TextEncoder(), send = (data) => writer.write(encoder.encode(`data: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`));
  try {
    const loaded = await model(env, ctx), generation = loaded.chat({ system }).send(prompt, { maxTokens, temperature: 0 });
    for await (const { text } of generation) if (text) await send({ text }); // fails when the visitor is gone, which ends the generation
    const { promptTokens, generatedTokens, stopReason } = generation.stats(), { memoryBytes, tier } = loaded.info;
    await send({ stats: { promptTokens, generatedTokens, stopReason, memoryBytes, tier } });
    await send('[DONE]');
  } catch (error) {
    await send({ error: error instanceof CladaError ? { code: error.code, message: error.message } : { message: String(error) } }).catch(() => undefined);
  } finally {
    await writer.close().catch(() => undefined);
  }
}

export default {
  async fetch(request, env, ctx) {
    if (request.method !== 'POST') return new Response('POST { "prompt": "…" }\n', { status: 405, headers: { allow: 'POST' } });
    const body = await request.json().catch(() => undefined);
    if (typeof body?.prompt !== 'string') return Response.json({ error: { message: 'expected JSON with a "prompt"' } }, { status: 400 });
    const { readable, writable } = new TransformStream();
    ctx.waitUntil(answer(body, env, ctx, writable.getWriter()));
    return new Response(readable, { headers: { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' } });
  },
};
