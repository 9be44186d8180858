/**
 * What loading a model will do, decided before a byte of weights is read: for every tensor its file dtype, the layout that the arena will
 * hold it in, its size there, and the record field that will point at it. Pure, and printable with {@link describePlan}.
 */
import { ModelError } from '../errors.ts';
import type { GgufFile, GgufTensor } from '../format/gguf/types.ts';
import { dtypes, hasShape } from '../format/gguf/types.ts';
import type { Family, SizeName, TensorRole } from './types.ts';
import type { Hparams, LayerHparams } from './types.ts';
import { asFiled } from './fused.ts';
import { readHparams } from './hparams.ts';
import type { DtypeName, LayoutName } from './layouts.ts';
import { heldAs, layoutBytes } from './layouts.ts';

/** A matrix a second time, to two bits and four (assembly/kernels/sketch): where its planes begin, before the coarse one a list. */
export interface Sketch { readonly coarse: number; readonly fine: number }

export interface PlannedTensor {
  readonly role: TensorRole;
  /** Undefined for tensors of the model, else the layer's index. */
  readonly layer: number | undefined;
  readonly source: GgufTensor;
  /** Byte offset of the first row in the source's part. */
  readonly offset: number;
  /** Of each matrix. */
  readonly rows: number;
  readonly cols: number;
  /** Matrices of this shape, one behind the other: one for each expert of a mixture, else 1. */
  readonly matrices: number;
  readonly dtype: DtypeName;
  readonly layout: LayoutName;
  /** The layout that the file's blocks are repacked to first, where `layout` is their expansion to f32. */
  readonly through: LayoutName | undefined;
  /** Where it has one (head.ts). */
  readonly sketch?: Sketch | undefined;
  /** Bytes of all of them in the file and in the arena, of the latter with the sketch. */
  readonly fileBytes: number;
  readonly bytes: number;
}

/** A model as it will lie in memory. */
export interface ModelPlan {
  /** @internal */
  readonly family: Family;
  /** @internal */
  readonly hparams: Hparams;
  /** @internal */
  readonly tensors: readonly PlannedTensor[];
  /** True where the head is the embedding. */
  readonly tiedHead: boolean;
  /** By how many deviations the head's rows are chosen that are read whole (head.ts); 0: all are. */
  readonly deviations: number;
  /** Bytes of all tensors in the arena, alignment included. */
  readonly weightBytes: number;
  /** Bytes that a dense decode step reads: all matrices but an embedding that is only looked up, and of experts those that are used. */
  readonly weightBytesPerToken: number;
  /** Parameters. */
  readonly params: number;
  /** Bytes of the file, or of all parts. */
  readonly fileBytes: number;
}

/** Where the arena puts things: every part on a cache line. */
export const ALIGNMENT = 64;
export const aligned = (bytes: number): number => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;

/** Of a layer; of tensors that belong to no layer, those that are the same for all. */
export function sizes(
  h: Hparams, { heads, kvHeads, ffn, experts }: Pick<LayerHparams, 'heads' | 'kvHeads' | 'ffn' | 'experts'>,
): Record<SizeName, number> {
  return {
    hidden: h.hidden, ffn, vocab: h.vocab, qWidth: heads * h.headDim, kvWidth: kvHeads * h.headDim, headDim: h.headDim, heads, kvHeads,
    context: h.contextLength, ropePairs: h.rope.dim / 2, convIn: 3 * h.hidden, convTaps: h.convTaps, one: 1,
    experts: experts?.count ?? 0, sharedFfn: experts?.sharedFfn ?? 0,
  };
}

function isSupported(dtype: string): dtype is DtypeName {
  return dtype in heldAs;
}

