/** `clada batch` in the table of commands. */
import { contextSize, json, loading, model, serving, threads } from './flags.ts';

export const batch = {
  summary: "Answer a file of requests in OpenAI's batch format, here or over a queue.",
  flags: {
    input: { kind: 'text', name: 'input', value: 'FILE', help: 'requests, one a line; - is stdin' },
    output: {
      kind: 'text', name: 'output', value: 'FILE',
      help: 'results, one a line, as they are ready; a run that was cut goes on from them',
    },
    errors: { kind: 'text', name: 'errors', value: 'FILE', help: 'results of lines that failed, once more' },
    model, alias: serving.alias,
    parallel: {
      kind: 'number', name: 'parallel', value: 'N', range: { min: 1, max: 256, integer: true },
      help: 'requests at a time', default: 4,
    },
    queue: { kind: 'text', name: 'queue', value: 'URL', help: 'redis://… of a Valkey or Redis, whose workers answer' },
    worker: { kind: 'switch', name: 'worker', help: 'answer what is in the queue, until stopped' },
    ahead: {
      kind: 'number', name: 'ahead', value: 'N', range: { min: 1, max: 100_000, integer: true },
      help: 'lines in the queue at most', default: 256,
    },
    lease: {
      kind: 'number', name: 'lease', value: 'SECONDS', range: { min: 1, max: 3600 },
      help: "silence after which a worker's lines go to others", default: 30,
    },
    patience: {
      kind: 'number', name: 'patience', value: 'SECONDS', range: { min: 1, max: 86_400 },
      help: 'how long the queue may be away', default: 120,
    },
    contextSize, ...loading, threads, json,
  },
  positional: ['input', 'output'],
  conflicts: [['worker', 'input'], ['worker', 'output'], ['worker', 'errors'], ['worker', 'ahead']],
  notes: [
    'Ctrl-C finishes the lines that run; the same command goes on behind them. Ends with 0 where every line was answered, 3 where some '
      + 'failed, 1 where it had to stop.',
    'With --queue -m names the model that workers must have: its name, its file, or the beginning of its fingerprint.',
  ],
} as const;
