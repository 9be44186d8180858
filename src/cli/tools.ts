/** The commands that look rather than generate: inspect, tokenize, models, doctor. */
import { totalmem } from 'node:os';
import type { ByteSource, Calibration, GgufFile } from 'clada';
import { calibrationArchitecture, describeRuntime, openSource, plan, readCalibration, readGguf } from 'clada';
import type { Values } from './commands.ts';
import { modelPath, networkOf, openModel } from './model.ts';
import { namedModels } from './names.ts';
import { note, print, printJson, redact } from './output.ts';
import { readText } from './text.ts';

const megabytes = (bytes: number, digits = 1): string => `${(bytes / 1e6).toFixed(digits)} MB`;

/** Metadata values for people: long ones are cut, arrays counted. */
function short(value: unknown, width = 60): string {
  if (typeof value === 'object' && value !== null && 'length' in value) return `[${String(value.length)} values]`;
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value);
  return text.length > width ? `${text.slice(0, width - 1)}…` : text;
}

/** The header, and of a calibration all of it. */
async function readHeader(source: ByteSource, signal: AbortSignal): Promise<{ file: GgufFile; calibration: Calibration | undefined }> {
  const file = await readGguf(source, signal);
  const isCalibration = file.metadata.get('general.architecture') === calibrationArchitecture;
  return { file, calibration: isCalibration ? await readCalibration(source) : undefined };
}

function summaryOf(calibration: Calibration) {
  const { modelName, fingerprint, nLayers, ffn, hidden, tokens, heldOutTokens, seed, gradients } = calibration;
  const { surprisalWeight, entropyWeight } = calibration;
  return { modelName, fingerprint, nLayers, ffn, hidden, tokens, heldOutTokens, seed, gradients, surprisalWeight, entropyWeight };
}

/** A table for each method: its levels from gentle to hard, numbered as `level` takes them. */
function printCalibration(path: string, calibration: Calibration): void {
  print(`${redact(path)}\ncalibration\n`);
  for (const [key, value] of Object.entries(summaryOf(calibration))) print(`  ${`clada.${key}`.padEnd(24)} ${short(value)}`);
  const cells = (values: readonly string[]): string =>
    values.map((value, i) => (i === 0 ? value.padEnd(12) : value.padStart(i === 1 ? 6 : 10))).join('');
  print(`\n  ${cells(['method', 'level', 'parameter', 'cost', 'up', 'down', 'KL', '± error', 'NLL +', 'top-1'])}`);
  for (const [method, levels] of calibration.levels) {
    for (const [i, { parameter, cost, up, down, kl, klError, deltaNll, top1 }] of levels.entries()) {
      const shares = [cost, up, down].map((share) => share.toFixed(3)), nats = [kl, klError, deltaNll].map((value) => value.toFixed(4));
      print(`  ${cells([method, String(i), parameter.toPrecision(3), ...shares, ...nats, top1.toFixed(3)])}`);
    }
  }
}

export async function inspect(values: Values<'inspect'>, signal: AbortSignal): Promise<void> {
  const path = modelPath(values.model);
  const network = networkOf(values, signal), { onNote: _toldAlready, ...quiet } = network;
  const source = await openSource(path, network);
  const { file, calibration } = await readHeader(source, signal).finally(() => source.close());
  if (calibration) {
    if (values.json) printJson({ ...summaryOf(calibration), levels: Object.fromEntries(calibration.levels) });
    else printCalibration(path, calibration);
    return;
  }
  if (values.json) {
    const plain = (value: unknown): unknown =>
      (typeof value === 'object' ? short(value) : typeof value === 'bigint' ? String(value) : value);
    const metadata = Object.fromEntries([...file.metadata].map(([key, value]) => [key, plain(value)]));
    const { model, memory, session } = await plan(path, quiet);
    const tensors = model.tensors.map(({ source: { name }, rows, cols, matrices, dtype, layout, bytes }) => (
      { name, rows, cols, ...(matrices > 1 ? { matrices } : {}), dtype, layout, bytes }
    ));
    printJson({ version: file.version, bytes: file.size, metadata, hparams: model.hparams, tensors, memory, session });
    return;
  }
  print(`${redact(path)}\nGGUF v${file.version}, ${megabytes(file.size)}, ${file.tensors.size} tensors, ${file.metadata.size} keys\n`);
  const width = Math.max(20, (process.stdout.columns || 105) - 45); // of a terminal: one line each
  for (const [key, value] of file.metadata) print(`  ${key.padEnd(42)} ${short(value, width)}`);
  const { memory, session, lines } = await plan(path, quiet); // a family that is not known says so here, below its metadata
  print('\nHow it would be loaded');
  for (const line of lines()) print(`  ${line}`);
  print(`  memory at context ${session.contextSize}, kv ${session.kv}: weights ${megabytes(memory.weights)} + kv ${megabytes(memory.kv)} `
    + `+ activations ${megabytes(memory.activations)}`);
}

export async function tokenize(values: Values<'tokenize'>, signal: AbortSignal): Promise<void> {
  const text = await readText(values, 'tokenize', { signal });
  await using model = await openModel({ ...values, contextSize: 8 }, signal);
  const ids = model.tokenizer.encode(text, { parseSpecial: values.parseSpecial ?? false });
  if (values.json) { printJson({ text, ids: [...ids] }); return; }
  for (const id of ids) print(`${String(id).padStart(7)}  ${JSON.stringify(model.tokenizer.decode([id]))}`);
  note(`${ids.length} tokens`);
}

export function models({ json }: Values<'models'>): void {
  if (json) { printJson(namedModels); return; }
  for (const { name, params, megabytes, address } of namedModels) {
    print(`${name.padEnd(21)}${params.padStart(5)}${`${megabytes} MB`.padStart(9)}  ${address}`);
  }
}

export async function doctor(values: Values<'doctor'>): Promise<void> {
  const { versions, platform, arch } = process;
  const name = versions['bun'] ? `Bun ${versions['bun']}` : versions['deno'] ? `Deno ${versions['deno']}` : `Node ${versions.node}`;
  const runtime = await describeRuntime();
  const report = {
    runtime: name, platform, arch, ...runtime,
    maxModelMemory: 65535 * 65536, systemMemory: totalmem(),
  };
  if (values.json) { printJson(report); return; }
  print(`runtime   ${name}, ${platform} ${arch}, V8 ${versions['v8'] ?? 'none'}`);
  print(`build     ${runtime.tier}: ${runtime.tierReason}`);
  print(`simd128   ${runtime.simd ? 'yes' : 'no'}, relaxed SIMD ${runtime.relaxedSimd ? 'yes' : 'no'}`);
  print(`threads   ${runtime.threads} (${runtime.threadsReason})`);
  print(`memory    up to ${megabytes(report.maxModelMemory, 0)} a model (32-bit WebAssembly), `
    + `${megabytes(report.systemMemory, 0)} in this machine`);
}
