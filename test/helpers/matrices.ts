/** Random matrices in every layout, their float64 values read back through `dequantRow`, and the reference product. */
import type { Kernels } from './kernels.ts';
import { dtypes } from '../../src/format/gguf/types.ts';
import type { DtypeName } from '../../src/model/layouts.ts';
import { Layout, heldAs } from '../../src/model/layouts.ts';
import { Random } from '../../src/sampler/random.ts';

export interface Kind {
  name: string;
  /** GGML dtype id and layout number. */
  dtype: number;
  layout: number;
  /** Values and bytes of a block of the file. */
  block: number;
  blockBytes: number;
  /** Bytes of a block that are f16 numbers: offsets. Everything else is random bits. */
  halves: number[];
  /** Activation format: 0 plain f32, 1 X4, 2 X8, 4 superblocks'; `packed`: X4 where there is a dot product of bytes, else X8. */
  format: 0 | 1 | 2 | 4 | 'packed';
}

/** The activation format of a kind in a build. */
export const formatOf = (k: Kernels, { format }: Kind): 0 | 1 | 2 | 4 => (format === 'packed' ? (k.build === 'relaxed' ? 1 : 2) : format);

function kind(dtype: DtypeName, halves: number[], format: Kind['format']): Kind {
  const { id, blockSize, typeSize } = dtypes[dtype], layout = heldAs[dtype];
  return { name: layout === dtype ? dtype : `${layout} (from ${dtype})`, dtype: id, layout: Layout[layout], block: blockSize, blockBytes: typeSize, halves, format };
}

/** Every layout, filled from a dtype that it holds. */
export const kinds: Kind[] = [
  kind('f32', [], 0),
  kind('f16', [0], 0),
  kind('bf16', [], 0),
  kind('q4_0', [0], 1),
  kind('q4_1', [0, 2], 1),
  kind('q5_0', [0], 'packed'),
  kind('q5_1', [0, 2], 'packed'),
  kind('q8_0', [0], 2),
  kind('iq4_nl', [0], 2),
  kind('mxfp4', [], 'packed'),
  kind('q2_k', [80, 82], 4),
  kind('q3_k', [108], 4),
  kind('q4_k', [0, 2], 4),
  kind('q5_k', [0, 2], 4),
  kind('q6_k', [208], 4),
  kind('iq4_xs', [0], 4),
  kind('iq3_xxs', [0], 4),
  kind('tq2_0', [64], 4),
];

/** Those that single neurons can be read from. */
export const formed: readonly Kind[] = kinds.filter(({ name }) => /^q(4_[01k]|5_[01k]|6_k|8_0)$/.test(name));

/** A random number in [-1, 1). */
export const uniform = (random: Random): number => 2 * random.float64() - 1;

/** Bytes of `rows` x `cols` weights: random bits, f16 fields finite and of either sign. */
function randomWeights(k: Kind, rows: number, cols: number, random: Random, extreme: Extreme): Uint8Array {
  const bytes = new Uint8Array((rows * cols / k.block) * k.blockBytes);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < bytes.length; i++) bytes[i] = extreme ? (extreme === 'least' ? 0 : 0xff) : random.uint32() & 255;
  for (let at = 0; at < bytes.length; at += k.blockBytes) {
    if (k.name === 'f32') view.setFloat32(at, uniform(random), true);
    else if (k.name === 'bf16') view.setUint16(at, 0x3c00 + (random.uint32() & 0x81ff), true);
    else if (k.name === 'mxfp4') bytes[at] = 110 + (bytes[at]! & 15);
    else {
      for (const half of k.halves) {
        const eightfold = k.name === 'q4_1' && half === 2 ? 0xc00 : 0; // the least of 16 steps around zero, as in files
        view.setUint16(at + half, (extreme ? 0x2400 : 0x2000 + (random.uint32() & 0x0bff)) + eightfold | (random.uint32() & 0x8000), true);
      }
    }
  }
  return bytes;
}

export interface Matrix { ptr: number; values: Float64Array[] }

/** Every quant at its largest; every bit of them zero: the least, where they have a middle. */
type Extreme = boolean | 'least';

/** Packs random weights and reads them back. */
export function randomMatrix(k: Kernels, kind: Kind, rows: number, cols: number, random: Random, extreme: Extreme = false): Matrix {
  const src = k.putBytes(randomWeights(kind, rows, cols, random, extreme));
  const ptr = k.alloc(k.call('layoutBytes', kind.layout, rows, cols));
  const status = k.call('repack', kind.dtype, kind.layout, src, ptr, rows, cols);
  if (status !== 0) throw new Error(`repack ${kind.name}: ${status}`);
  const row = k.alloc(cols * 4);
  const values = Array.from({ length: rows }, (_, r) => {
    k.call('dequantRow', kind.layout, ptr, cols, r, row);
    return Float64Array.from(k.f32(row, cols));
  });
  return { ptr, values };
}

/** What quantising activations to 8 bits leaves of x: blocks of `block`, scale amax / 127, nearest. Plain reference for assembly/kernels/quantize. */
export function quantised(x: ArrayLike<number>, block = 32): Float64Array {
  const out = new Float64Array(x.length);
  for (let b = 0; b < x.length; b += block) {
    const end = Math.min(b + block, x.length);
    let amax = 0;
    for (let i = b; i < end; i++) amax = Math.max(amax, Math.abs(x[i]!));
    const scale = Math.fround(amax / 127), inverse = Math.fround(127 / amax);
    for (let i = b; i < end; i++) out[i] = amax > 1e-30 ? nearestEven(Math.fround(x[i]! * inverse)) * scale : 0;
  }
  return out;
}

function nearestEven(v: number): number {
  const floor = Math.floor(v), rest = v - floor;
  return rest < 0.5 || (rest === 0.5 && floor % 2 === 0) ? floor : floor + 1;
}

/** Rows of x (f32) written, and quantised where the kind wants it; the values that the kernel really multiplies. */
export function putActivations(k: Kernels, kind: Kind, rows: Float32Array[], skew = 0): { ptr: number; stride: number; used: Float64Array[] } {
  const cols = rows[0]!.length;
  const format = formatOf(k, kind);
  if (format === 0) {
    const ptr = k.alloc(rows.length * cols * 4, skew);
    rows.forEach((row, t) => k.f32(ptr + t * cols * 4, cols).set(row));
    return { ptr, stride: cols * 4, used: rows.map((row) => Float64Array.from(row)) };
  }
  const stride = k.call('recordsBytes', format, cols);
  const ptr = k.alloc(rows.length * stride, skew);
  const x = k.alloc(cols * 4);
  rows.forEach((row, t) => {
    k.f32(x, cols).set(row);
    k.call('quantize', x, cols, format, ptr + t * stride, ptr + t * stride, ptr + t * stride);
  });
  return { ptr, stride, used: rows.map((row) => quantised(row, format === 4 ? 256 : 32)) };
}

/** Exact product of a row and x, and the sum of magnitudes that rounding is measured by. */
export function product(weights: Float64Array, x: Float64Array): { value: number; magnitude: number } {
  let value = 0, magnitude = 0;
  for (let i = 0; i < x.length; i++) {
    value += weights[i]! * x[i]!;
    magnitude += Math.abs(weights[i]! * x[i]!);
  }
  return { value, magnitude };
}
