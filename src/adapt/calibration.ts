/**
 * A calibration file, `NAME.clada.gguf` beside `NAME.gguf`: a small GGUF of what was measured once on a model and holds for every text. Its
 * keys begin with `clada.`. Constants are bf16 (f32 in version 1), whose error of up to .4 % is far below their noise; tables are f32:
 *   sensitivity, up_sq, h_sq, h_mean   [ffn, nLayers]     h_mean_out  [hidden, nLayers]
 *   attn_in_sensitivity, attn_in_sq, ffn_in_sensitivity, ffn_in_sq  [hidden, nLayers], out_in_sensitivity, out_in_sq  [headWidth, nLayers]
 *                      from version 2 on, by a backward pass; zeros in layers without attention
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

export const CALIBRATION_VERSION = 2;

/**
 * What was measured of a model offline (`clada calibrate`): the constants of methods that skip neurons, and what each setting costs and
 * loses.
 */
export interface Calibration {
  /** Of the file: 1 has nothing on inputs. */
  readonly version: number;
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
  /** Width of the joined heads, of the layer that has most; 0 in version 1. */
  readonly headWidth: number;
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
  /**
   * [nLayers, hidden]: how much the loss depends on what q, k and v read, sqrt E (dL/dx)^2. Undefined in version 1 and
   * without a backward pass, as the five that follow.
   */
  readonly attnInSensitivity: Float32Array | undefined;
  /** [nLayers, hidden]: its mean square. */
  readonly attnInSquare: Float32Array | undefined;
  /** [nLayers, headWidth]: the same of the joined heads, which o reads. */
  readonly outInSensitivity: Float32Array | undefined;
  /** [nLayers, headWidth]: its mean square. */
  readonly outInSquare: Float32Array | undefined;
  /** [nLayers, hidden]: the same of what gate and up read. */
  readonly ffnInSensitivity: Float32Array | undefined;
  /** [nLayers, hidden]: its mean square. */
  readonly ffnInSquare: Float32Array | undefined;
  /** Weight of surprisal in the load. */
  readonly surprisalWeight: number;
  /** Weight of entropy in the load. */
  readonly entropyWeight: number;
  /** The levels of each method that was measured, by its name. */
  readonly levels: ReadonlyMap<string, readonly Level[]>;
}

const measures = ['parameter', 'cost', 'up', 'down', 'kl', 'klError', 'deltaNll', 'top1'] as const;

/** Constants by their tensors' names: the field, its width, the first version that must have it (0: none) where gradients are known. */
const constants = {
  sensitivity: ['sensitivity', 'ffn', 1], up_sq: ['upSquare', 'ffn', 1], h_sq: ['hSquare', 'ffn', 1], h_mean: ['mean', 'ffn', 0],
  h_mean_out: ['meanOut', 'hidden', 0], attn_in_sensitivity: ['attnInSensitivity', 'hidden', 2], attn_in_sq: ['attnInSquare', 'hidden', 2],
  out_in_sensitivity: ['outInSensitivity', 'headWidth', 2], out_in_sq: ['outInSquare', 'headWidth', 2],
  ffn_in_sensitivity: ['ffnInSensitivity', 'hidden', 2], ffn_in_sq: ['ffnInSquare', 'hidden', 2],
} as const;
type Constant = (typeof constants)[keyof typeof constants][0];

const floats = (values: Float32Array): Uint8Array => new Uint8Array(values.buffer, values.byteOffset, values.byteLength);

/** The nearest bf16 of each value, as its bits. */
function toBf16(values: Float32Array): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  return Uint16Array.from(bits, (word) => (word + 0x7fff + ((word >>> 16) & 1)) >>> 16);
}

function fromBf16(halves: Uint16Array): Float32Array {
  return new Float32Array(Uint32Array.from(halves, (half) => half << 16).buffer);
}

/** Constants as a file keeps them. */
export const asKept = (values: Float32Array): Float32Array => fromBf16(toBf16(values));

