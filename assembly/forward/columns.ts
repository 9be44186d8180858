/**
 * Products whose inputs are listed: column forms (kernels/columns) in the place of matrices, for one token. The list of a kind is made when
 * the first product wants it, and stays until other inputs are ready.
 */
import { WorkspaceRecord } from '../abi/records';
import { columnsKind, listColumns } from '../kernels/columns/list';
import { columnBytes } from '../kernels/columns/form';
import { columnsProduct } from '../kernels/columns/product';
import { modelOf } from './tokens';

/** Before each list: its kind. No more kinds are wanted at once than matrices read the same inputs, three. */
const KIND: usize = 16;

/** The list of x [cols] that a layout reads. */
export function listed(work: WorkspaceRecord, layout: i32, x: usize, cols: i32): usize {
  const kind = columnsKind(layout), bytes = <usize>work.listBytes;
  let list = <usize>work.listsPtr;
  for (let i = 0; i < work.listed; i++, list += bytes) if (load<i32>(list) == kind) return list + KIND;
  store<i32>(list, kind);
  listColumns(kind, x, cols, list + KIND);
  work.listed++;
  return list + KIND;
}

/** Other inputs are ready, `kept` of them not zero. */
@inline export function relist(work: WorkspaceRecord, kept: i32): void { work.listed = 0; work.kept = kept; }

/** So few of the inputs are not zero that a column form is faster than the matrix: as measured of down, for all. */
export function fewInputs(work: WorkspaceRecord, cols: i32): bool {
  const model = modelOf(work);
  return <f64>work.kept * <f64>model.ffn < <f64>min(model.columnsBelow, model.ffn) * <f64>cols;
}

/** Notes what a product reads of a form [rows, cols]. */
export function noteColumns(work: WorkspaceRecord, layout: i32, rows: i32, cols: i32): void {
  work.weightWords += <u32>(columnBytes(layout, rows, cols) / <usize>cols * <usize>work.kept >> 2);
}

/** Outputs of groups of 8 rows `first` .. `end` - 1, in whole tiles of 64: a tile goes to whoever has its first group. */
export function multiplyColumns(
  work: WorkspaceRecord, layout: i32, form: usize, rows: i32, cols: i32, list: usize, y: usize, first: i32, end: i32, thread: i32,
): void {
  const scratch = <usize>work.unpackedPtr + <usize>thread * <usize>work.unpackedBytes;
  columnsProduct(layout, form, rows, cols, list, scratch, y, (first + 7) >> 3, (end + 7) >> 3);
}
