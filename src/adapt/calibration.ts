/**
 * A calibration file, `NAME.clada.gguf` beside `NAME.gguf`: a small GGUF of what was measured once on a model and holds for every text. Its
 * keys begin with `clada.`, its tensors are f32:
 *   sensitivity, up_sq, h_sq, h_mean   [ffn, nLayers]     h_mean_out  [hidden, nLayers]
 *   METHOD.levels      [8, nLevels]: parameter, cost, up, down, kl, klError, deltaNll, top1, from gentle to hard
 *   METHOD.thresholds  [nLayers, nLevels], absent for masks
 * It is bound to the model by a fingerprint of the weights' bytes.
 */
import { FormatError, ModelError } from '../errors.ts';
import type { ByteSource } from '../bytes/source.ts';
import { getNumber, getString } from '../format/gguf/metadata.ts';
import { readGguf } from '../format/gguf/read.ts';
import type { GgufFile } from '../format/gguf/types.ts';
import type { WriteTensor, WriteValue } from '../format/gguf/write.ts';
import { writeGguf } from '../format/gguf/write.ts';
import { calibrationArchitecture } from '../model/kind.ts';
import type { Level } from './levels.ts';

export const CALIBRATION_VERSION = 1;

/**
 * What was measured of a model offline (`clada calibrate`): the constants of methods that skip neurons, and what each setting costs and
 * loses.
 */
export interface Calibration {
  /** Of the weights that it was measured on: 32 hexadecimal digits. */
  readonly fingerprint: string;
  /** `general.name` of that model. */
  readonly modelName: string;
  /** Layers. */
  readonly nLayers: number;
  /** Feed-forward neurons of a layer. */
  readonly ffn: number;
  /** Width of the residual stream. */
  readonly hidden: number;
  /** Tokens that the constants and the levels were measured on, and the seed of their sampling. */
  readonly tokens: number;
  /** Tokens that the levels were measured on. */
  readonly heldOutTokens: number;
  /** Seed of the sampling. */
  readonly seed: number;
  /** How the sensitivities came about: 'fisher' (backward pass) or 'perturbation' (one scalar a layer). */
  readonly gradients: string;
  /** [nLayers, ffn]: how much the loss depends on a neuron. */
  readonly sensitivity: Float32Array;
  /** [nLayers, ffn]: mean square of up. */
  readonly upSquare: Float32Array;
  /** [nLayers, ffn]: mean square of the activation. */
  readonly hSquare: Float32Array;
  /** [nLayers, ffn]: mean activation, for `compensate`. */
  readonly mean: Float32Array | undefined;
  /** [nLayers, hidden]: what the means add to the residual stream. */
  readonly meanOut: Float32Array | undefined;
  /** [nLayers, hidden], [nLayers, heads * headDim], [nLayers, hidden]: how much the loss depends on an input of q, k and v, of o, of gate and up. */
  readonly attnInSensitivity?: Float32Array | undefined;
  readonly outInSensitivity?: Float32Array | undefined;
  readonly ffnInSensitivity?: Float32Array | undefined;
  /** Weight of surprisal in the load. */
  readonly surprisalWeight: number;
  /** Weight of entropy in the load. */
  readonly entropyWeight: number;
  /** The levels of each method that was measured, by its name. */
  readonly levels: ReadonlyMap<string, readonly Level[]>;
}

const measures = ['parameter', 'cost', 'up', 'down', 'kl', 'klError', 'deltaNll', 'top1'] as const;

const floats = (values: Float32Array): Uint8Array => new Uint8Array(values.buffer, values.byteOffset, values.byteLength);

