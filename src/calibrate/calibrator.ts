/**
 * A model in the calibration binary: one document at a time, forward and backward, a turn for the event loop between layers. Weights stay
 * as the file has them, all arithmetic on activations is f32. What it measures is taken out by `statistics.ts` and `perturb.ts`.
 */
import type { Tier } from '../engine/binaries.ts';
import { Arena } from '../engine/arena.ts';
import { placeModel } from '../engine/place.ts';
import type { Instance, LoaderExports } from '../engine/instantiate.ts';
import { instantiate } from '../engine/instantiate.ts';
import { InputError, StateError, throwIfAborted } from '../errors.ts';
import { readGguf } from '../format/gguf/read.ts';
import type { Hparams } from '../model/types.ts';
import { checkOneFfn } from '../model/experts.ts';
import { planModel } from '../model/plan.ts';
import { RecordView, recordBytes } from '../model/records.ts';
import type { Random } from '../sampler/random.ts';
import { Turns } from '../session/turn.ts';
import type { ModelSource } from '../format/gguf/parts.ts';
import { closeParts, openParts } from '../format/gguf/parts.ts';
import type { CalibrateLayout } from './record.ts';
import { Place } from '../model/enums.ts';
import { MAX_DOCUMENT, calibrateFields, inputRow, layoutCalibration, rowWidth, widthOf } from './record.ts';

/** What `assembly/calibrate.entry.ts` exports. */
interface CalibrateExports extends LoaderExports {
  embed(record: number): void;
  forward(record: number, iLayer: number, from: number, to: number, collect: number): void;
  head(record: number, slot: number, first: number, count: number, gradient: number): void;
  backward(record: number, iLayer: number): void;
  divergence(record: number, other: number, first: number, count: number, every: number): void;
}

export interface CalibratorOptions {
  readonly tier?: Tier | 'auto' | undefined;
  /** Most tokens of a document. Default 512, the largest. */
  readonly maxTokens?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Sums of a layer's neurons over the document's counted positions. */
export const neuronSums = ['hSum', 'hSq', 'hNormedSq', 'upSq', 'gateSq', 'fisher'] as const;
export type NeuronSum = (typeof neuronSums)[number];
const summed = [...neuronSums, 'inputSq', 'inputFisher', 'layerGradSq'] as const;

/** Sums of the inputs of a layer's other matrices: x^2, and (dL/dx)^2. */
export const inputSums = {
  attnInSq: ['inputSqPtr', Place.attention], outInSq: ['inputSqPtr', Place.heads], ffnInSq: ['inputSqPtr', Place.ffn],
  attnInFisher: ['inputFisherPtr', Place.attention], outInFisher: ['inputFisherPtr', Place.heads],
  ffnInFisher: ['inputFisherPtr', Place.ffn],
} as const;
export type InputSum = keyof typeof inputSums;
export const inputSumNames = Object.keys(inputSums) as InputSum[];

/** Positions at the beginning of a document that no statistic counts: their activations are of another kind (attention sinks). */
export const SKIPPED = 4;

export class Calibrator {
  readonly #ptr: number;
  readonly #turns = new Turns();
  #instance: Instance<CalibrateExports> | undefined;
  #nTokens = 0;

  /** @throws as `load` */
  static async open(source: ModelSource, { tier = 'auto', maxTokens = MAX_DOCUMENT, signal }: CalibratorOptions = {}): Promise<Calibrator> {
    const parts = await openParts(source);
    try {
      const file = await readGguf(parts, signal);
      const plan = planModel(file);
      checkOneFfn(plan.hparams, 'calibration');
      const instance = await instantiate<CalibrateExports>(tier, 'calibrate');
      const arena = new Arena(instance.memory, instance.exports.heapBase());
      const layout = layoutCalibration(plan, Math.min(maxTokens, plan.hparams.contextLength));
      const later = layout.bytes + recordBytes(calibrateFields) + 64;
      const { records: modelPtr } = await placeModel(
        file, plan, instance, arena, later, layout.capacity, { signal, onProgress: undefined },
      );
      return new Calibrator(plan.hparams, layout, instance, arena, modelPtr);
    } finally {
      await closeParts(parts);
    }
  }