function planTensor(
  role: TensorRole, layer: number | undefined, source: GgufTensor, size: Record<SizeName, number>, fusedRows: number, precision: Precision,
): PlannedTensor {
  const rows = size[role.rows], cols = size[role.cols];
  const before = (role.after ?? []).reduce((sum, name) => sum + size[name], 0);
  const isVector = role.kind === 'vector', matrices = role.count ? size[role.count] : 1;
  // a fused vector is cut along its only dimension, a fused matrix along its rows
  const expected = isVector && role.rows === 'one' ? [role.after ? fusedRows : cols] : [cols, role.after ? fusedRows : rows, matrices];
  if (!hasShape(source, expected)) {
    throw new ModelError('E_TENSOR_SHAPE', {
      subject: `tensor ${source.name}`, found: `[${source.dims.join(', ')}]`,
      expected: `[${(matrices > 1 ? expected : expected.slice(0, 2)).join(', ')}] (contiguous dimension first)`,
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
    role, layer, source, rows, cols, matrices, dtype, layout, through: expanded ? heldAs[dtype] : undefined,
    offset: source.offset + before * (isVector ? valueBytes : cols * valueBytes),
    fileBytes: matrices * rows * cols * valueBytes, bytes: matrices * layoutBytes(layout, rows, cols),
  };
}

/**
 * 'fast': weights as the file has them, activations rounded to 8 bits where weights are quantised (as llama.cpp does). 'exact': quantised
 * weights are expanded to f32 and nothing else is rounded, the reference that quality is measured against; several times the memory.
 */
export type Precision = 'fast' | 'exact';

/** @throws ModelError `E_KIND`, `E_FAMILY`, `E_HPARAM`, `E_TENSOR_MISSING`, `E_TENSOR_UNKNOWN`, `E_TENSOR_SHAPE`, `E_DTYPE`. */
export function planModel(file: GgufFile, precision: Precision = 'fast'): ModelPlan {
  const { family, hparams } = readHparams(file);
  const tensors: PlannedTensor[] = [];
  const used = new Set<string>();
  const plan = (roles: readonly TensorRole[], layer: number | undefined, size: Record<SizeName, number>): void => {
    for (const role of roles) {
      const name = role.name.replace('{}', String(layer));
      const source = file.tensors.get(name);
      if (!source) {
        if (role.optional) continue;
        throw new ModelError('E_TENSOR_MISSING', {
          subject: `tensor ${name}`, found: 'nothing', expected: `the ${role.field} of a ${hparams.architecture} model`,
          remedy: 'The file lists no such tensor: its converter left it out, or it is of another variant of the family; '
            + 'of a split model pass all parts.',
        });
      }
      const fusedRows = roles.filter((r) => r.name === role.name).reduce((sum, r) => sum + size[r.kind === 'vector' ? r.cols : r.rows], 0);
      tensors.push(planTensor(role, layer, source, size, fusedRows, precision));
      used.add(name);
    }
  };
  plan(family.model, undefined, sizes(hparams, hparams));
  hparams.layers.forEach((row, layer) => {
    plan(asFiled(row.tensors, layer, (name) => file.tensors.has(name)), layer, sizes(hparams, row));
  });
  refuseUnused(file, used, hparams.architecture);

  const tiedHead = !tensors.some(({ role }) => role.field === 'head');
  const matrices = tensors.filter(({ role }) => role.kind === 'matrix');
  return {
    family, hparams, tensors, tiedHead, deviations: 0,
    weightBytes: tensors.reduce((sum, { bytes }) => sum + aligned(bytes), 0),
    weightBytesPerToken: matrices.reduce(
      (sum, tensor) => sum + (tensor.role.field === 'embed' && !tiedHead ? 0 : usedBytes(tensor, hparams)), 0,
    ),
    params: tensors.reduce((sum, { rows, cols, matrices: n }) => sum + n * rows * cols, 0),
    fileBytes: file.size,
  };
}

/** Of a tensor's bytes those that a token's pass reads. */
const usedBytes = ({ role, bytes, matrices }: PlannedTensor, { experts }: Hparams): number =>
  (role.count && experts ? (bytes / matrices) * experts.used : bytes);

/** Every tensor has a place, as in llama.cpp: one that nobody multiplies with would change what the model says without a word. */
function refuseUnused(file: GgufFile, used: ReadonlySet<string>, architecture: string): void {
  const unused = [...file.tensors.keys()].filter((name) => !used.has(name));
  if (unused.length === 0) return;
  throw new ModelError('E_TENSOR_UNKNOWN', {
    subject: `${unused.length} of ${file.tensors.size} tensors`,
    found: `${unused.slice(0, 8).join(', ')}${unused.length > 8 ? ', …' : ''}`,
    expected: `only what family ${architecture} has a place for`,
    remedy: 'Without them this engine would compute something else than the model means. Use another model, or one converted without them.',
  });
}

/** Lines for people: one for each kind of conversion, then totals. */
export function describePlan(plan: ModelPlan): string[] {
  const kinds = new Map<string, { count: number; fileBytes: number; bytes: number }>();
  for (const { dtype, layout, sketch, fileBytes, bytes } of plan.tensors) {
    const key = `${dtype} → ${layout === 'vector' ? 'f32 vector' : `${layout}, 8 rows interleaved`}${sketch ? ' + sketch' : ''}`;
    const kind = kinds.get(key) ?? { count: 0, fileBytes: 0, bytes: 0 };
    kinds.set(key, { count: kind.count + 1, fileBytes: kind.fileBytes + fileBytes, bytes: kind.bytes + bytes });
  }
  const mb = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;
  const lines = [...kinds].map(([key, { count, fileBytes, bytes }]) => {
    const why = key.endsWith('sketch') ? 'a second time, to four bits' : 'held exactly in a wider layout';
    const growth = bytes > 1.05 * fileBytes ? ` (+${Math.round((100 * bytes) / fileBytes - 100)} %: ${why})` : '';
    return `${String(count).padStart(5)} x ${key.padEnd(34)} ${mb(fileBytes).padStart(10)} → ${mb(bytes)}${growth}`;
  });
  const { experts } = plan.hparams, some = experts ? ` (${experts.used} of ${experts.count} experts)` : '';
  const head = plan.tiedHead ? ', head = embedding' : '';
  lines.push(`weights ${mb(plan.weightBytes)}, read by each token ${mb(plan.weightBytesPerToken)}${some}${head}; all conversions lossless`);
  return lines;
}
