/**
 * What loading a model will do, decided before a byte of weights is read: for every tensor its file dtype, the layout that the arena will hold
 * it in, its size there, and the record field that will point at it. Pure, and printable with {@link describePlan}.
 */
import { ModelError } from '../errors.ts';
import type { GgufFile, GgufTensor } from '../format/gguf/types.ts';
import { dtypes } from '../format/gguf/types.ts';
import type { Family, SizeName, TensorRole } from './family.ts';
import type { Hparams } from './hparams.ts';
import { readHparams } from './hparams.ts';
import type { DtypeName, LayoutName } from './layouts.ts';
import { heldAs, layoutBytes } from './layouts.ts';

export interface PlannedTensor {
  readonly role: TensorRole;
  /** Undefined for tensors of the model, else the layer's index. */
  readonly layer: number | undefined;
  readonly source: GgufTensor;
  /** Byte offset of the first row in the source's part. */
  readonly offset: number;
  readonly rows: number;
  readonly cols: number;
  readonly dtype: DtypeName;
  readonly layout: LayoutName;
  /** The layout that the file's blocks are repacked to first, where `layout` is their expansion to f32. */
  readonly through: LayoutName | undefined;
  /** Bytes in the file and in the arena. */
  readonly fileBytes: number;
  readonly bytes: number;
}

export interface ModelPlan {
  readonly family: Family;
  readonly hparams: Hparams;
  readonly tensors: readonly PlannedTensor[];
  /** True where the head is the embedding. */
  readonly tiedHead: boolean;
  /** Bytes of all tensors in the arena, alignment included. */
  readonly weightBytes: number;
  /** Bytes that a dense decode step reads: all matrices but an embedding that is only looked up. */
  readonly weightBytesPerToken: number;
  readonly params: number;
  readonly fileBytes: number;
  /** Tensors of the file that this family does not use. */
  readonly unused: readonly string[];
}

/** Where the arena puts things: every part on a cache line. */
export const ALIGNMENT = 64;
export const aligned = (bytes: number): number => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;

function sizes(h: Hparams): Record<SizeName, number> {
  return {
    hidden: h.hidden, ffn: h.ffn, vocab: h.vocab, qWidth: h.heads * h.headDim, kvWidth: h.kvHeads * h.headDim, context: h.contextLength,
    ropePairs: h.ropeDim / 2, one: 1,
  };
}

function isSupported(dtype: string): dtype is DtypeName {
  return dtype in heldAs;
}

function planTensor(role: TensorRole, layer: number | undefined, source: GgufTensor, size: Record<SizeName, number>, fusedRows: number, precision: Precision): PlannedTensor {
  const rows = size[role.rows], cols = size[role.cols];
  const before = (role.after ?? []).reduce((sum, name) => sum + size[name], 0);
  const isVector = role.kind === 'vector';
  // a fused vector is cut along its only dimension, a fused matrix along its rows
  const expected = isVector && role.rows === 'one' ? [role.after ? fusedRows : cols] : [cols, role.after ? fusedRows : rows];
  if (source.dims.length !== expected.length || source.dims.some((dim, i) => dim !== expected[i])) {
    throw new ModelError('E_TENSOR_SHAPE', {
      subject: `tensor ${source.name}`, found: `[${source.dims.join(', ')}]`, expected: `[${expected.join(', ')}] (contiguous dimension first)`,
      remedy: 'The tensor does not fit the metadata; convert the model again.',
    });
  }
  const { dtype } = source;
  if (!isSupported(dtype) || (isVector && dtypes[dtype].blockSize > 1)) {
    throw new ModelError('E_DTYPE', {
      subject: `tensor ${source.name}`, found: dtype, expected: isVector ? 'f32, f16 or bf16' : `one of ${Object.keys(heldAs).join(', ')}`,
      remedy: 'Convert the model to one of these (llama.cpp: llama-quantize); Q4_K_M, Q4_0 and Q8_0 are the usual choices.',
    });
  }
  const { blockSize, typeSize } = dtypes[dtype];
  const valueBytes = typeSize / blockSize; // exact: rows are whole blocks (checked by the reader)
  const expanded = precision === 'exact' && blockSize > 1;
  const layout = isVector ? 'vector' : expanded ? 'f32' : heldAs[dtype];
  return {
    role, layer, source, rows, cols, dtype, layout, through: expanded ? heldAs[dtype] : undefined,
    offset: source.offset + before * (isVector ? valueBytes : cols * valueBytes),
    fileBytes: rows * cols * valueBytes, bytes: layoutBytes(layout, rows, cols),
  };
}

