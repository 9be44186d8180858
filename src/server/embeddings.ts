/** POST /v1/embeddings */
import * as v from 'valibot';
import type { Context } from './context.ts';
import { check } from './fields.ts';
import type { Job } from './job.ts';
import { checkLength } from './length.ts';

const id = v.pipe(v.number(), v.integer(), v.minValue(0)), most = 2048;
const text = v.pipe(v.string(), v.minLength(1)), ids = v.pipe(v.array(id), v.minLength(1));
const schema = v.object({
  model: v.nullish(v.string()),
  input: v.union([
    text, v.pipe(v.array(text), v.minLength(1), v.maxLength(most)), ids, v.pipe(v.array(ids), v.minLength(1), v.maxLength(most)),
  ]),
  encoding_format: v.nullish(v.picklist(['float', 'base64'])),
  dimensions: v.nullish(v.pipe(v.number(), v.integer(), v.minValue(1))),
  pooling: v.nullish(v.picklist(['last', 'mean', 'cls'])),
});

export async function embeddings(raw: unknown, job: Job, context: Context): Promise<Response> {
  const { model: name, input, encoding_format, dimensions, pooling } = check(schema, raw);
  const { id: model, model: subject, slots } = context.find(name);
  for (const given of typeof input === 'string' ? [input] : input) {
    if (typeof given === 'string') checkLength(subject, given, 'input');
  }
  const [place] = slots.enter(1);
  job.onEnd(() => { place!.leave(); });
  await place!.turn(job.cutShort);
  const { embeddings: vectors, tokens } = await subject.embed(input, {
    signal: job.signal, ...(dimensions ? { dimensions } : {}), ...(pooling ? { pooling } : {}),
  });
  return Response.json({
    object: 'list', model,
    data: vectors.map((vector, index) => (
      { object: 'embedding', index, embedding: encoding_format === 'base64' ? base64Of(vector) : Array.from(vector) })),
    usage: { prompt_tokens: tokens, total_tokens: tokens },
  });
}

/** Little-endian f32, as everything that runs WebAssembly has them. */
function base64Of(vector: Float32Array): string {
  const bytes = new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength);
  let text = '';
  for (let i = 0; i < bytes.length; i += 0x8000) text += String.fromCharCode(...bytes.subarray(i, i + 0x8000));
  return btoa(text);
}
