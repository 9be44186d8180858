/**
 * Turning queries and keys: the angles of the positions of a pass, a table for each RopeRecord, and the heads of a layer turned by the one
 * it points at.
 */
import { LayerRecord, ModelRecord, RopeRecord } from '../abi/records';
import { rope, ropeFrequencies, ropeTable } from '../kernels/rope/rope';
import { headsStride } from './norms';

@inline export function ropeOf(model: ModelRecord, i: i32): RopeRecord {
  return changetype<RopeRecord>(<usize>model.ropesPtr + <usize>i * offsetof<RopeRecord>());
}

/** Where row 0 of a record's table lies among those of a pass of up to `rows` tokens. */
@inline export function tableOf(record: RopeRecord, angles: usize, rows: i32): usize {
  return angles + <usize>record.before * (<usize>rows << 2);
}

/** Frequencies of all records, once. */
export function fillFrequencies(model: ModelRecord): void {
  for (let i = 0; i < model.nRopes; i++) {
    const record = ropeOf(model, i);
    ropeFrequencies(record.freqPtr, record.dim, record.base, record.scale, record.factorsPtr);
  }
}

/** Row `t` of every table: the angles of `position`. */
export function fillAngles(model: ModelRecord, angles: usize, rows: i32, t: i32, position: i32): void {
  for (let i = 0; i < model.nRopes; i++) {
    const record = ropeOf(model, i), bytes = <usize>record.dim << 2, row = tableOf(record, angles, rows) + <usize>t * bytes;
    ropeTable(row, record.freqPtr, record.dim, position);
    for (let at: usize = 0; at < bytes; at += 4) store<f32>(row + at, load<f32>(row + at) * record.magnitude);
  }
}

/** Row `t` of every table of `back`: the same angles with their sines negated, which turns the other way. */
export function turnBack(model: ModelRecord, angles: usize, back: usize, rows: i32, t: i32): void {
  for (let i = 0; i < model.nRopes; i++) {
    const record = ropeOf(model, i), bytes = <usize>record.dim << 2, from = tableOf(record, angles, rows) + <usize>t * bytes;
    const to = tableOf(record, back, rows) + <usize>t * bytes;
    for (let at: usize = 0; at < bytes; at += 4) {
      const value = load<f32>(from + at);
      store<f32>(to + at, at < bytes >> 1 ? value : -value);
    }
  }
}

/** Turns the heads of all rows of x in place, row t by the angles of row t. */
export function rotate(model: ModelRecord, layer: LayerRecord, x: usize, heads: i32, nTokens: i32, angles: usize, rows: i32): void {
  if (!layer.ropePtr) return;
  const record = changetype<RopeRecord>(<usize>layer.ropePtr), stride = headsStride(model, heads);
  let table = tableOf(record, angles, rows);
  for (let t = 0; t < nTokens; t++, x += stride, table += <usize>record.dim << 2) {
    rope(record.kind, x, heads, model.headDim, record.dim, table);
  }
}
