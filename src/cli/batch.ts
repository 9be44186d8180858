/** `clada batch`: a file of requests answered here, put into a queue, or taken out of one. */
import { createReadStream, openSync, statSync } from 'node:fs';
import type { Model } from 'clada';
import { createServer, type Server } from 'clada/server';
import { AbortedError, InputError } from '../errors.ts';
import { answerRequest, hasFailed } from '../batch/answer.ts';
import { batchOf } from '../batch/ledger.ts';
import { runLines, type BatchProgress, type LoopOptions } from '../batch/run.ts';
import { exitCodes } from './args.ts';
import { findModel, openLink, type ModelName } from './batch-link.ts';
import { openOutput, type BatchOutput } from './batch-output.ts';
import { openAsker, serveQueue } from './batch-queue.ts';
import type { Values } from './commands.ts';
import { endWith } from './ending.ts';
import { openModel } from './model.ts';
import { note, printJson } from './output.ts';
import { Progress } from './batch-progress.ts';

type BatchValues = Values<'batch'>;

const defaults = { parallel: 4, ahead: 256, lease: 30, patience: 120 } as const;

export async function batch(values: BatchValues, signal: AbortSignal): Promise<void> {
  if (values.worker) return worker(values, signal);
  const { input, output: path, errors } = values;
  if (input === undefined || path === undefined) {
    throw usage(input === undefined ? 'no input' : 'no output', 'two files', 'clada batch in.jsonl out.jsonl');
  }
  for (const flag of ['ahead', 'patience', 'lease'] as const) {
    if (values[flag] === undefined || values.queue !== undefined) continue;
    throw usage(`--${flag} without --queue`, 'a queue', 'Leave it out, or name a queue.');
  }
  const source = openInput(input), output = await openOutput(path, errors, input), stop = (): void => { source.stream.destroy(); };
  signal.addEventListener('abort', stop); // a pipe that says nothing is not waited for
  try {
    await (values.queue === undefined ? here : queued)(values, source, output, signal);
  } finally {
    signal.removeEventListener('abort', stop);
    stop();
    output.close();
  }
}

interface Input { readonly stream: AsyncIterable<Uint8Array> & { destroy(): void }; readonly size: number | undefined }

type Run = (values: BatchValues, input: Input, output: BatchOutput, signal: AbortSignal) => Promise<void>;

const here: Run = async (values, input, output, signal) => {
  const concurrency = values.parallel ?? defaults.parallel;
  await using model = await openModel({ ...values, sequences: concurrency }, signal);
  const server = serverOf(model, concurrency, values), hard = new AbortController();
  try {
    await run(values, input, output, signal, model.info, {
      concurrency, write: output.write,
      answer: (request, { id, number }) => answerRequest(id, number, request, server.fetch, hard.signal),
    });
  } finally {
    hard.abort();
    await server.close();
  }
};

const queued: Run = async (values, input, output, signal) => {
  if (values.parallel !== undefined) throw usage('--parallel with --queue', '--ahead, or --parallel for workers', 'Leave it out.');
  const link = await openLink(values.queue!, values.patience ?? defaults.patience);
  try {
    const onWait = (): void => { note('no worker is there yet: clada batch --worker --queue URL -m MODEL'); };
    const model = await findModel(link, values.model, signal, onWait);
    const onAlone = (alone: boolean): void => { note(alone ? 'no worker is left: waiting for one' : 'a worker is there again'); };
    const asker = openAsker(link, model, signal, onAlone);
    try {
      if (output.batch !== undefined) asker.tidy(output.has);
      await run(values, input, output, signal, model, {
        concurrency: values.ahead ?? defaults.ahead, answer: asker.answer,
        write: (result) => { output.write(result); asker.settled(result.id); },
      });
    } finally {
      await asker.close();
    }
  } finally {
    link.close();
  }
};

