/**
 * Weights from the file into the arena. The file is read front to back, piece by piece, into two staging areas inside the engine's memory
 * (behind the weights, where workspace and sequences will be), and repacked from there: no second copy of the model ever exists.
 */
import type { ByteSource } from '../bytes/source.ts';
import { FormatError, ModelError, StateError, throwIfAborted } from '../errors.ts';
import { dtypes } from '../format/gguf/types.ts';
import { Status } from '../model/enums.ts';
import { sketchList } from '../model/head.ts';
import { Layout, layoutBytes } from '../model/layouts.ts';
import type { ModelPlan, PlannedTensor, Sketch } from '../model/plan.ts';
import { aligned } from '../model/plan.ts';
import { largestPiece, piecesOf, stagingBytes, stagingOf } from '../model/staging.ts';
import type { Arena } from './arena.ts';
import type { LoaderExports } from './instantiate.ts';

export interface LoadProgress {
  readonly phase: 'weights';
  /** Bytes of the file done, and in all. */
  readonly loaded: number;
  readonly total: number;
}

/** Milliseconds that placing the weights took: waiting for bytes, which are read while others are repacked, and repacking them. */
export interface PlacingTimes { readonly readMs: number; readonly repackMs: number }

/**
 * Places all tensors; returns their addresses in the order of `plan.tensors`, and a fingerprint of the bytes read, 32 hexadecimal digits.
 * @throws FormatError `E_SOURCE_READ`, `E_GGUF_TRUNCATED`; ModelError `E_NAN_WEIGHTS`; AbortedError.
 */
export async function loadWeights(
  plan: ModelPlan, parts: readonly ByteSource[], arena: Arena, exports: LoaderExports, signal?: AbortSignal,
  onProgress?: (progress: LoadProgress) => void,
): Promise<{ addresses: number[]; fingerprint: string; times: PlacingTimes }> {
  const addresses = plan.tensors.map(({ bytes }) => arena.take(bytes)), state = arena.take(16);
  const staging = arena.top; // not taken: workspace and sequences will lie here
  arena.reserve(aligned(stagingBytes(plan)));
  const total = plan.tensors.reduce((sum, { fileBytes }) => sum + fileBytes, 0);
  const order = plan.tensors.map((_, i) => i).sort((a, b) => {
    const [s, t] = [plan.tensors[a]!, plan.tensors[b]!];
    return s.source.part - t.source.part || s.offset - t.offset;
  });
  const pieces = order.flatMap((i) => [...piecesOf(plan.tensors[i]!)].map((piece) => ({ i, ...piece })));
  const area = largestPiece(plan), middle = staging + 2 * area;
  const read = async (n: number): Promise<void> => {
    throwIfAborted(signal, 'load');
    const { i, matrix, row, rows } = pieces[n]!, tensor = plan.tensors[i]!, rowBytes = rowBytesOf(tensor);
    const offset = tensor.offset + (matrix * tensor.rows + row) * rowBytes;
    await readExactly(parts[tensor.source.part]!, tensor, offset, arena.u8(staging + (n % 2) * area, rows * rowBytes), signal);
  };
  let loaded = 0, readMs = 0, repackMs = 0, ahead = read(0);
  for (const [n, { i, matrix, row, rows }] of pieces.entries()) {
    const asked = performance.now();
    await ahead;
    const here = performance.now();
    readMs += here - asked;
    if (n + 1 < pieces.length) {
      ahead = read(n + 1); // the system reads while this piece is repacked
      ahead.catch(() => undefined); // if that fails, this read is nobody's
    }
    const tensor = plan.tensors[i]!, { through, sketch } = tensor, matrixBytes = bytesOf(tensor);
    const groupBytes = tensor.layout === 'vector' ? (8 * matrixBytes) / tensor.rows : matrixBytes / Math.ceil(tensor.rows / 8);
    const from = staging + (n % 2) * area, bytes = rows * rowBytesOf(tensor);
    exports.fingerprint(from, bytes, state);
    const target = addresses[i]! + matrix * matrixBytes + (row / 8) * groupBytes;
    const status = exports.repack(
      dtypes[tensor.dtype].id, Layout[through ?? tensor.layout], from, through ? middle : target, rows, tensor.cols,
    );
    if (status !== Status.ok) refuse(tensor, status);
    if (through) exports.expand(Layout[through], middle, rows, tensor.cols, middle + stagingOf(tensor).repacked, target);
    if (sketch) draw(exports, tensor, sketch, target, row, rows, middle + stagingOf(tensor).repacked, addresses[i]!);
    repackMs += performance.now() - here;
    loaded += bytes;
    onProgress?.({ phase: 'weights', loaded, total });
  }
  arena.u8(staging, stagingBytes(plan)).fill(0); // they start from zeros
  const fingerprint = [...arena.u8(state, 16)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  return { addresses, fingerprint, times: { readMs, repackMs } };
}

/**
 * What the sketch of the tensor at `at` holds of `rows` rows from `row` on, in place at `from`; the first ones say which columns are wide.
 * @throws ModelError `E_NAN_WEIGHTS`
 */
function draw(
  exports: LoaderExports, tensor: PlannedTensor, { coarse, fine }: Sketch, from: number, row: number, rows: number, scratch: number,
  at: number,
): void {
  const layout = Layout[tensor.layout], { cols } = tensor, list = at + coarse;
  if (row === 0) exports.listWide!(layout, from, rows, cols, scratch, list);
  if (exports.sketch!(layout, from, row / 8, Math.ceil(rows / 8), cols, list, scratch, list + sketchList, at + fine) === 1) return;
  throw new ModelError('E_NAN_WEIGHTS', {
    subject: `tensor ${tensor.source.name}`, found: 'rows that have no finite norm', expected: 'finite weights',
    remedy: "The file is damaged or the conversion overflowed; fetch or convert the model again, or load it with head: 'whole'.",
  });
}

/** Bytes of one of its matrices in the arena. */
const bytesOf = ({ layout, rows, cols, bytes, matrices, sketch }: PlannedTensor): number =>
  (sketch ? layoutBytes(layout, rows, cols) : bytes / matrices);

/** Bytes of a row in the file. */
const rowBytesOf = ({ fileBytes, matrices, rows }: PlannedTensor): number => fileBytes / (matrices * rows);

async function readExactly(
  source: ByteSource, tensor: PlannedTensor, offset: number, target: Uint8Array, signal: AbortSignal | undefined,
): Promise<void> {
  const read = await source.read(offset, target, signal);
  if (read === target.length) return;
  throw new FormatError('E_GGUF_TRUNCATED', {
    subject: `${source.name}, tensor ${tensor.source.name}`, found: `the end of the data at byte ${offset + read}`,
    expected: `${target.length - read} bytes more`,
    remedy: 'The file is cut short; fetch it again.',
  });
}

function refuse(tensor: PlannedTensor, status: number): never {
  if (status === Status.nonFinite) {
    throw new ModelError('E_NAN_WEIGHTS', {
      subject: `tensor ${tensor.source.name}`, found: 'NaN or infinite weights', expected: 'finite ones',
      remedy: 'The file is damaged or the conversion overflowed; fetch or convert the model again.',
    });
  }
  throw new StateError('E_ABI', {
    subject: `repack of ${tensor.dtype} to ${tensor.layout}`, found: `status ${status}`, expected: '0',
    remedy: 'This is a bug in clada; please report the model.',
  });
}