/** The bytes of a calibration file, a GGUF. */
export function writeCalibration(c: Calibration): Uint8Array {
  const text = (value: string): WriteValue => ({ type: 'string', value }), count = (value: number): WriteValue => ({ type: 'u32', value });
  const metadata: Record<string, WriteValue> = {
    'general.architecture': text(calibrationArchitecture), 'general.name': text(`${c.modelName} calibration`),
    'clada.version': count(CALIBRATION_VERSION), 'clada.fingerprint': text(c.fingerprint), 'clada.model': text(c.modelName),
    'clada.layers': count(c.nLayers), 'clada.ffn': count(c.ffn), 'clada.hidden': count(c.hidden), 'clada.head_width': count(c.headWidth),
    'clada.tokens': count(c.tokens), 'clada.held_out_tokens': count(c.heldOutTokens), 'clada.seed': count(c.seed),
    'clada.gradients': text(c.gradients),
    'clada.load.surprisal_weight': { type: 'f32', value: c.surprisalWeight },
    'clada.load.entropy_weight': { type: 'f32', value: c.entropyWeight },
    'clada.methods': { type: 'strings', value: [...c.levels.keys()] },
  };
  const tensor = (name: string, dims: readonly number[], values: Float32Array): WriteTensor =>
    ({ name, dims, dtype: 'f32', data: floats(values) });
  const tensors: WriteTensor[] = [];
  for (const [name, [field, width]] of Object.entries(constants)) {
    const values = c[field];
    if (!values) continue;
    tensors.push({ name, dims: [c[width], c.nLayers], dtype: 'bf16', data: new Uint8Array(toBf16(values).buffer) });
  }
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
    const isTable = name.includes('.');
    if ((dtype !== 'f32' && (isTable || dtype !== 'bf16')) || found !== values) {
      bad(source, `tensor ${name} of ${found} ${dtype} values`, `${values} of ${isTable ? 'f32' : 'bf16 or f32'}`);
    }
    const bytes = new Uint8Array((dtype === 'f32' ? 4 : 2) * values);
    const read = await source.read(offset, bytes);
    if (read !== bytes.length) bad(source, `the end of the data inside tensor ${name}`, `${bytes.length} bytes`);
    const array = dtype === 'f32' ? new Float32Array(bytes.buffer) : fromBf16(new Uint16Array(bytes.buffer));
    if (array.some((value) => !Number.isFinite(value))) bad(source, `a value in tensor ${name} that is not finite`, 'finite numbers');
    arrays.set(name, array);
  }
  return arrays;
}

/** Methods whose levels are a density: they have no thresholds. */
const masks = ['griffin', 'mask', 'teal', 'wina'];

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
  const nLayers = size('clada.layers'), ffn = size('clada.ffn'), hidden = size('clada.hidden');
  const widths = { ffn, hidden, headWidth: version < 2 ? 0 : size('clada.head_width') };
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
    return name in constants ? nLayers * widths[constants[name as keyof typeof constants][1]] : undefined;
  });
  const array = (name: string, width: number = measures.length): Float32Array =>
    tensors.get(name) ?? bad(source, `no tensor ${name}`, `${name} [${width}, ${nLayers}]`);
  // perturbations tell nothing of inputs
  const gradients = getString(metadata, 'clada.gradients'), known = gradients === 'fisher' ? version : 1;
  const values = Object.fromEntries(Object.entries(constants).map(([name, [field, width, since]]) =>
    [field, since > 0 && since <= known ? array(name, widths[width]) : tensors.get(name)])) as unknown as Pick<Calibration, Constant>;
  const levels = new Map<string, Level[]>();
  for (const name of file.tensors.keys()) {
    if (!name.endsWith('.levels')) continue;
    const method = name.slice(0, -'.levels'.length), table = array(name), thresholds = tensors.get(`${method}.thresholds`);
    if (!thresholds && !masks.includes(method)) {
      bad(source, `no tensor ${method}.thresholds`, `one row for each of ${rowsOf(method)} levels`);
    }
    const measured = (i: number): Record<(typeof measures)[number], number> =>
      Object.fromEntries(measures.map((measure, j) => [measure, table[i * measures.length + j]!])) as ReturnType<typeof measured>;
    const known = version < 2 && method === 'clada' ? 'cascade' : method; // as it was called before inputs were left out
    levels.set(known, Array.from({ length: rowsOf(method) }, (_, i) => ({
      ...measured(i),
      thresholds: thresholds ? thresholds.subarray(i * nLayers, (i + 1) * nLayers) : [],
    })));
  }
  return {
    version, fingerprint: getString(metadata, 'clada.fingerprint'), modelName: getString(metadata, 'clada.model'), nLayers, ...widths,
    tokens: getNumber(metadata, 'clada.tokens'), heldOutTokens: getNumber(metadata, 'clada.held_out_tokens'),
    seed: getNumber(metadata, 'clada.seed'), gradients, ...values,
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
