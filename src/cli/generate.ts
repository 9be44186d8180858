/** `clada run` and `clada chat`: text streamed to stdout, everything else to stderr. */
import { createInterface } from 'node:readline/promises';
import type { GenerateOptions, Generation, Model, SparsityOptions } from 'clada';
import { AbortedError } from 'clada';
import { samplerOptionsOf } from './args.ts';
import type { Values } from './commands.ts';
import { note, openModel, print, printJson, readText } from './model.ts';
import { chatOf, continued, likeSession, readSession, writeSession } from './session.ts';
import { styleFor } from './style.ts';
import { TelemetryFile, sparkline } from './telemetry.ts';

function generateOptions(values: Values<'run'> | Values<'chat'>, signal: AbortSignal): GenerateOptions {
  const options: GenerateOptions = { ...samplerOptionsOf(values), signal };
  if (values.predict !== undefined && values.predict >= 0) options.maxTokens = values.predict;
  if (values.stop !== undefined) options.stop = values.stop;
  const sparsity = sparsityOf(values);
  if (sparsity) options.sparsity = sparsity;
  if (values.telemetry !== undefined || wantsStats(values)) options.telemetry = true;
  return options;
}

/** What the flags say of skipping; undefined where none does. */
export function sparsityOf({ sparsity, density, maxKl, minTop1 }: Pick<Values<'run'>, 'sparsity' | 'density' | 'maxKl' | 'minTop1'>): SparsityOptions | undefined {
  if (sparsity === undefined && density === undefined && maxKl === undefined && minTop1 === undefined) return undefined;
  return {
    ...(sparsity === undefined ? {} : { method: sparsity }), ...(density === undefined ? {} : { density }), ...(maxKl === undefined ? {} : { maxKl }),
    ...(minTop1 === undefined ? {} : { minTop1 }),
  };
}

interface Streamed { text: string; surprisal: number[]; density: number[] }

/** Streams text; returns it, with the series that the statistics draw. */
async function stream(generation: Generation, quiet: boolean, telemetry: TelemetryFile | undefined): Promise<Streamed> {
  const streamed: Streamed = { text: '', surprisal: [], density: [] };
  for await (const token of generation) {
    streamed.text += token.text;
    if (!quiet) process.stdout.write(token.text);
    telemetry?.add(token);
    if (token.surprisal !== undefined) streamed.surprisal.push(token.surprisal);
    if (token.step) streamed.density.push(token.step.density);
  }
  return streamed;
}

/** Runs `use` with the file of --telemetry, if it is given, and closes it however that ends. */
async function withTelemetry(path: string | undefined, use: (file: TelemetryFile | undefined) => Promise<void>): Promise<void> {
  const file = path === undefined ? undefined : new TelemetryFile(path);
  try {
    await use(file);
  } finally {
    await file?.close();
  }
}

/** What was skipped and what that cost: the promise of the calibration, and what was measured on the way. */
function sparsityLines(generation: Generation, { surprisal, density }: Streamed): string[] {
  const { method, expected, density: mean, measured, warnings, decideMs } = generation.stats();
  const lines = warnings.map((warning) => `warning: ${warning}`);
  if (method === undefined || method === 'dense') return lines;
  lines.push([
    `${method}: ${(100 * (1 - mean)).toFixed(0)} % of the feed-forward weights skipped`,
    ...(expected ? [`calibration: KL ${expected.kl.toFixed(3)} nats, same top token ${(100 * expected.top1).toFixed(1)} %`] : ['loss not calibrated']),
    ...(measured && measured.checks > 0 ? [`measured here: KL ${measured.kl.toFixed(3)} over ${measured.checks} tokens, ${measured.adjustments} adjustments`] : []),
    ...(decideMs ? [`choosing took ${(1000 * decideMs).toFixed(0)} µs a token`] : []),
  ].join(' · '));
  if (surprisal.length > 1) lines.push(`surprisal ${sparkline(surprisal)}`, `density   ${sparkline(density)} ${Math.min(...density).toFixed(2)} … ${Math.max(...density).toFixed(2)}`);
  return lines;
}

/** GB/s: the best of three reads of the weights. */
const bandwidthOf = (model: Model): number => Math.max(...[1, 2, 3].map(() => model.measureBandwidth()));

/** Memory of the process, the build and how long loading took. */
const machineParts = ({ info }: Model): string[] =>
  [`memory ${(process.memoryUsage.rss() / 1e6).toFixed(0)} MB`, `${info.tier} build (${info.tierReason}), loaded in ${(info.loadMs / 1000).toFixed(2)} s`];

/** One line of honest figures. */
function statsLine(generation: Generation, model: Model): string {
  const { promptTokens, cachedTokens, promptPerSecond, generatedTokens, generatePerSecond, weightBytesPerSecond, stopReason, seed } = generation.stats();
  const rate = (value: number): string => (Number.isNaN(value) ? '' : ` at ${value.toFixed(1)} tok/s`);
  const bandwidth = bandwidthOf(model);
  const reached = weightBytesPerSecond / 1e9;
  return [
    `prompt ${promptTokens} tokens${cachedTokens > 0 ? ` (${cachedTokens} cached)` : ''}${rate(promptPerSecond)}`,
    `generated ${generatedTokens}${rate(generatePerSecond)} (${stopReason ?? 'stopped'}, seed ${seed})`,
    ...(Number.isNaN(reached) ? [] : [`weights read at ${reached.toFixed(1)} GB/s of ${bandwidth.toFixed(1)} GB/s memory bandwidth`]),
    ...machineParts(model),
  ].join(' · ');
}

