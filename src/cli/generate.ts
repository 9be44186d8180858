/** What `run` and `chat` share: options from flags, text streamed to stdout, figures. */
import { leavesInputs } from '../adapt/methods.ts';
import type { GenerateOptions, Generation, Model, SparsityOptions } from 'clada';
import { AbortedError } from 'clada';
import { samplerOptionsOf } from './args.ts';
import type { Values } from './commands.ts';
import { note } from './output.ts';
import { TelemetryFile, sparkline } from './telemetry.ts';

export function generateOptions(values: Values<'run'> | Values<'chat'>, signal: AbortSignal): GenerateOptions {
  const options: GenerateOptions = { ...samplerOptionsOf(values), signal };
  if (values.predict !== undefined) options.maxTokens = values.predict;
  if (values.stop !== undefined) options.stop = values.stop;
  if (values.ignoreEos) options.ignoreEos = true;
  if (values.loopGuard !== undefined) options.loopGuard = values.loopGuard;
  const sparsity = sparsityOf(values);
  if (sparsity) options.sparsity = sparsity;
  if (values.telemetry !== undefined || values.stats) options.telemetry = true;
  return options;
}

/** What the flags say of skipping; undefined where none does. */
export function sparsityOf(
  { sparsity: method, density, maxKl, minTop1, threshold }: Pick<Values<'run'>, 'sparsity' | 'density' | 'maxKl' | 'minTop1' | 'threshold'>,
): SparsityOptions | undefined {
  const said = Object.entries({ method, density, maxKl, minTop1, threshold }).filter(([, value]) => value !== undefined);
  return said.length === 0 ? undefined : Object.fromEntries(said);
}

export interface Streamed {
  text: string;
  surprisal: number[];
  density: number[];
  /** Ended by a signal: an AbortSignal of the options has fired. */
  aborted: boolean;
}

/** Streams text to its end, or to where a signal cut it; returns it, with the series that the statistics draw. */
export async function stream(generation: Generation, quiet: boolean, telemetry?: TelemetryFile): Promise<Streamed> {
  const streamed: Streamed = { text: '', surprisal: [], density: [], aborted: false };
  try {
    for await (const token of generation) {
      streamed.text += token.text;
      if (!quiet) process.stdout.write(token.text);
      telemetry?.add(token);
      if (token.surprisal !== undefined) streamed.surprisal.push(token.surprisal);
      if (token.step) streamed.density.push(token.step.density);
    }
  } catch (error) {
    if (error instanceof AbortedError) streamed.aborted = true;
    else {
      if (!quiet && streamed.text !== '') process.stdout.write('\n');
      throw error;
    }
  }
  if (!quiet) process.stdout.write('\n');
  return streamed;
}

/** What must be said of an answer that is not what was asked for: skipping that could not be, an end that was not the model's. */
export function afterwards(generation: Generation, { info }: Model): void {
  const { warnings, stopReason, shiftedTokens } = generation.stats();
  for (const warning of warnings) note(`sparsity: ${warning}`);
  if (shiftedTokens > 0) note(`The context of ${info.contextSize} tokens is full: the oldest ${shiftedTokens} are forgotten.`);
  if (stopReason === 'context') note(`The context of ${info.contextSize} tokens is full: --ctx-size makes room.`);
  if (stopReason === 'loop') note('Stopped: it said the same thing over and over (--loop-guard).');
}

/** What --json tells of an answer. */
export const summaryOf = (generation: Generation, { text, aborted }: Streamed): object =>
  ({ text, ...generation.stats(), ...(aborted ? { stopReason: 'aborted' } : {}) });

/** Runs `use` with the file of --telemetry, if it is given, and closes it however that ends. */
export async function withTelemetry(path: string | undefined, use: (file: TelemetryFile | undefined) => Promise<void>): Promise<void> {
  const file = path === undefined ? undefined : new TelemetryFile(path);
  try {
    await use(file);
  } catch (error) {
    await file?.close().catch(() => undefined);
    throw error;
  }
  await file?.close();
}

/** What was skipped and what that cost: the promise of the calibration, and what was measured on the way. */
function sparsityLines(generation: Generation, { surprisal, density }: Streamed): string[] {
  const { method, expected, density: mean, measured, decideMs } = generation.stats();
  if (method === undefined || method === 'dense') return [];
  const skippable = method === 'experts' ? "the experts' weights" : leavesInputs(method) ? "the layers' weights"
    : 'the feed-forward weights';
  const lines = [[
    `${method}: ${(100 * (1 - mean)).toFixed(0)} % of ${skippable} skipped`,
    expected ? `calibration: KL ${expected.kl.toFixed(3)} nats, same top token ${(100 * expected.top1).toFixed(1)} %`
      : 'loss not calibrated',
    ...(measured && measured.checks > 0
      ? [`measured here: KL ${measured.kl.toFixed(3)} over ${measured.checks} tokens, ${measured.adjustments} adjustments`] : []),
    ...(decideMs ? [`choosing took ${(1000 * decideMs).toFixed(0)} µs a token`] : []),
  ].join(' · ')];
  if (surprisal.length > 1) {
    const range = `${Math.min(...density).toFixed(2)} … ${Math.max(...density).toFixed(2)}`;
    lines.push(`surprisal ${sparkline(surprisal)}`, `density   ${sparkline(density)} ${range}`);
  }
  return lines;
}

/** GB/s: the best of three reads of the weights. */
const bandwidthOf = (model: Model): number => Math.max(...[1, 2, 3].map(() => model.measureBandwidth()));

/** Memory of the process, the build and how long loading took. */
const machineParts = ({ info }: Model): string[] => {
  const { headerMs, tokenizerMs, compileMs, readMs, repackMs } = info.loadParts;
  const parts = Object.entries({ header: headerMs, tokenizer: tokenizerMs, compile: compileMs, read: readMs, repack: repackMs });
  return [
    `memory ${(process.memoryUsage.rss() / 1e6).toFixed(0)} MB`,
    `${info.tier} build (${info.tierReason}), ${info.threads} thread${info.threads === 1 ? '' : 's'} (${info.threadsReason})`,
    `loaded in ${(info.loadMs / 1000).toFixed(2)} s (ms: ${parts.map(([name, ms]) => `${name} ${ms.toFixed(0)}`).join(', ')})`,
  ];
};

/** One line of honest figures. */
function statsLine(generation: Generation, model: Model): string {
  const {
    promptTokens, cachedTokens, promptPerSecond, generatedTokens, generatePerSecond, weightBytesPerSecond, stopReason, seed,
  } = generation.stats();
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

export function closing(generation: Generation, model: Model, streamed: Streamed): void {
  note(statsLine(generation, model));
  sparsityLines(generation, streamed).forEach(note);
}
