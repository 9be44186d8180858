/**
 * A model in memory and the calls into it. Everything that is decided once is decided on this side; a pass runs on the other. Three owners:
 * the model (weights, forms, constants), one workspace that computes, and sequences, which come and go.
 *
 * A trap in the middle of a pass leaves half-written state, so it poisons the engine: every later call says so.
 */
import type { ModelError } from '../errors.ts';
import type { Selection } from '../adapt/selection.ts';
import type { GgufFile } from '../format/gguf/types.ts';
import type { KvName } from '../model/enums.ts';
import { Stage, Status } from '../model/enums.ts';
import { compactBytes, layoutSkipping } from '../model/forms.ts';
import type { SequenceOptions } from '../model/memory.ts';
import { CHUNK, LOGIT_ROWS, layoutSequence, layoutWorkspace, planMemory } from '../model/memory.ts';
import { wholePlan } from '../model/head.ts';
import type { ModelPlan } from '../model/plan.ts';
import { RecordView, recordBytes, reportFields, sequenceFields, workspaceFields } from '../model/records.ts';
import { AdaptState } from './adapt.ts';
import type { Arena } from './arena.ts';
import { breakEven, decideTime } from './break-even.ts';
import type { Tier } from './binaries.ts';
import type { Instance } from './instantiate.ts';
import type { PlacingTimes } from './weights.ts';
import { ModelForms } from './model-forms.ts';
import { fillTable, tokenWords, type PassPart } from './pass.ts';
import { placeModel } from './place.ts';
import { readReport, type StepReport } from './report.ts';
import { bindingOf, restoreState, saveState, type Binding, type SequenceState } from './state.ts';
import { forgotten, startEngine, type EngineOptions, type Started } from './start.ts';
import { hasRoom, openIn, type Open } from './opened.ts';
import { checkStatus, notFinite, poisoned } from './status.ts';
import { Streams } from './streams.ts';

export type { PassPart } from './pass.ts';
export type { StepReport } from './report.ts';
export type { EngineOptions } from './start.ts';
export type { Binding, SequenceState } from './state.ts';

export class Engine {
  /** Most tokens of one pass, and of those that leave logits. */
  readonly chunkSize = CHUNK;
  readonly logitRows = LOGIT_ROWS;
  readonly forms: ModelForms;
  readonly team: Started['team'];
  /** Address of the WorkspaceRecord. */
  readonly workspace: number;
  readonly #arena: Arena;
  readonly #open = new Map<number, Open>();
  readonly #streams = new Streams();
  #instance: Instance | undefined;
  #poison: unknown;
  /** Address of the neurons of the last step, once a sequence has skipped any. */
  #used = 0;
  /** Masks order the model's rows in place, so it has one sequence. */
  #ordered = false;

  /** Reads the weights and prepares the records. Nothing is left behind when it throws. */
  static async open(file: GgufFile, plan: ModelPlan, options: EngineOptions): Promise<Engine> {
    planMemory(plan, options, options.maxBytes);
    const asked = performance.now(), started = await startEngine(options), { instance, arena } = started;
    const compileMs = performance.now() - asked;
    if (instance.tier === 'base') plan = wholePlan(plan); // four bits are no faster than eight there
    const later = layoutWorkspace(plan, options.threads).bytes + layoutSequence(plan.hparams, options).bytes;
    try {
      const { records, addresses, fingerprint, times } = await placeModel(file, plan, instance, arena, later, options.contextSize, options);
      return new Engine(plan, options, started, records, addresses, fingerprint, await started.threadsReason, { compileMs, ...times });
    } catch (error) {
      started.team?.end();
      throw error;
    }
  }