/** The bytes of a calibration file, a GGUF. */
export function writeCalibration(c: Calibration): Uint8Array {
  const text = (value: string): WriteValue => ({ type: 'string', value }), count = (value: number): WriteValue => ({ type: 'u32', value });
  const metadata: Record<string, WriteValue> = {
    'general.architecture': text(calibrationArchitecture), 'general.name': text(`${c.modelName} calibration`),
    'clada.version': count(CALIBRATION_VERSION), 'clada.fingerprint': text(c.fingerprint), 'clada.model': text(c.modelName),
    'clada.layers': count(c.nLayers), 'clada.ffn': count(c.ffn), 'clada.hidden': count(c.hidden),
    'clada.tokens': count(c.tokens), 'clada.held_out_tokens': count(c.heldOutTokens), 'clada.seed': count(c.seed),
    'clada.gradients': text(c.gradients),
    'clada.load.surprisal_weight': { type: 'f32', value: c.surprisalWeight },
    'clada.load.entropy_weight': { type: 'f32', value: c.entropyWeight },
    'clada.methods': { type: 'strings', value: [...c.levels.keys()] },
  };
  const tensor = (name: string, dims: readonly number[], values: Float32Array): WriteTensor =>
    ({ name, dims, dtype: 'f32', data: floats(values) });
  const neurons = [c.ffn, c.nLayers];
  const tensors = [
    tensor('sensitivity', neurons, c.sensitivity), tensor('up_sq', neurons, c.upSquare), tensor('h_sq', neurons, c.hSquare),
    ...(c.mean ? [tensor('h_mean', neurons, c.mean)] : []),
    ...(c.meanOut ? [tensor('h_mean_out', [c.hidden, c.nLayers], c.meanOut)] : []),
  ];
  for (const [method, levels] of c.levels) {
    const table = Float32Array.from(levels.flatMap((level) => measures.map((name) => level[name])));
    tensors.push(tensor(`${method}.levels`, [measures.length, levels.length], table));
    if (levels[0]!.thresholds.length > 0) {
      const thresholds = Float32Array.from(levels.flatMap((level) => Array.from(level.thresholds)));
      tensors.push(tensor(`${method}.thresholds`, [c.nLayers, levels.length], thresholds));
    }
  }
  return writeGguf(metadata, tensors);
}

/**
 * Every tensor, in the order of the file: a stream only moves forward. `valuesOf`: how many a tensor must have; undefined = it is not ours.
 */
async function readTensors(
  source: ByteSource, file: GgufFile, valuesOf: (name: string) => number | undefined,
): Promise<Map<string, Float32Array>> {
  const arrays = new Map<string, Float32Array>();
  for (const { name, dims, dtype, offset } of [...file.tensors.values()].sort((a, b) => a.offset - b.offset)) {
    const values = valuesOf(name);
    if (values === undefined) continue;
    const found = dims.reduce((product, dim) => product * dim, 1);
    if (dtype !== 'f32' || found !== values) bad(source, `tensor ${name} of ${found} ${dtype} values`, `${values} of f32`);
    const bytes = new Uint8Array(4 * values);
    const read = await source.read(offset, bytes);
    if (read !== bytes.length) bad(source, `the end of the data inside tensor ${name}`, `${bytes.length} bytes`);
    const array = new Float32Array(bytes.buffer);
    if (array.some((value) => !Number.isFinite(value))) bad(source, `a value in tensor ${name} that is not finite`, 'finite numbers');
    arrays.set(name, array);
  }
  return arrays;
}

/** Methods whose levels are a density: they have no thresholds. */
const masks = ['griffin', 'mask'];

function bad({ name }: ByteSource, found: string, expected: string): never {
  throw new FormatError('E_CALIBRATION', { subject: name, found, expected, remedy: 'Calibrate again: clada calibrate -m MODEL.' });
}

