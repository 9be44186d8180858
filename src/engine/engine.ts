/**
 * A model in memory and the calls into it. Everything that is decided once is decided on this side; a pass runs on the other.
 *
 * A trap in the middle of a pass leaves half-written state, so it poisons the engine: every later call says so.
 */
import { StateError } from '../errors.ts';
import type { Selection } from '../adapt/selection.ts';
import type { GgufFile } from '../format/gguf/types.ts';
import type { KvName } from '../model/enums.ts';
import type { FormField } from '../model/forms.ts';
import { compactBytes, formStages, isForm } from '../model/forms.ts';
import { Activation, KvKind, Norm, Rope, Stage, Status } from '../model/enums.ts';
import { Layout } from '../model/layouts.ts';
import type { ModelPlan, Precision } from '../model/plan.ts';
import { aligned } from '../model/plan.ts';
import { RecordView, adaptFields, layerFields, modelFields, recordBytes, reportFields, sessionFields } from '../model/records.ts';
import type { SessionOptions } from '../model/session-layout.ts';
import { CHUNK, LOGIT_ROWS, layoutSession, planMemory } from '../model/session-layout.ts';
import { stagingBytes } from '../model/staging.ts';
import { AdaptState } from './adapt.ts';
import { Arena } from './arena.ts';
import { breakEven, decideTime } from './break-even.ts';
import type { Tier } from './binaries.ts';
import type { Instance, LoaderExports } from './instantiate.ts';
import { ABI_VERSION, instantiate } from './instantiate.ts';
import type { LoadProgress } from './load.ts';
import { loadWeights } from './load.ts';
import type { SequenceState } from './state.ts';
import { restoreState, saveState } from './state.ts';

export type { SequenceState } from './state.ts';

export interface EngineOptions extends SessionOptions {
  /** Most that the memory may grow to. Default: what 32 bits address. */
  readonly maxBytes?: number | undefined;
  /** Which build; 'auto' takes the fastest that is sound here. */
  readonly tier: Tier | 'auto';
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: LoadProgress) => void) | undefined;
}

/** What one token decided, natural logarithms (nats). */
export interface StepReport {
  /** The token that was fed, and its position from 0. */
  readonly token: number;
  readonly position: number;
  /** -log p(token) under the distribution before it; NaN where that was not kept (first token, inside a prompt). */
  readonly surprisal: number;
  /** Entropy of the distribution after it. */
  readonly entropy: number;
  readonly maxLogit: number;
  readonly logSumExp: number;
  /** The most likely next token; the lowest id on ties. */
  readonly topToken: number;
  /** Bytes of weights that the pass read. */
  readonly weightBytes: number;
  /** Standardised load that moved the thresholds of this step, 0 where none did, and what they were multiplied by. */
  readonly cogLoad: number;
  readonly factor: number;
  /** Share of the feed-forward weights used, each matrix a third; 1 = dense. */
  readonly cost: number;
  /** StepFlag bits. */
  readonly flags: number;
}

/** What the state of a sequence depends on: the weights, and what computed it. */
export interface Binding {
  readonly model: { readonly name: string; readonly fingerprint: string };
  readonly build: { readonly abi: number; readonly tier: Tier; readonly kv: KvName; readonly precision: Precision };
}

export class Engine {
  /** Most tokens of one pass, and of one that keeps all logits. */
  readonly chunkSize = CHUNK;
  readonly logitRows = LOGIT_ROWS;
  readonly #arena: Arena;
  #instance: Instance | undefined;
  #poison: unknown;
  readonly #adapts = new Map<number, AdaptState>();

  /** Reads the weights and prepares the records. Nothing is left behind when it throws. */
  static async open(file: GgufFile, plan: ModelPlan, options: EngineOptions): Promise<Engine> {
    planMemory(plan, options, options.maxBytes);
    const instance = await instantiate(options.tier);
    const arena = new Arena(instance.memory, instance.exports.heapBase(), options.maxBytes);
    const session = layoutSession(plan.hparams, options).bytes + recordBytes(sessionFields) + recordBytes(adaptFields) + 128;
    const { records, addresses, fingerprint } = await placeModel(file, plan, instance, arena, session, options);
    return new Engine(plan, options, instance, arena, records, addresses, fingerprint);
  }

  private constructor(readonly plan: ModelPlan, private readonly options: SessionOptions, instance: Instance, arena: Arena, private readonly modelPtr: number,
    private readonly addresses: readonly number[], /** Of the weights' bytes in the file. */ readonly fingerprint: string) {
    this.#instance = instance;
    this.#arena = arena;
  }

