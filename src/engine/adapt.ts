/**
 * The adaptive state of a session in memory: its AdaptRecord and AdaptLayers, the constants of the model that selections use, and writing a
 * selection into them. Everything is laid out once, before the first sparse token.
 */
import type { Selection, Thresholds } from '../adapt/selection.ts';
import { usesStatistics } from '../adapt/selection.ts';
import { LoadMode, Rule } from '../model/enums.ts';
import type { Hparams } from '../model/hparams.ts';
import { RecordView, adaptFields, adaptLayerFields, probeFields, recordBytes } from '../model/records.ts';
import type { Arena } from './arena.ts';

/** Constants of the model, [nLayers, ffn] each unless said otherwise; what is absent is not used. */
export interface Constants {
  /** sqrt E (dL/dh)^2. */
  readonly sensitivity?: Float32Array | undefined;
  readonly upSquare?: Float32Array | undefined;
  readonly hSquare?: Float32Array | undefined;
  readonly columnNorm?: Float32Array | undefined;
  /** E of h where it is dropped, and down times that [nLayers, hidden]. */
  readonly mean?: Float32Array | undefined;
  readonly meanOut?: Float32Array | undefined;
}

/** What calibration measures at: thresholds [nLayers, nPoints] of |h| and of sqrt(E h^2), both times the column norm, and of |gate|; the cascade's budget. */
export interface ProbeGrid {
  readonly productAt: Float32Array;
  readonly maskAt: Float32Array;
  readonly gateAt: Float32Array;
  readonly tau: number;
}

const fieldOf = {
  sensitivity: 'sensitivityPtr', upSquare: 'upSquarePtr', hSquare: 'hSquarePtr', columnNorm: 'columnNormPtr', mean: 'meanPtr', meanOut: 'meanOutPtr',
} as const;

const at = (thresholds: Thresholds, layer: number): number => (typeof thresholds === 'number' ? thresholds : thresholds[layer]!);

export class AdaptState {
  readonly #layers: number;
  readonly #padded: number;
  /** [nLayers, ceil(ffn / 8)] bits. */
  readonly #used: number;
  #tokenLoad: number | undefined;
  #probe: { ptr: number; cells: number } | undefined;
  readonly #placed = new Map<keyof Constants, number>();