/** From the first line to the last, with progress and a summary. @throws AbortedError where it was stopped before the end */
async function run(
  values: BatchValues, { stream, size }: Input, output: BatchOutput, signal: AbortSignal, { name, fingerprint }: ModelName,
  options: Pick<LoopOptions, 'answer' | 'concurrency' | 'write'>,
): Promise<void> {
  const batch = output.batch ?? batchOf(fingerprint, output.place), short = fingerprint.slice(0, 8);
  if (!batch.startsWith(short)) throw new InputError('E_OPTION', {
    subject: values.output!, found: `results of another model (${batch.slice(0, 8)}…)`, expected: `those of ${name} (${short}…)`,
    remedy: 'Go on with the model that it began with, or name a new output.',
  });
  const shown = new Progress(size, values.json === true);
  let reached: BatchProgress | undefined;
  try {
    const onProgress = (progress: BatchProgress): void => { shown.tell(reached = progress); };
    reached = await runLines(stream, { ...options, batch, ledger: output.ledger, signal, onProgress });
  } finally {
    shown.end();
    const done = reached ?? { before: 0, completed: 0, failed: 0, promptTokens: 0, completionTokens: 0, ended: false };
    const failed = done.failed + output.failed, { before, completed, promptTokens, completionTokens, ended } = done;
    if (values.json) printJson({ ended, before, completed, failed, promptTokens, completionTokens, seconds: shown.seconds });
    else note(shown.summary({ ...done, failed }));
    if (!ended && !values.json) note(`The same command goes on behind what is in ${values.output!}.`);
    if (ended && failed > 0) endWith(exitCodes.partial);
  }
  if (!reached.ended) throw new AbortedError('batch', signal.reason);
}

async function worker(values: BatchValues, signal: AbortSignal): Promise<void> {
  if (values.queue === undefined) throw usage('--worker without --queue', 'the queue to work for', 'Add --queue redis://HOST:PORT.');
  const concurrency = values.parallel ?? defaults.parallel, shown = new Progress(undefined, values.json === true);
  let completed = 0, failed = 0, completionTokens = 0;
  const link = await openLink(values.queue, values.patience ?? defaults.patience);
  try {
    await using model = await openModel({ ...values, sequences: concurrency }, signal);
    const server = serverOf(model, concurrency, values), { name, fingerprint } = model.info;
    if (!values.json) note(`answering for ${name} (${fingerprint.slice(0, 8)}…), ${concurrency} at a time`);
    try {
      await serveQueue(link, model.info, {
        handler: server.fetch, concurrency, lease: values.lease ?? defaults.lease, signal,
        onAnswer: (result) => {
          const usage = (result.response?.body as { usage?: { completion_tokens?: number } } | undefined)?.usage;
          completed++;
          if (hasFailed(result)) failed++;
          completionTokens += usage?.completion_tokens ?? 0;
          shown.tell({ completed, failed, completionTokens, before: 0, bytes: 0, running: 0 });
        },
      });
    } finally {
      shown.end();
      if (values.json) printJson({ completed, failed, completionTokens, seconds: shown.seconds });
      else note(shown.summary({ completed, failed, completionTokens, before: 0 }));
      await server.close();
    }
  } finally {
    link.close();
  }
}

/** Requests wait as long as it takes: nobody else asks. */
const serverOf = (model: Model, slots: number, { alias }: BatchValues): Server => createServer(model, {
  slots, queue: slots, timeout: 7 * 86_400, maxBody: 2 ** 28, page: false, ...(alias === undefined ? {} : { name: alias }),
});

function openInput(path: string): Input {
  if (path === '-') return { stream: process.stdin, size: undefined };
  try {
    const fd = openSync(path, 'r'), stats = statSync(path);
    if (stats.isDirectory()) throw Object.assign(new Error('a folder'), { code: 'EISDIR' });
    return { stream: createReadStream(path, { fd }), size: stats.isFile() ? stats.size : undefined };
  } catch (cause) {
    throw new InputError('E_NOT_FOUND', {
      subject: path, found: (cause as NodeJS.ErrnoException).code ?? String(cause), expected: 'a file of requests',
      remedy: 'Check the path.', cause,
    });
  }
}

function usage(found: string, expected: string, remedy: string): InputError {
  return new InputError('E_USAGE', { subject: 'clada batch', found, expected, remedy });
}
