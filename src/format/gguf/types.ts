/** What a GGUF file declares (github.com/ggml-org/ggml, docs/gguf.md), as data. */
import type { ByteSource } from '../../bytes/source.ts';

/** A tensor type: GGML's id, values a block, bytes a block. */
export interface DtypeInfo {
  /** GGML's number of the type. */
  readonly id: number;
  /** Values a block. */
  readonly blockSize: number;
  /** Bytes a block. */
  readonly typeSize: number;
}

/** Every tensor type of ggml.h by its GGUF name in lower case. Ids that are missing were withdrawn. */
export const dtypes = {
  f32: { id: 0, blockSize: 1, typeSize: 4 },
  f16: { id: 1, blockSize: 1, typeSize: 2 },
  q4_0: { id: 2, blockSize: 32, typeSize: 18 },
  q4_1: { id: 3, blockSize: 32, typeSize: 20 },
  q5_0: { id: 6, blockSize: 32, typeSize: 22 },
  q5_1: { id: 7, blockSize: 32, typeSize: 24 },
  q8_0: { id: 8, blockSize: 32, typeSize: 34 },
  q8_1: { id: 9, blockSize: 32, typeSize: 36 },
  q2_k: { id: 10, blockSize: 256, typeSize: 84 },
  q3_k: { id: 11, blockSize: 256, typeSize: 110 },
  q4_k: { id: 12, blockSize: 256, typeSize: 144 },
  q5_k: { id: 13, blockSize: 256, typeSize: 176 },
  q6_k: { id: 14, blockSize: 256, typeSize: 210 },
  q8_k: { id: 15, blockSize: 256, typeSize: 292 },
  iq2_xxs: { id: 16, blockSize: 256, typeSize: 66 },
  iq2_xs: { id: 17, blockSize: 256, typeSize: 74 },
  iq3_xxs: { id: 18, blockSize: 256, typeSize: 98 },
  iq1_s: { id: 19, blockSize: 256, typeSize: 50 },
  iq4_nl: { id: 20, blockSize: 32, typeSize: 18 },
  iq3_s: { id: 21, blockSize: 256, typeSize: 110 },
  iq2_s: { id: 22, blockSize: 256, typeSize: 82 },
  iq4_xs: { id: 23, blockSize: 256, typeSize: 136 },
  i8: { id: 24, blockSize: 1, typeSize: 1 },
  i16: { id: 25, blockSize: 1, typeSize: 2 },
  i32: { id: 26, blockSize: 1, typeSize: 4 },
  i64: { id: 27, blockSize: 1, typeSize: 8 },
  f64: { id: 28, blockSize: 1, typeSize: 8 },
  iq1_m: { id: 29, blockSize: 256, typeSize: 56 },
  bf16: { id: 30, blockSize: 1, typeSize: 2 },
  tq1_0: { id: 34, blockSize: 256, typeSize: 54 },
  tq2_0: { id: 35, blockSize: 256, typeSize: 66 },
  mxfp4: { id: 39, blockSize: 32, typeSize: 17 },
  nvfp4: { id: 40, blockSize: 64, typeSize: 36 },
  q1_0: { id: 41, blockSize: 128, typeSize: 18 },
  q2_0: { id: 42, blockSize: 64, typeSize: 18 },
} as const satisfies Record<string, DtypeInfo>;

/** A tensor type by its name. */
export type GgufDtype = keyof typeof dtypes;

/** Types that files of 2023 and 2024 still have: their names, and what took their place. */
export const withdrawnTypes: Readonly<Record<number, readonly [name: string, now: string]>> = {
  4: ['Q4_2', 'Q4_0'], 5: ['Q4_3', 'Q4_1'], 31: ['Q4_0_4_4', 'Q4_0'], 32: ['Q4_0_4_8', 'Q4_0'], 33: ['Q4_0_8_8', 'Q4_0'],
  36: ['IQ4_NL_4_4', 'IQ4_NL'], 37: ['IQ4_NL_4_8', 'IQ4_NL'], 38: ['IQ4_NL_8_8', 'IQ4_NL'],
};

const nameById = new Map<number, GgufDtype>(Object.entries(dtypes).map(([name, { id }]) => [id, name as GgufDtype]));

/** The dtype of a GGML type id, or undefined. */
export function dtypeOfId(id: number): GgufDtype | undefined {
  return nameById.get(id);
}

/** Bytes of `values` values (a multiple of the block size). */
export function dtypeBytes(dtype: GgufDtype, values: number): number {
  const { blockSize, typeSize } = dtypes[dtype];
  return (values / blockSize) * typeSize;
}

/** A vocabulary of 150,000 strings as one run of bytes: strings are made only when asked for. */
export class StringArray {
  constructor(
    /** All strings, one after the other, as in the file. */
    readonly bytes: Uint8Array,
    /** `length + 1` offsets into `bytes`. */
    readonly offsets: Uint32Array,
  ) {}

  /** How many there are. */
  get length(): number { return this.offsets.length - 1; }

  /** The bytes of string `i`; not necessarily valid UTF-8. */
  bytesAt(i: number): Uint8Array { return this.bytes.subarray(this.offsets[i], this.offsets[i + 1]); }

  /** String `i`; invalid UTF-8 becomes U+FFFD. */
  get(i: number): string { return decoder.decode(this.bytesAt(i)); }

  /** All of them as strings. */
  toArray(): string[] { return Array.from({ length: this.length }, (_, i) => this.get(i)); }
}

const decoder = new TextDecoder();

/** An array of numbers, of the file's own type. */
export type NumberArray =
  | Uint8Array | Int8Array | Uint16Array | Int16Array | Uint32Array | Int32Array
  | Float32Array | Float64Array | BigInt64Array | BigUint64Array;

/** A metadata value. 64-bit integers are numbers where they are exact, else bigint; bool arrays are bytes 0 and 1. */
export type GgufValue = number | bigint | boolean | string | NumberArray | StringArray;

/** Where a tensor lies, and what it is. */
export interface GgufTensor {
  /** Its name, `blk.0.attn_q.weight`. */
  readonly name: string;
  /** GGUF order: `dims[0]` is contiguous (columns), `dims[1]` counts rows. */
  readonly dims: readonly number[];
  /** Its type. */
  readonly dtype: GgufDtype;
  /** Index into {@link GgufFile.parts}. */
  readonly part: number;
  /** Absolute offset in that part, bytes. */
  readonly offset: number;
  /** Its size, bytes. */
  readonly bytes: number;
}

/** True where a tensor has this shape: dimensions of one behind it do not count, as in ggml. */
export function hasShape({ dims }: GgufTensor, expected: readonly number[]): boolean {
  return Array.from({ length: Math.max(dims.length, expected.length) }).every((_, i) => (dims[i] ?? 1) === (expected[i] ?? 1));
}

/** A GGUF file as its header declares it. */
export interface GgufFile {
  /** Of the format. */
  readonly version: 2 | 3;
  /** Of the first part; later parts carry only their split keys. */
  readonly metadata: ReadonlyMap<string, GgufValue>;
  /** Where the first part's metadata ends and its list of tensors begins, bytes from the start. */
  readonly metadataEnd: number;
  /** In file order, all parts. */
  readonly tensors: ReadonlyMap<string, GgufTensor>;
  /** What its bytes are read from. */
  readonly parts: readonly ByteSource[];
  /** Bytes of all parts, from the header's point of view (end of the last tensor of each). */
  readonly size: number;
}