  /** Takes room for lists, masks, scores and sums: about 50 bytes a neuron. */
  constructor(private readonly arena: Arena, readonly ptr: number, private readonly h: Hparams) {
    const { nLayers, ffn, hidden } = h;
    this.#padded = 8 * Math.ceil(ffn / 8);
    const floats = 4 * this.#padded, list = 2 * (this.#padded + 8);
    this.#layers = arena.take(nLayers * recordBytes(adaptLayerFields));
    const perLayer = Array.from({ length: nLayers }, () => ({
      scoresPtr: arena.take(floats), sumHPtr: arena.take(floats), sumNormedPtr: arena.take(floats), sumUpPtr: arena.take(floats), maskPtr: arena.take(list), nMask: ffn,
    }));
    this.#used = arena.take(nLayers * Math.ceil(ffn / 8));
    const lists = arena.take(3 * list), zeros = arena.take(4 * 32 * Math.ceil(ffn / 32)), scratch = arena.take(16 * Math.max(this.#padded, hidden) + 1024);
    this.record.assign({ layersPtr: this.#layers, listPtr: lists, hPtr: zeros, scratchPtr: scratch, rowsBelow: ffn, columnsBelow: ffn });
    perLayer.forEach((fields, i) => this.layer(i).assign(fields));
  }

  get record(): RecordView<typeof adaptFields> {
    return new RecordView(this.arena.memory, this.ptr, adaptFields);
  }

  layer(i: number): RecordView<typeof adaptLayerFields> {
    return new RecordView(this.arena.memory, this.#layers + i * recordBytes(adaptLayerFields), adaptLayerFields);
  }

  /** Copies constants into memory, each once. */
  place(constants: Constants): void {
    for (const [name, values] of Object.entries(constants) as [keyof Constants, Float32Array | undefined][]) {
      if (!values) continue;
      const width = values.length / this.h.nLayers, bytes = 4 * 8 * Math.ceil(width / 8);
      const base = this.#placed.get(name) ?? this.arena.take(this.h.nLayers * bytes);
      this.#placed.set(name, base);
      for (let i = 0; i < this.h.nLayers; i++) {
        this.arena.f32(base + i * bytes, width).set(values.subarray(i * width, (i + 1) * width));
        this.layer(i).set(fieldOf[name], base + i * bytes);
      }
    }
  }

  configure(selection: Selection): void {
    const { load } = selection;
    this.record.assign({
      stages: selection.stages, rule: Rule[selection.rule], collect: usesStatistics(selection) ? 1 : 0, dirty: 1, density: selection.density,
      shrink: selection.shrink, skipTokens: selection.skipTokens, compensate: selection.compensate ? 1 : 0,
      loadMode: LoadMode[load.mode], surprisalWeight: load.surprisalWeight, entropyWeight: load.entropyWeight, gain: load.gain,
      linear: load.linear ? 1 : 0, clamp: load.clamp, warmup: load.warmup,
      refreshAfter: selection.refreshAfter, refreshAbove: selection.refreshAbove, rerunAbove: selection.rerunAbove, highRun: 0,
    });
    for (let i = 0; i < this.h.nLayers; i++) {
      const layer = this.layer(i);
      layer.assign({
        scoreBase: at(selection.scoreBase, i), gateBase: at(selection.gateBase, i), productBase: at(selection.productBase, i),
        gateWeightPtr: selection.gateWeights === 'scores' ? layer.get('scoresPtr') : 0,
        productWeightPtr: selection.productWeights === 'ones' ? 0 : layer.get(fieldOf[selection.productWeights]), nMask: this.h.ffn,
      });
    }
  }

  /** What a token adds to its raw load, [vocab], nats; undefined for nothing. */
  tokenLoad(values: Float32Array | undefined): void {
    if (!values) { this.record.set('tokenLoadPtr', 0); return; }
    const ptr = this.#tokenLoad ??= this.arena.take(4 * values.length);
    this.arena.f32(ptr, values.length).set(values);
    this.record.set('tokenLoadPtr', ptr);
  }

  /** The load of the next step, where it is given rather than measured. */
  forceLoad(load: number): void {
    this.record.set('forcedLoad', load);
  }

  /** Forgets the loads of the sequence. */
  restartLoad(): void {
    this.record.assign({ loadCount: 0, loadMean: 0, loadM2: 0, highRun: 0 });
  }

  /** Measures while tokens are decoded dense, until `measured` is called. */
  startProbe({ productAt, maskAt, gateAt, tau }: ProbeGrid): void {
    const { nLayers, ffn } = this.h, cells = 4 * productAt.length, neurons = 4 * nLayers * ffn;
    const take = (values: Float32Array): number => {
      const ptr = this.arena.take(4 * values.length);
      this.arena.f32(ptr, values.length).set(values);
      return ptr;
    };
    const fields = {
      nPoints: productAt.length / nLayers, nTokens: 0, tau, productAtPtr: take(productAt), maskAtPtr: take(maskAt), gateAtPtr: take(gateAt), cettPtr: this.arena.take(cells), maskCettPtr: this.arena.take(cells), gateCountPtr: this.arena.take(cells),
      droppedSumPtr: this.arena.take(neurons), droppedCountPtr: this.arena.take(neurons),
    };
    const ptr = this.arena.take(recordBytes(probeFields));
    this.#probe = { ptr, cells: productAt.length };
    new RecordView(this.arena.memory, ptr, probeFields).assign(fields);
    this.record.set('probePtr', ptr);
  }

  /** Ends measuring; sums over the tokens that were decoded. */
  measured(): { cett: Float32Array; maskCett: Float32Array; gateCount: Float32Array; droppedSum: Float32Array; droppedCount: Float32Array } {
    const { ptr, cells } = this.#probe!, view = new RecordView(this.arena.memory, ptr, probeFields), neurons = this.h.nLayers * this.h.ffn;
    this.record.set('probePtr', 0);
    const copy = (field: 'cettPtr' | 'maskCettPtr' | 'gateCountPtr' | 'droppedSumPtr' | 'droppedCountPtr', length: number): Float32Array => this.arena.f32(view.get(field), length).slice();
    return { cett: copy('cettPtr', cells), maskCett: copy('maskCettPtr', cells), gateCount: copy('gateCountPtr', cells), droppedSum: copy('droppedSumPtr', neurons), droppedCount: copy('droppedCountPtr', neurons) };
  }

  /** Whether steps note which neurons they used. */
  watch(on: boolean): void {
    this.record.set('usedPtr', on ? this.#used : 0);
  }

  /** Neurons whose down column the last sparse step used, as bits, [nLayers, ceil(ffn / 8)]; a copy. Noted while {@link watch} is on. */
  used(): Uint8Array<ArrayBuffer> {
    return this.arena.u8(this.#used, this.h.nLayers * Math.ceil(this.h.ffn / 8)).slice();
  }

  /** Gate rows, up rows and down columns that the last step used, layer by layer. */
  counts(): { gate: number; up: number; down: number }[] {
    return Array.from({ length: this.h.nLayers }, (_, i) => {
      const layer = this.layer(i);
      return { gate: layer.get('nGate'), up: layer.get('nUp'), down: layer.get('nDown') };
    });
  }

  /** Sums over the tokens counted, [ffn] of layer `i`; views. */
  sums(i: number): { h: Float32Array; normed: Float32Array; up: Float32Array } {
    const layer = this.layer(i), { ffn } = this.h;
    return { h: this.arena.f32(layer.get('sumHPtr'), ffn), normed: this.arena.f32(layer.get('sumNormedPtr'), ffn), up: this.arena.f32(layer.get('sumUpPtr'), ffn) };
  }
}