  get tier(): Tier { return this.#live.tier; }
  get tierReason(): string { return this.#live.tierReason; }
  get wasmBytes(): number { return this.#live.wasmBytes; }
  get memoryBytes(): number { return this.#live.memory.buffer.byteLength; }
  get contextSize(): number { return this.options.contextSize; }
  get kv(): KvName { return this.options.kv; }
  get vocab(): number { return this.plan.hparams.vocab; }

  get binding(): Binding {
    const { plan: { tensors, hparams: { name } }, fingerprint, tier, kv } = this;
    return { model: { name, fingerprint }, build: { abi: ABI_VERSION, tier, kv, precision: tensors.some(({ through }) => through !== undefined) ? 'exact' : 'fast' } };
  }

  /** Lays out a session in memory and returns its address. */
  openSession(): number {
    const { hparams } = this.plan, { memory } = this.#live;
    const { capacity, kvBytes, buffers } = layoutSession(hparams, this.options);
    const ptr = this.#arena.take(recordBytes(sessionFields)), adaptPtr = this.#arena.take(recordBytes(adaptFields));
    const pointers = Object.fromEntries(Object.entries(buffers).map(([field, bytes]) => [field, this.#arena.take(bytes)]));
    new RecordView(memory, ptr, sessionFields).assign({
      ...pointers, adaptPtr, modelPtr: this.modelPtr, position: 0, lastRow: -1, capacity, chunk: CHUNK, logitRows: LOGIT_ROWS,
      kvKind: KvKind[this.options.kv], kvBytes, quantBytes: buffers['quantPtr']!,
    });
    return ptr;
  }

  /** Room for skipping neurons in this session, taken at the first call. */
  adapt(session: number): AdaptState {
    const ptr = this.#session(session).get('adaptPtr');
    const state = this.#adapts.get(session) ?? new AdaptState(this.#arena, ptr, this.plan.hparams);
    this.#adapts.set(session, state);
    return state;
  }

  /** Forgets the statistics and the load of the sequence. */
  forget(session: number): void {
    const { exports } = this.#live;
    if (this.#adapts.has(session)) this.#call(() => exports.forget(session));
  }

  /**
   * Makes what a selection reads fast: rows and columns one by one for stages that choose per token, room for compact copies for a mask. Each
   * is made once and stays. What finds no room below `maxBytes`, and a layout without such a form, is computed whole instead, with the same result; where
   * compact copies find none, a mask's rows are ordered in place (assembly/forward/order.ts).
   * @throws ModelError `E_WONT_FIT` where not even the lists fit
   */
  makeForms(session: number, { stages, density }: Selection): void {
    const { hidden, ffn, nLayers } = this.plan.hparams, state = this.adapt(session), arena = this.#arena;
    const fields = (Object.entries(formStages) as [FormField, number][]).filter(([, needed]) => (stages & needed) !== 0).map(([field]) => field);
    let made = false;
    for (const [i, { role: { field }, layer, layout }] of this.plan.tensors.entries()) {
      if (layer === undefined || !isForm(field)) continue;
      const down = field === 'down', record = state.layer(layer), name = down ? 'downColumnsPtr' : `${field}RowsPtr` as const;
      if (!fields.includes(field) || record.get(name) !== 0) continue;
      const { exports } = this.#live, number = Layout[layout];
      const formBytes = (down ? exports.columnBytes(number, hidden, ffn) : ffn * exports.rowBytes(number, hidden)) >>> 0;
      if (formBytes === 0 || !arena.fits(formBytes)) continue;
      if (!made) exports.unorder(session);
      const ptr = arena.take(formBytes);
      if (down) exports.packColumns(number, this.addresses[i]!, hidden, ffn, ptr);
      else exports.packRows(number, this.addresses[i]!, ffn, hidden, ptr);
      state.layer(layer).set(name, ptr);
      made = true;
    }
    if (made) {
      state.record.set('dirty', 1); // a mask that was ordered in place is ordered again
      this.#setBreakEven(session, state);
    }
    const room = stages === Stage.mask ? compactBytes(this.plan, density) : 0;
    if (state.record.get('compactBytes') >= room) return;
    if (!arena.fits(room)) { this.#orderInPlace(nLayers, ffn); return; }
    const compactPtr = arena.take(room); // before the record is looked at: a memory that grows voids its view
    state.record.assign({ compactPtr, compactBytes: room });
  }

  /** Lets masks order the rows of gate and up, where a layer has both and no bias that would have to follow. */
  #orderInPlace(nLayers: number, ffn: number): void {
    const { memory } = this.#live, layers = new RecordView(memory, this.modelPtr, modelFields).get('layersPtr');
    for (let i = 0; i < nLayers; i++) {
      const at = layers + i * recordBytes(layerFields), layer = new RecordView(memory, at, layerFields);
      if (layer.get('orderPtr') !== 0 || layer.get('gatePtr') === 0 || layer.get('upBiasPtr') !== 0) continue;
      const orderPtr = this.#arena.take(2 * ffn);
      new Uint16Array(memory.buffer, orderPtr, ffn).forEach((_, k, order) => { order[k] = k; });
      new RecordView(memory, at, layerFields).set('orderPtr', orderPtr);
    }
  }

  /** `base` promises the same bits everywhere, so nothing that is timed may choose a kernel there: it reads neurons one by one whenever it can. */
  #setBreakEven(session: number, state: AdaptState): void {
    const { exports, tier } = this.#live, { nLayers, ffn } = this.plan.hparams, every = Array.from({ length: nLayers }, (_, i) => state.layer(i));
    const forms = { rows: every.every((layer) => layer.get('upRowsPtr') !== 0), columns: every.every((layer) => layer.get('downColumnsPtr') !== 0) };
    const all = { rowsBelow: ffn, columnsBelow: ffn };
    state.record.assign(tier === 'base' ? all : breakEven(exports, session, nLayers, ffn, forms));
  }

  /** Norms of the columns of every layer's down matrix, [nLayers, ffn]. */
  columnNorms(): Float32Array {
    const { ffn, hidden, nLayers } = this.plan.hparams, out = new Float32Array(nLayers * ffn);
    this.#everyDown((layer, layout, w, row, x) => {
      this.#live.exports.columnNorms(layout, w, hidden, ffn, row, x);
      out.set(this.#arena.f32(x, ffn), layer * ffn);
    });
    return out;
  }

  /** Every layer's down matrix times its row of x [nLayers, ffn], in f32: [nLayers, hidden]. */
  throughDown(x: Float32Array): Float32Array {
    const { ffn, hidden, nLayers } = this.plan.hparams, out = new Float32Array(nLayers * hidden);
    this.#everyDown((layer, layout, w, row, scratch, result) => {
      this.#arena.f32(scratch, ffn).set(x.subarray(layer * ffn, (layer + 1) * ffn));
      this.#live.exports.dequantMatvec(layout, w, hidden, ffn, row, scratch, result);
      out.set(this.#arena.f32(result, hidden), layer * hidden);
    });
    return out;
  }

  /** Calls `use` with each down matrix and three scratch vectors behind the top of the arena, two of [ffn] f32 and one of [hidden]. */
  #everyDown(use: (layer: number, layout: number, w: number, row: number, x: number, result: number) => void): void {
    const { ffn, hidden } = this.plan.hparams, row = this.#arena.top, x = row + aligned(4 * ffn), result = x + aligned(4 * ffn);
    const bytes = 2 * aligned(4 * ffn) + aligned(4 * hidden);
    this.#arena.reserve(bytes);
    for (const [i, { role, layer, layout }] of this.plan.tensors.entries()) {
      if (role.field === 'down' && layer !== undefined) use(layer, Layout[layout], this.addresses[i]!, row, x, result);
    }
    this.#arena.u8(row, bytes).fill(0); // what is taken later starts from zeros
  }

  /** Whether dense passes count for the statistics. */
  collect(session: number, on: boolean): void {
    this.#adapts.get(session)?.record.set('collect', on ? 1 : 0);
  }

  /** Runs `tokens` dense (checked by the caller) and keeps logits and reports of the last `rows`. */
  pass(session: number, tokens: Int32Array, rows: number): void {
    const { exports, memory } = this.#live;
    new Int32Array(memory.buffer, this.#session(session).get('tokensPtr'), tokens.length).set(tokens);
    this.#call(() => exports.prefill(session, tokens.length, rows));
  }

  /** Makes the selection from the statistics as they are. */
  reselect(session: number): void {
    const { exports } = this.#live;
    this.#call(() => exports.reselect(session));
  }

  /** Milliseconds that the choices of one token take, measured apart: there is no clock inside a step. */
  decideMs(session: number): number {
    const { exports } = this.#live, { nLayers, ffn } = this.plan.hparams;
    if ((this.adapt(session).record.get('stages') & ~Stage.mask) === 0) return 0; // a mask is chosen once a prompt
    return decideTime(exports, session, nLayers, ffn);
  }

  /** Decodes one token with whatever the session's selection skips. */
  step(session: number, token: number): void {
    const { exports } = this.#live;
    this.#call(() => exports.step(session, token));
  }

  #call(run: () => number | void): void {
    let status: number | void;
    try {
      status = run();
    } catch (trap) {
      this.#poison = trap;
      throw this.#poisoned();
    }
    if (status !== undefined && status !== Status.ok) {
      throw new StateError('E_ABI', { subject: 'pass', found: `status ${status}`, expected: '0', remedy: 'This is a bug in clada: the host must check what it asks for. Please report it.' });
    }
  }

  truncate(session: number, length: number): void {
    this.#session(session).assign({ position: length, lastRow: -1 });
  }

  /** A copy of the first `length` tokens of a session, with what else there is of them where `what` says so. */
  saveState(session: number, length: number, what: { logits: boolean; load: boolean; statistics: boolean }): SequenceState {
    return saveState(this.#place(session), length, what);
  }

  /** Replaces the sequence of a session (checked by the caller). */
  restoreState(session: number, length: number, state: SequenceState): void {
    if (state.statistics) this.adapt(session);
    restoreState(this.#place(session), length, state);
  }

  #place(session: number): Parameters<typeof saveState>[0] {
    return { memory: this.#live.memory, session: this.#session(session), hparams: this.plan.hparams, kv: this.kv, adapt: this.#adapts.get(session) };
  }

  /** Logits of a row, [vocab] f32: a view. */
  logits(session: number, row: number): Float32Array {
    const stride = 4 * 8 * Math.ceil(this.vocab / 8);
    return new Float32Array(this.#live.memory.buffer, this.#session(session).get('logitsPtr') + row * stride, this.vocab);
  }

  report(session: number, row: number): StepReport {
    const view = new RecordView(this.#live.memory, this.#session(session).get('reportPtr') + row * recordBytes(reportFields), reportFields);
    return Object.fromEntries((Object.keys(reportFields) as (keyof typeof reportFields)[]).map((field) => [field, view.get(field)])) as unknown as StepReport;
  }

  /** Reads all weights once and returns the bytes: the memory bandwidth that decode is held against, when the caller times it. */
  readWeights(): number {
    const bytes = 64 * Math.floor(this.plan.weightBytes / 64);
    this.#live.exports.readMemory(this.modelPtr, bytes);
    return bytes;
  }

  /** Gives the memory back. */
  close(): void {
    this.#instance = undefined;
  }

  #session(ptr: number): RecordView<typeof sessionFields> {
    return new RecordView(this.#live.memory, ptr, sessionFields);
  }

  get #live(): Instance {
    if (this.#poison !== undefined) throw this.#poisoned();
    if (this.#instance) return this.#instance;
    throw new StateError('E_CLOSED', { subject: 'model', found: 'a call after close()', expected: 'an open model', remedy: 'Load the model again.' });
  }

  #poisoned(): StateError {
    return new StateError('E_POISONED', {
      subject: 'engine', found: `a trap: ${String(this.#poison)}`, expected: 'no trap', remedy: 'Load the model again, and please report the trap.', cause: this.#poison,
    });
  }
}

/** Weights and records into a fresh arena; returns the model record's address. `sessionBytes`: what the caller will take behind them. */
export async function placeModel(
  file: GgufFile, plan: ModelPlan, { exports, memory }: Instance<LoaderExports>, arena: Arena, sessionBytes: number,
  { signal, onProgress }: Pick<EngineOptions, 'signal' | 'onProgress'>,
): Promise<{ records: number; addresses: number[]; fingerprint: string }> {
  const records = arena.take(recordBytes(modelFields)), layers = arena.take(plan.hparams.nLayers * recordBytes(layerFields));
  const frequencies = arena.take(2 * plan.hparams.ropeDim);
  // one growth for everything: weights, then staging and later the session in the same place
  arena.reserve(plan.weightBytes + 64 + Math.max(sessionBytes, stagingBytes(plan)));
  const { addresses, fingerprint } = await loadWeights(plan, file.parts, arena, exports, signal, onProgress);
  fillRecords(plan, addresses, memory, records, layers, frequencies);
  exports.prepare(records);
  return { records, addresses, fingerprint };
}

function fillRecords(plan: ModelPlan, addresses: readonly number[], memory: WebAssembly.Memory, records: number, layers: number, frequencies: number): void {
  const { family, hparams: h } = plan;
  const model = new RecordView(memory, records, modelFields);
  const { hidden, ffn, nLayers, heads, kvHeads, headDim, vocab, ropeDim, normEps, ropeBase, ropeScale, embedScale, attnScale } = h;
  model.assign({
    hidden, ffn, nLayers, heads, kvHeads, headDim, vocab, ropeDim, normEps, ropeBase, ropeScale, embedScale, attnScale,
    norm: Norm[family.norm], rope: Rope[family.rope], activation: Activation[h.activation], ropeFreqPtr: frequencies, layersPtr: layers,
  });
  for (const [i, { role, layer, layout }] of plan.tensors.entries()) {
    const record = layer === undefined ? model : new RecordView(memory, layers + layer * recordBytes(layerFields), layerFields);
    const fields: Record<string, number> = { [`${role.field}Ptr`]: addresses[i]! };
    if (role.kind === 'matrix') fields[`${role.field}Layout`] = Layout[layout];
    record.assign(fields);
  }
  if (plan.tiedHead) model.assign({ headPtr: model.get('embedPtr'), headLayout: model.get('embedLayout') });
}