  private constructor(
    readonly plan: ModelPlan, private readonly options: SequenceOptions, { instance, arena, team }: Started, modelPtr: number,
    addresses: readonly number[], /** Of the weights' bytes in the file. */ readonly fingerprint: string, readonly threadsReason: string,
    /** How long opening took. */ readonly times: PlacingTimes & { readonly compileMs: number },
  ) {
    if ((this.team = team)) forgotten.register(this, team);
    this.#instance = instance;
    this.#arena = arena;
    this.forms = new ModelForms(() => this.#live, arena, plan, modelPtr, addresses);
    const { buffers, strides } = layoutWorkspace(plan, options.threads);
    this.workspace = arena.take(recordBytes(workspaceFields));
    const pointers = arena.takeAll(buffers), chunks = { chunk: CHUNK, logitRows: LOGIT_ROWS };
    this.#record.assign({ ...pointers, ...strides, ...chunks, modelPtr, teamPtr: team?.ptr ?? 0 });
    team?.serve(this.workspace);
  }

  get tier(): Tier { return this.#live.tier; }
  get tierReason(): string { return this.#live.tierReason; }
  get threads(): number { return this.team?.threads ?? 1; }
  get wasmBytes(): number { return this.#live.wasmBytes; }
  get memoryBytes(): number { return this.#live.memory.buffer.byteLength; }
  get contextSize(): number { return this.options.contextSize; }
  get kv(): KvName { return this.options.kv; }
  get vocab(): number { return this.plan.hparams.vocab; }
  get arena(): Arena { return this.#arena; }
  get binding(): Binding { return bindingOf(this); }

  /** Whether another sequence finds room and leaves what all of them need to skip neurons: what works alone works beside others. */
  get hasRoom(): boolean {
    return !this.#ordered && hasRoom(this.#arena, this.plan, this.options, this.#open.values(), this.#used !== 0);
  }

  /** Lays out a sequence in memory and returns its address. @throws ModelError `E_WONT_FIT` */
  openSequence(): number {
    const { ptr, open } = openIn(this.#arena, this.plan.hparams, this.options);
    this.#open.set(ptr, open);
    return ptr;
  }

  /** Gives back what a sequence held. */
  closeSequence(sequence: number): void {
    const { blocks, adapt } = this.#open.get(sequence)!;
    adapt?.close();
    for (const block of blocks) this.#arena.give(block);
    this.#open.delete(sequence);
  }

  /** Room for skipping neurons in a sequence, taken at the first call. */
  adapt(sequence: number): AdaptState {
    const open = this.#open.get(sequence)!;
    if (this.#used === 0) {
      const { buffers, listBytes } = layoutSkipping(this.plan.hparams), { usedPtr, ...pointers } = this.#arena.takeAll(buffers);
      this.#used = usedPtr;
      this.#record.assign({ ...pointers, listBytes });
    }
    return open.adapt ??= new AdaptState(this.#arena, this.#sequence(sequence).get('adaptPtr'), this.plan.hparams, this.forms);
  }

  /** Forgets the statistics and the load of a sequence. */
  forget(sequence: number): void {
    const { exports } = this.#live;
    if (this.#open.get(sequence)!.adapt) this.#call(() => exports.forget(this.workspace, sequence));
  }

  /**
   * Makes what a selection reads fast: the model's forms, and for a mask room for its copies. Where those find none, an only sequence's
   * mask orders the model's rows in place, and stays the only one; beside others it is computed whole.
   * @throws ModelError `E_WONT_FIT` where not even the lists fit
   */
  makeForms(sequence: number, selection: Selection): void {
    const state = this.adapt(sequence), { exports } = this.#live;
    if (this.forms.make(selection, () => { exports.unorder(this.workspace); })) {
      for (const { adapt } of this.#open.values()) adapt?.record.set('dirty', 1); // a mask that was ordered in place is ordered again
      this.#setBreakEven(sequence);
    }
    if (selection.stages !== Stage.mask || state.makeRoom(compactBytes(this.plan, selection.density)) || this.#open.size > 1) return;
    this.#ordered = true;
    this.forms.orderInPlace();
  }

  /** `base` promises the same bits everywhere, so nothing timed may choose a kernel: it reads neurons one by one whenever it can. */
  #setBreakEven(sequence: number): void {
    const { exports, tier } = this.#live, { nLayers, ffn } = this.plan.hparams;
    if (tier !== 'base') this.forms.model.assign(breakEven(this.#trial(exports, sequence), nLayers, ffn, this.forms.complete));
  }

  #trial = ({ trial }: Instance['exports'], sequence: number) => (layer: number, part: number, count: number): void => {
    trial(this.workspace, sequence, layer, part, count);
  };

  /**
   * Runs tokens of several sequences, dense or under their masks, `chunkSize` with `logitRows` rows at most. Logits and reports of several
   * rows are kept in their order until the next pass; each sequence keeps those of its last. Returned are the errors of parts that have
   * left the numbers: those sequences stand where they did, the others have moved on. @throws StateError; then none has
   */
  pass(parts: readonly PassPart[]): (ModelError | undefined)[] {
    const { exports } = this.#live, table = this.#arena.i32(this.#record.get('tokensPtr'), tokenWords * CHUNK);
    const nTokens = fillTable(table, parts, ({ sequence, tokens, counts, masked, margin = Infinity }) => {
      const position = this.#sequence(sequence).get('position'), { rows, adapt } = this.#open.get(sequence)!;
      rows?.wrote(position + tokens.length);
      adapt?.record.assign({ collect: counts ? 1 : 0, masked: masked ? 1 : 0 });
      this.#sequence(sequence).set('margin', margin);
      return position;
    });
    const status = this.#streams.run(this.#record, () => this.#run(() => exports.prefill(this.workspace, nTokens), nTokens), nTokens);
    if (status !== Status.notFinite) checkStatus(status);
    return parts.map(({ sequence }) => (status !== Status.ok && this.#sequence(sequence).get('lost') !== 0 ? notFinite() : undefined));
  }

  /** Decodes one token with whatever the sequence's selection skips; `watch`: notes which neurons that leaves ({@link used}). */
  step(sequence: number, token: number, watch = false, margin = Infinity): void {
    const { exports } = this.#live;
    this.#record.set('usedPtr', watch ? this.#used : 0);
    this.#sequence(sequence).set('margin', margin);
    this.#open.get(sequence)!.rows?.wrote(this.#sequence(sequence).get('position') + 1);
    this.#streams.run(this.#record, () => { this.#call(() => exports.step(this.workspace, sequence, token), 1); });
  }

  /** From here up a sequence's logits are exact, and none is missing; -Infinity: all are. */
  floor(sequence: number): number { return this.#sequence(sequence).get('floor'); }

  /** Makes logits exact from `floor` up, and those of `ids`, no more than the vocabulary; -Infinity: all. The report is made anew. */
  refine(sequence: number, floor = -Infinity, ids: readonly number[] = []): void {
    if (this.floor(sequence) === -Infinity) return;
    const { exports } = this.#live, room = this.#record.get('logitsPtr'); // nobody's now
    this.#arena.i32(room, ids.length).set(ids);
    this.#call(() => { exports.refine(this.workspace, sequence, floor, room, ids.length); }, 1);
  }

  /** Neurons whose down column the last step used, as bits, [nLayers, ceil(ffn / 8)]; a copy. Noted where the step was watched. */
  used(): Uint8Array<ArrayBuffer> {
    return this.#arena.u8(this.#used, this.plan.hparams.nLayers * Math.ceil(this.plan.hparams.ffn / 8)).slice();
  }

  /** Makes the selection of a sequence from its statistics as they are. */
  reselect(sequence: number): void {
    const { exports } = this.#live;
    this.#call(() => exports.reselect(this.workspace, sequence));
  }

  /** Milliseconds that the choices of one token take, measured apart: there is no clock inside a step. */
  decideMs(sequence: number): number {
    const { nLayers, ffn } = this.plan.hparams, stages = this.adapt(sequence).record.get('stages') & ~(Stage.mask | Stage.experts);
    if (stages === 0) return 0; // a mask is chosen once a prompt, experts by the router that has weighed them anyway
    return decideTime(this.#trial(this.#live.exports, sequence), nLayers, ffn);
  }

  #run<T>(run: () => T, tokens = 0): T {
    try {
      return this.team && tokens > 0 ? this.team.run(tokens, run) : run();
    } catch (trap) {
      throw poisoned(this.#poison = this.team?.fault ?? trap);
    }
  }

  #call(run: () => number | void, tokens = 0): void {
    const status = this.#run(run, tokens);
    if (status !== undefined) checkStatus(status);
  }

  /** How many of a sequence's first `length` tokens can stay, to go on behind them: all, but where convolutions lost what they need. */
  resumable(sequence: number, length: number): number { return this.#open.get(sequence)!.rows?.resumable(length) ?? length; }

  /** Lets go of what is behind `length` tokens, which {@link resumable} has given. */
  truncate(sequence: number, length: number): void {
    this.#open.get(sequence)!.rows?.truncate(length);
    this.#sequence(sequence).assign({ position: length, hasLogits: 0 });
  }

  /** A copy of the first `length` tokens of a sequence, with what else there is of them where `what` says so. */
  saveState(sequence: number, length: number, what: { logits: boolean; load: boolean; statistics: boolean }): SequenceState {
    if (what.logits) this.refine(sequence);
    return saveState(this.#place(sequence), length, what);
  }

  /** Replaces a sequence (checked by the caller). */
  restoreState(sequence: number, length: number, state: SequenceState): void {
    if (state.statistics) this.adapt(sequence);
    restoreState(this.#place(sequence), length, state);
  }

  #place(sequence: number): Parameters<typeof saveState>[0] {
    const { adapt, rows } = this.#open.get(sequence)!;
    return { memory: this.#live.memory, sequence: this.#sequence(sequence), hparams: this.plan.hparams, kv: this.kv, adapt, rows };
  }

  /** Logits [vocab] f32 after the last token of a sequence; or those of a row of the last pass, where it kept several. A view. */
  logits(sequence: number, row?: number): Float32Array {
    const stride = 4 * 8 * Math.ceil(this.vocab / 8);
    const ptr = row === undefined ? this.#sequence(sequence).get('logitsPtr') : this.#record.get('logitsPtr') + row * stride;
    return this.#arena.f32(ptr, this.vocab);
  }

  /** The hidden state [hidden] f32 behind the last norm that a row of the last pass has left. A view. */
  state(row: number): Float32Array {
    return this.#arena.f32(this.#record.get('normedPtr') + row * 128 * Math.ceil(this.plan.hparams.hidden / 32), this.plan.hparams.hidden);
  }

  /** The same of the report. */
  report(sequence: number, row?: number): StepReport {
    const own = row === undefined, rows = own ? 0 : this.#record.get('reportsPtr') + row * recordBytes(reportFields);
    return readReport(this.#live.memory, own ? this.#sequence(sequence).get('reportPtr') : rows);
  }

  /** Reads all weights once and returns the bytes: the memory bandwidth that decode is held against, when the caller times it. */
  readWeights(): number {
    const bytes = 64 * Math.floor(this.plan.weightBytes / 64);
    this.#live.exports.readMemory(this.#record.get('modelPtr'), bytes);
    return bytes;
  }

  /** Gives the memory back, whoever still holds the engine or what it handed out. */
  close(): void {
    this.team?.end();
    this.#instance = undefined;
    this.#arena.close();
  }

  get #record(): RecordView<typeof workspaceFields> { return new RecordView(this.#arena.memory, this.workspace, workspaceFields); }
  #sequence(ptr: number): RecordView<typeof sequenceFields> { return new RecordView(this.#live.memory, ptr, sequenceFields); }

  get #live(): Instance {
    if (this.#poison !== undefined) throw poisoned(this.#poison);
    if (this.#instance) return this.#instance;
    this.#arena.memory; // says that it is closed
    throw poisoned(this.#poison);
  }
}