/**
 * 'fast': weights as the file has them, activations rounded to 8 bits where weights are quantised (as llama.cpp does). 'exact': quantised
 * weights are expanded to f32 and nothing else is rounded, the reference that quality is measured against; several times the memory.
 */
export type Precision = 'fast' | 'exact';

/** @throws ModelError `E_FAMILY`, `E_HPARAM`, `E_TENSOR_MISSING`, `E_TENSOR_SHAPE`, `E_DTYPE`. */
export function planModel(file: GgufFile, precision: Precision = 'fast'): ModelPlan {
  const { family, hparams } = readHparams(file);
  const size = sizes(hparams);
  const tensors: PlannedTensor[] = [];
  const used = new Set<string>();
  const plan = (roles: readonly TensorRole[], layer: number | undefined): void => {
    for (const role of roles) {
      const name = role.name.replace('{}', String(layer));
      const source = file.tensors.get(name);
      if (!source) {
        if (role.optional) continue;
        throw new ModelError('E_TENSOR_MISSING', {
          subject: `tensor ${name}`, found: 'nothing', expected: `the ${role.field} of a ${hparams.architecture} model`,
          remedy: 'The file is incomplete; download it again, or pass all parts of a split model.',
        });
      }
      const fusedRows = roles.filter((r) => r.name === role.name).reduce((sum, r) => sum + size[r.kind === 'vector' ? r.cols : r.rows], 0);
      tensors.push(planTensor(role, layer, source, size, fusedRows, precision));
      used.add(name);
    }
  };
  plan(family.model, undefined);
  for (let layer = 0; layer < hparams.nLayers; layer++) plan(family.layer, layer);

  const tiedHead = !tensors.some(({ role }) => role.field === 'head');
  const matrices = tensors.filter(({ role }) => role.kind === 'matrix');
  return {
    family, hparams, tensors, tiedHead,
    weightBytes: tensors.reduce((sum, { bytes }) => sum + aligned(bytes), 0),
    weightBytesPerToken: matrices.reduce((sum, { role, bytes }) => sum + (role.field === 'embed' && !tiedHead ? 0 : bytes), 0),
    params: tensors.reduce((sum, { rows, cols }) => sum + rows * cols, 0),
    fileBytes: file.size,
    unused: [...file.tensors.keys()].filter((name) => !used.has(name)),
  };
}

/** Lines for people: one for each kind of conversion, then totals. */
export function describePlan(plan: ModelPlan): string[] {
  const kinds = new Map<string, { count: number; fileBytes: number; bytes: number }>();
  for (const { dtype, layout, fileBytes, bytes } of plan.tensors) {
    const key = `${dtype} → ${layout === 'vector' ? 'f32 vector' : `${layout}, 8 rows interleaved`}`;
    const kind = kinds.get(key) ?? { count: 0, fileBytes: 0, bytes: 0 };
    kinds.set(key, { count: kind.count + 1, fileBytes: kind.fileBytes + fileBytes, bytes: kind.bytes + bytes });
  }
  const mb = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;
  const lines = [...kinds].map(([key, { count, fileBytes, bytes }]) => {
    const growth = bytes > 1.01 * fileBytes ? ` (+${Math.round((100 * bytes) / fileBytes - 100)} %: held exactly in a wider layout)` : '';
    return `${String(count).padStart(5)} x ${key.padEnd(34)} ${mb(fileBytes).padStart(10)} → ${mb(bytes)}${growth}`;
  });
  lines.push(`weights ${mb(plan.weightBytes)}, read by each token ${mb(plan.weightBytesPerToken)}${plan.tiedHead ? ', head = embedding' : ''}; all conversions lossless`);
  if (plan.unused.length > 0) lines.push(`not used by family ${plan.hparams.architecture}: ${plan.unused.slice(0, 8).join(', ')}${plan.unused.length > 8 ? ', …' : ''}`);
  return lines;
}
