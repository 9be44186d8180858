/**
 * An edge function (Vercel's edge runtime and its kin, condition `edge-light`): GET /api/answer?prompt=… streams the answer as text. The model comes
 * from where MODEL_URL says, once for each instance; a chat of 135M parameters needs 110 MB.
 */
import { load } from 'clada';

export const config = { runtime: 'edge' };

let loading;

async function open() {
  const url = process.env.MODEL_URL, response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: status ${response.status}`);
  return load(response.body, { contextSize: 512, calibration: false });
}

export default async function handler(request) {
  const prompt = new URL(request.url).searchParams.get('prompt');
  if (!prompt) return new Response('?prompt=…\n', { status: 400 });
  const model = await (loading ??= open().catch((error) => { loading = undefined; throw error; }));
  const answer = model.chat({ system: 'You answer in one sentence.' }).send(prompt, { temperature: 0, maxTokens: 128 });
  const tokens = answer[Symbol.asyncIterator](), encoder = new TextEncoder();
  const body = new ReadableStream({
    async pull(controller) {
      const { value, done } = await tokens.next();
      if (done) controller.close();
      else controller.enqueue(encoder.encode(value.text));
    },
    cancel: () => tokens.return(), // the visitor is gone
  });
  return new Response(body, { headers: { 'content-type': 'text/plain; charset=utf-8' } });
}