/** @throws FormatError `E_CALIBRATION` (damaged, of a newer version) and those of readGguf */
export async function readCalibration(source: ByteSource): Promise<Calibration> {
  const file = await readGguf([source]), { metadata } = file;
  const kind = getString(metadata, 'general.architecture');
  if (kind !== calibrationArchitecture) {
    bad(source, `general.architecture ${JSON.stringify(kind)}`, JSON.stringify(calibrationArchitecture));
  }
  const version = getNumber(metadata, 'clada.version');
  if (version > CALIBRATION_VERSION) {
    throw new FormatError('E_CALIBRATION', {
      subject: source.name, found: `version ${version}`, expected: `at most ${CALIBRATION_VERSION}`,
      remedy: 'Update clada, or calibrate again with this version.',
    });
  }
  const size = (key: string): number => {
    const value = getNumber(metadata, key);
    return Number.isInteger(value) && value > 0 && value <= 1 << 20 ? value : bad(source, `${key} ${value}`, 'a positive integer');
  };
  const nLayers = size('clada.layers'), ffn = size('clada.ffn'), hidden = size('clada.hidden'), neurons = nLayers * ffn;
  const weight = (key: string): number => {
    const value = getNumber(metadata, key);
    return Number.isFinite(value) ? value : bad(source, `${key} ${value}`, 'a finite number');
  };
  const rowsOf = (method: string): number => file.tensors.get(`${method}.levels`)?.dims[1] ?? 0;
  const tensors = await readTensors(source, file, (name) => {
    const [method, what] = name.split('.') as [string, string?];
    if (what === 'levels') return measures.length * rowsOf(method);
    if (what === 'thresholds') return nLayers * rowsOf(method);
    if (what !== undefined) return undefined;
    return name === 'h_mean_out' ? nLayers * hidden : ['sensitivity', 'up_sq', 'h_sq', 'h_mean'].includes(name) ? neurons : undefined;
  });
  const array = (name: string): Float32Array => tensors.get(name) ?? bad(source, `no tensor ${name}`, `${name} [${ffn}, ${nLayers}]`);
  const levels = new Map<string, Level[]>();
  for (const name of file.tensors.keys()) {
    if (!name.endsWith('.levels')) continue;
    const method = name.slice(0, -'.levels'.length), table = array(name), thresholds = tensors.get(`${method}.thresholds`);
    if (!thresholds && !masks.includes(method)) {
      bad(source, `no tensor ${method}.thresholds`, `one row for each of ${rowsOf(method)} levels`);
    }
    const measured = (i: number): Record<(typeof measures)[number], number> =>
      Object.fromEntries(measures.map((measure, j) => [measure, table[i * measures.length + j]!])) as ReturnType<typeof measured>;
    levels.set(method, Array.from({ length: rowsOf(method) }, (_, i) => ({
      ...measured(i),
      thresholds: thresholds ? thresholds.subarray(i * nLayers, (i + 1) * nLayers) : [],
    })));
  }
  return {
    fingerprint: getString(metadata, 'clada.fingerprint'), modelName: getString(metadata, 'clada.model'), nLayers, ffn, hidden,
    tokens: getNumber(metadata, 'clada.tokens'), heldOutTokens: getNumber(metadata, 'clada.held_out_tokens'),
    seed: getNumber(metadata, 'clada.seed'), gradients: getString(metadata, 'clada.gradients'),
    sensitivity: array('sensitivity'), upSquare: array('up_sq'), hSquare: array('h_sq'),
    mean: tensors.get('h_mean'), meanOut: tensors.get('h_mean_out'),
    surprisalWeight: weight('clada.load.surprisal_weight'), entropyWeight: weight('clada.load.entropy_weight'), levels,
  };
}

/** @throws ModelError `E_CALIBRATION` where it was measured on other weights. */
export function checkBinding(
  c: Calibration, file: string, model: { fingerprint: string; nLayers: number; ffn: number; hidden: number; name: string },
): void {
  if (c.fingerprint === model.fingerprint && c.nLayers === model.nLayers && c.ffn === model.ffn && c.hidden === model.hidden) return;
  throw new ModelError('E_CALIBRATION', {
    subject: file, found: `the calibration of other weights (${c.modelName}, ${c.fingerprint.slice(0, 8)}…)`,
    expected: `those of ${model.name} (${model.fingerprint.slice(0, 8)}…)`,
    remedy: 'Calibrate this model (clada calibrate -m MODEL), or load it with calibration: false.',
  });
}