function closing(generation: Generation, model: Model, streamed: Streamed): void {
  note(statsLine(generation, model));
  sparsityLines(generation, streamed).forEach(note);
}

/** `stats` also where a person watches: the line costs nothing and teaches what to expect. */
const wantsStats = (values: { stats?: boolean; json?: boolean }): boolean => values.stats ?? (process.stderr.isTTY === true && !values.json);

export async function run(values: Values<'run'>, signal: AbortSignal): Promise<void> {
  const saved = await readSession(values.loadSession), hasText = !saved || values.prompt !== undefined || values.file !== undefined;
  const prompt = hasText ? await readText(values, 'run') : '';
  await withTelemetry(values.telemetry, async (telemetry) => {
    await using model = await openModel(likeSession(values, saved), signal);
    const options = generateOptions(values, signal);
    const chats = saved ? saved.info.kind === 'chat' : values.chat ?? values.system !== undefined;
    const start = (own: GenerateOptions): Generation => (chats ? model.chat(values.system === undefined ? {} : { system: values.system }).send(prompt, own) : model.generate(prompt, own));
    if (values.compare) { await compare(start, options, model); return; } // awaited here: the model closes behind it
    const conversation = chats ? await chatOf(model, saved, values.system, options) : undefined;
    const generation = conversation ? (hasText ? conversation.send(prompt, options) : conversation.resume(withoutSparsity(options)))
      : saved ? await continued(model, saved, hasText ? prompt : undefined, options) : model.generate(prompt, options);
    const streamed = await stream(generation, values.json === true, telemetry), { text } = streamed;
    if (values.json) printJson({ prompt, text, ...generation.stats(), model: model.info });
    else print('');
    if (wantsStats(values)) closing(generation, model, streamed);
    await writeSession(values.saveSession, conversation ?? generation);
  });
}

/** An answer that goes on keeps the method that it began with. */
function withoutSparsity({ sparsity: _sparsity, ...options }: GenerateOptions): GenerateOptions {
  return options;
}

/** The same prompt answered dense and as the flags say, one after the other, with speed and quality side by side. */
async function compare(start: (options: GenerateOptions) => Generation, options: GenerateOptions, model: Model): Promise<void> {
  const sparsity = options.sparsity ?? { method: 'clada' as const, density: 0.7 }, seed = options.seed ?? 1;
  for (const own of [{ method: 'dense' as const }, sparsity]) await start({ ...options, sparsity: own, maxTokens: 8 }).text(); // warm: compiled, packed
  const { bold } = styleFor(process.stderr, process.env);
  const rows: string[][] = [], texts: string[] = [];
  for (const own of [{ method: 'dense' as const }, sparsity]) {
    const generation = start({ ...options, seed, sparsity: own, telemetry: true });
    note(bold(own.method === 'dense' ? 'dense' : `${own.method ?? 'auto'}`));
    const streamed = await stream(generation, false, undefined);
    print('');
    texts.push(streamed.text);
    const { generatePerSecond, density, expected, weightBytesPerSecond, warnings, method } = generation.stats();
    warnings.forEach((warning) => { note(`warning: ${warning}`); });
    rows.push([
      method ?? '', generatePerSecond.toFixed(1), (weightBytesPerSecond / generatePerSecond / 1e6).toFixed(1), `${(100 * density).toFixed(0)} %`,
      expected ? expected.kl.toFixed(3) : method === 'dense' ? '0' : 'not calibrated', expected ? `${(100 * expected.top1).toFixed(1)} %` : method === 'dense' ? '100 %' : 'not calibrated',
    ]);
  }
  const head = ['', 'tok/s', 'MB read a token', 'feed-forward weights used', 'KL to dense (nats)', 'same top token'], widths = head.map((name, i) => Math.max(name.length, ...rows.map((row) => row[i]!.length)));
  note('');
  for (const row of [head, ...rows]) note(row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join('   '));
  let same = 0;
  while (same < texts[0]!.length && texts[0]![same] === texts[1]![same]) same++;
  note(`The answers are the same for the first ${same} characters. KL and agreement are the calibration's; speed is this machine's, one answer after the other.`);
  note([`memory bandwidth ${bandwidthOf(model).toFixed(1)} GB/s`, ...machineParts(model)].join(' · '));
}

export async function chat(values: Values<'chat'>, signal: AbortSignal): Promise<void> {
  await withTelemetry(values.telemetry, (telemetry) => talk(values, signal, telemetry));
}

async function talk(values: Values<'chat'>, signal: AbortSignal, telemetry: TelemetryFile | undefined): Promise<void> {
  const saved = await readSession(values.loadSession);
  await using model = await openModel(likeSession(values, saved), signal);
  const conversation = await chatOf(model, saved, values.system, generateOptions(values, signal));
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
        const streamed = await stream(generation, values.json === true, telemetry), { text } = streamed;
        if (values.json) printJson({ message: line, text, ...generation.stats() });
        else print('');
        if (wantsStats(values)) closing(generation, model, streamed);
      } catch (error) {
        if (!(error instanceof AbortedError) || signal.aborted) throw error;
        note('\nstopped');
      }
      answering = undefined;
    }
    if (interactive) lines.prompt();
  }
  lines.close();
  await writeSession(values.saveSession, conversation);
}
