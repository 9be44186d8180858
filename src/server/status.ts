/** GET /v1/models, /health, /props, /slots, /metrics. Of what is being said, nothing. */
import type { Context, Served } from './context.ts';
import { Problem } from './problem.ts';

export function models(context: Context): Response {
  return Response.json({ object: 'list', data: context.models.map((served) => modelEntry(served, context)) });
}

export function modelNamed(id: string, context: Context): Response {
  return Response.json(modelEntry(context.find(id), context));
}

function modelEntry({ id, model: { info } }: Served, { started }: Context): object {
  return {
    id, object: 'model', created: started, owned_by: 'clada',
    meta: { n_vocab: info.vocab, n_ctx: info.contextSize, n_params: info.params, size: info.fileBytes, architecture: info.architecture },
  };
}

export function health({ closing }: Context): Response {
  if (!closing) return Response.json({ status: 'ok' });
  return new Problem(503, 'The server is shutting down.', { code: 'shutting_down' }).response();
}

export function props(name: string | undefined, context: Context): Response {
  const { id, model: { info, tokenizer }, slots } = context.find(name);
  const textOf = (token: number | undefined): string => (token === undefined ? '' : tokenizer.decode([token]));
  return Response.json({
    default_generation_settings: { n_ctx: info.contextSize, params: context.defaults },
    total_slots: slots.count, model_alias: id, model_path: info.file.split(/[\\/]/).pop(),
    modalities: { vision: false, audio: false, video: false },
    endpoint_slots: true, endpoint_props: false, endpoint_metrics: true, ui: context.options.page !== false,
    bos_token: textOf(tokenizer.bosId), eos_token: textOf(tokenizer.eosId),
    build_info: `clada ${info.tier}`,
    clada: { kv: info.kv, threads: info.threads, memory: info.memoryBytes, architecture: info.architecture },
  });
}

export function slotStates(name: string | undefined, context: Context): Response {
  const { model: { info }, slots } = context.find(name);
  return Response.json(slots.states.map(({ id, busy, task, tokens }) => (
    { id, n_ctx: info.contextSize, is_processing: busy, id_task: task, next_token: { n_decoded: tokens } })));
}

export function metrics(context: Context): Response {
  const sum = (of: (served: Served) => number): number => context.models.reduce((total, served) => total + of(served), 0);
  return new Response(context.metrics.text(sum(({ slots }) => slots.busy), sum(({ slots }) => slots.waiting)), {
    headers: { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' },
  });
}
