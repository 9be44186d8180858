/** `clada run` and `clada chat`: text streamed to stdout, everything else to stderr. */
import { createInterface } from 'node:readline/promises';
import type { GenerateOptions, Generation, Model } from 'clada';
import { AbortedError } from 'clada';
import { samplerOptionsOf } from './args.ts';
import type { Values } from './commands.ts';
import { note, openModel, print, printJson, readText } from './model.ts';
import { styleFor } from './style.ts';

function generateOptions(values: Values<'run'> | Values<'chat'>, signal: AbortSignal): GenerateOptions {
  const options: GenerateOptions = { ...samplerOptionsOf(values), signal };
  if (values.predict !== undefined && values.predict >= 0) options.maxTokens = values.predict;
  if (values.stop !== undefined) options.stop = values.stop;
  return options;
}

/** Streams text; returns it. */
async function stream(generation: Generation, quiet: boolean): Promise<string> {
  let text = '';
  for await (const token of generation) {
    text += token.text;
    if (!quiet) process.stdout.write(token.text);
  }
  return text;
}

/** One line of honest figures. */
function statsLine(generation: Generation, model: Model): string {
  const { promptTokens, cachedTokens, promptPerSecond, generatedTokens, generatePerSecond, weightBytesPerSecond, stopReason, seed } = generation.stats();
  const rate = (value: number): string => (Number.isNaN(value) ? '' : ` at ${value.toFixed(1)} tok/s`);
  const bandwidth = Math.max(...[1, 2, 3].map(() => model.measureBandwidth()));
  const reached = weightBytesPerSecond / 1e9;
  return [
    `prompt ${promptTokens} tokens${cachedTokens > 0 ? ` (${cachedTokens} cached)` : ''}${rate(promptPerSecond)}`,
    `generated ${generatedTokens}${rate(generatePerSecond)} (${stopReason ?? 'stopped'}, seed ${seed})`,
    ...(Number.isNaN(reached) ? [] : [`weights read at ${reached.toFixed(1)} GB/s of ${bandwidth.toFixed(1)} GB/s memory bandwidth`]),
    `memory ${(process.memoryUsage.rss() / 1e6).toFixed(0)} MB`,
    `${model.info.tier} build (${model.info.tierReason}), loaded in ${(model.info.loadMs / 1000).toFixed(2)} s`,
  ].join(' · ');
}

/** `stats` also where a person watches: the line costs nothing and teaches what to expect. */
const wantsStats = (values: { stats?: boolean; json?: boolean }): boolean => values.stats ?? (process.stderr.isTTY === true && !values.json);

export async function run(values: Values<'run'>, signal: AbortSignal): Promise<void> {
  const prompt = await readText(values, 'run');
  await using model = await openModel(values, signal);
  const options = generateOptions(values, signal);
  const asChat = values.chat ?? values.system !== undefined;
  const generation = asChat
    ? model.chat(values.system === undefined ? {} : { system: values.system }).send(prompt, options)
    : model.generate(prompt, options);
  const text = await stream(generation, values.json === true);
  if (values.json) printJson({ prompt, text, ...generation.stats(), model: model.info });
  else print('');
  if (wantsStats(values)) note(statsLine(generation, model));
}

export async function chat(values: Values<'chat'>, signal: AbortSignal): Promise<void> {
  await using model = await openModel(values, signal);
  const conversation = model.chat(values.system === undefined ? {} : { system: values.system });
  const { bold } = styleFor(process.stderr, process.env);
  const interactive = process.stdin.isTTY === true;
  if (interactive) note(`${model.info.name}. /exit or Ctrl-D ends the chat, Ctrl-C stops an answer.`);
  const lines = createInterface({ input: process.stdin, output: process.stderr, terminal: interactive });
  let answering: AbortController | undefined;
  lines.on('SIGINT', () => { if (answering) answering.abort(); else lines.close(); });
  if (interactive) { lines.setPrompt(bold('> ')); lines.prompt(); }
  for await (const line of lines) {
    if (line.trim() === '/exit') break;
    if (line.trim() !== '') {
      answering = new AbortController();
      const generation = conversation.send(line, generateOptions(values, AbortSignal.any([signal, answering.signal])));
      try {
        const text = await stream(generation, values.json === true);
        if (values.json) printJson({ message: line, text, ...generation.stats() });
        else print('');
        if (wantsStats(values)) note(statsLine(generation, model));
      } catch (error) {
        if (!(error instanceof AbortedError) || signal.aborted) throw error;
        note('\nstopped');
      }
      answering = undefined;
    }
    if (interactive) lines.prompt();
  }
  lines.close();
}