  private constructor(
    readonly hparams: Hparams, private readonly layout: CalibrateLayout, instance: Instance<CalibrateExports>, arena: Arena,
    modelPtr: number,
  ) {
    this.#instance = instance;
    this.#ptr = arena.take(recordBytes(calibrateFields));
    const pointers = Object.fromEntries(Object.entries(layout.buffers).map(([field, bytes]) => [field, arena.take(bytes)]));
    this.#record.assign({
      ...pointers, modelPtr, capacity: layout.capacity, logitRows: layout.logitRows, skip: SKIPPED, nudgeLayer: -1,
      inputBytes: 4 * inputRow(hparams).length,
    });
  }

  get tier(): Tier { return this.#live.tier; }
  get memoryBytes(): number { return this.#live.memory.buffer.byteLength; }
  /** Most tokens of a document. */
  get capacity(): number { return this.layout.capacity; }
  /** Slot behind those of the layers' inputs and the last layer's output: for perturbed passes. */
  get spareSlot(): number { return this.hparams.nLayers + 1; }

  /** A document's residual streams into slots 0 … nLayers. `collect`: its activations into the sums, which begin at 0. */
  async run(
    tokens: ArrayLike<number>, { collect = false, signal }: { collect?: boolean; signal?: AbortSignal | undefined } = {},
  ): Promise<void> {
    const { exports } = this.#live;
    this.#check(tokens);
    this.#nTokens = tokens.length;
    this.#record.set('nTokens', tokens.length);
    this.#i32('tokensPtr', tokens.length).set(tokens);
    if (collect) for (const name of summed) this.#bytes(`${name}Ptr`).fill(0);
    exports.embed(this.#ptr);
    for (let layer = 0; layer < this.hparams.nLayers; layer++) {
      await this.#step(signal, () => exports.forward(this.#ptr, layer, layer, layer + 1, collect ? 1 : 0));
    }
  }

  /** Slot `from` (the input of layer `from`) through the layers from there on, into the spare slot. */
  async rerun(from: number, signal?: AbortSignal): Promise<void> {
    const { exports } = this.#live, { nLayers } = this.hparams;
    for (let layer = from; layer < nLayers; layer++) {
      await this.#step(signal, () => exports.forward(this.#ptr, layer, layer === from ? from : this.spareSlot, this.spareSlot, 0));
    }
  }

  /**
   * Loss of every position from a slot, in nats. Labels are drawn with `random`, or given (then the draw is void). With `gradient` the
   * gradient at the last layer's output is made ready for {@link backward}.
   */
  async loss(
    labels: Random | ArrayLike<number>,
    { slot = this.hparams.nLayers, gradient = false, signal }: { slot?: number; gradient?: boolean; signal?: AbortSignal | undefined } = {},
  ): Promise<Float64Array> {
    const { exports, memory } = this.#live, n = this.#nTokens;
    const drawn = 'float64' in labels;
    const record = this.#record;
    this.#i32('labelsPtr', n).set(drawn ? new Int32Array(n).fill(-1) : labels);
    if (drawn) new Float64Array(memory.buffer, record.get('drawsPtr'), n).set(Float64Array.from({ length: n }, () => labels.float64()));
    for (let first = 0; first < n; first += this.layout.logitRows) {
      await this.#step(signal, () => exports.head(this.#ptr, slot, first, Math.min(this.layout.logitRows, n - first), gradient ? 1 : 0));
    }
    return new Float64Array(memory.buffer, record.get('nllPtr'), n).slice();
  }

  /** Labels of the last {@link loss}. */
  get labels(): Int32Array { return this.#i32('labelsPtr', this.#nTokens).slice(); }

  /** From the last {@link loss} with `gradient` down to the first layer's neurons; `each` sees dL/dh of a layer while it is there. */
  async backward(
    { signal, each }: { signal?: AbortSignal | undefined; each?: (layer: number, dh: (token: number) => Float32Array) => void } = {},
  ): Promise<void> {
    const { exports } = this.#live, { nLayers, layers } = this.hparams;
    for (let layer = nLayers - 1; layer >= 0; layer--) {
      await this.#step(signal, () => exports.backward(this.#ptr, layer));
      const { ffn } = layers[layer]!;
      each?.(layer, (token) => this.#f32('hPtr', token * rowWidth(ffn), ffn));
    }
  }

  /** KL of the spare slot's distributions from the clean ones (its quadratic part, nats) at positions first, first + every, … */
  async divergence(first: number, every: number, signal?: AbortSignal): Promise<Float64Array> {
    const { exports, memory } = this.#live, most = Math.floor(this.layout.logitRows / 2);
    const result = new Float64Array(Math.ceil((this.#nTokens - first) / every));
    for (let done = 0; done < result.length; done += most) {
      const count = Math.min(most, result.length - done);
      await this.#step(signal, () => exports.divergence(this.#ptr, this.spareSlot, first + done * every, count, every));
      result.set(new Float64Array(memory.buffer, this.#record.get('nllPtr'), count), done);
    }
    return result;
  }

  /** Adds values to a layer's activations in every forward pass from now on, [nTokens, width] at a place. */
  nudge(layer: number, place: Place, value: (token: number, index: number) => number): void {
    const { hparams } = this, own = hparams.layers[layer]!;
    const width = place === Place.h ? own.ffn : place === Place.heads ? own.heads * hparams.headDim : hparams.hidden;
    // rows of heads keep the distance that attention gives them
    const stride = rowWidth(place === Place.heads ? own.heads * hparams.headStride : width);
    const buffer = this.#f32('nudgePtr', 0, this.#nTokens * stride).fill(0);
    for (let token = 0; token < this.#nTokens; token++) {
      for (let i = 0; i < width; i++) buffer[token * stride + i] = value(token, i);
    }
    this.#record.assign({ nudgeLayer: layer, nudgePlace: place });
  }

  stopNudging(): void {
    this.#record.set('nudgeLayer', -1);
  }

  /** Adds `factor` times a neuron sum of the document, [nLayers, ffn], to `into`. */
  addSum(name: NeuronSum, into: Float64Array, factor = 1): void {
    const { nLayers, ffn } = this.hparams;
    for (let layer = 0; layer < nLayers; layer++) {
      const row = this.#f32(`${name}Ptr`, layer * rowWidth(ffn), ffn);
      for (let i = 0; i < ffn; i++) into[layer * ffn + i]! += factor * row[i]!;
    }
  }

  /** Adds `factor` times an input's sums of the document, [nLayers, width of the place], to `into`. */
  addInputSum(name: InputSum, into: Float64Array, factor = 1): void {
    const [field, place] = inputSums[name], width = widthOf(this.hparams, place), { at, length } = inputRow(this.hparams);
    for (let layer = 0; layer < this.hparams.nLayers; layer++) {
      const row = this.#f32(field, layer * length + at[place], width);
      for (let i = 0; i < width; i++) into[layer * width + i]! += factor * row[i]!;
    }
  }

  /** Adds `factor` times the layers' summed squared gradient norms, [nLayers], to `into`. */
  addLayerGradSq(into: Float64Array, factor = 1): void {
    const sums = new Float64Array(this.#live.memory.buffer, this.#record.get('layerGradSqPtr'), this.hparams.nLayers);
    for (let layer = 0; layer < sums.length; layer++) into[layer]! += factor * sums[layer]!;
  }

  /** Gives the memory back. */
  close(): void {
    this.#instance = undefined;
  }

  async #step(signal: AbortSignal | undefined, work: () => void): Promise<void> {
    throwIfAborted(signal, 'calibration');
    work();
    await this.#turns.give();
  }

  get #live(): Instance<CalibrateExports> {
    if (this.#instance) return this.#instance;
    throw new StateError('E_CLOSED', {
      subject: 'calibrator', found: 'a call after close()', expected: 'an open one', remedy: 'Open it again.',
    });
  }

  get #record(): RecordView<typeof calibrateFields> { return new RecordView(this.#live.memory, this.#ptr, calibrateFields); }

  #i32(field: keyof typeof calibrateFields, length: number): Int32Array {
    return new Int32Array(this.#live.memory.buffer, this.#record.get(field), length);
  }

  #f32(field: keyof typeof calibrateFields, from: number, length: number): Float32Array {
    return new Float32Array(this.#live.memory.buffer, this.#record.get(field) + 4 * from, length);
  }

  #bytes(field: keyof typeof calibrateFields): Uint8Array {
    return new Uint8Array(this.#live.memory.buffer, this.#record.get(field), this.layout.buffers[field]!);
  }

  #check(tokens: ArrayLike<number>): void {
    if (tokens.length < 1 || tokens.length > this.capacity) {
      throw new InputError(tokens.length < 1 ? 'E_EMPTY_PROMPT' : 'E_CONTEXT_FULL', {
        subject: 'document', found: `${tokens.length} tokens`, expected: `1 to ${this.capacity}`, remedy: 'Cut it into pieces.',
      });
    }
    for (let i = 0; i < tokens.length; i++) {
      if (Number.isInteger(tokens[i]) && tokens[i]! >= 0 && tokens[i]! < this.hparams.vocab) continue;
      throw new InputError('E_TOKEN_RANGE', {
        subject: `token ${i} of a document`, found: String(tokens[i]), expected: `an integer from 0 to ${this.hparams.vocab - 1}`,
        remedy: 'Encode the text with the tokenizer of this model.',
      });
    }
  }
}
