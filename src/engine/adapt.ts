/**
 * The adaptive state of a sequence in memory: its AdaptRecord and AdaptLayers, and writing a selection into them. Laid out once, before its
 * first sparse token.
 */
import type { InputPlace, Selection, Thresholds } from '../adapt/selection.ts';
import { checkNeurons, usesStatistics } from '../adapt/selection.ts';
import { CogLoadMode, Rule, Stage } from '../model/enums.ts';
import type { Hparams } from '../model/types.ts';
import { RecordView, adaptFields, adaptLayerFields, probeFields, recordBytes } from '../model/records.ts';
import { aligned } from '../model/plan.ts';
import { layoutSequenceSkipping } from '../model/forms.ts';
import type { Arena } from './arena.ts';
import type { ModelForms } from './model-forms.ts';
import { inputConstant } from './model-forms.ts';

/** Thresholds of prompt scores, |gate| and |product|: one for all layers, or one a layer. Absent: no such stage, or an exact share. */
export interface StepThresholds {
  /** Of prompt scores. */
  readonly scores?: number | readonly number[];
  /** Of |gate|. */
  readonly gate?: number | readonly number[];
  /** Of |product|. */
  readonly product?: number | readonly number[];
  /** Of the inputs of q, k and v. */
  readonly attention?: number | readonly number[];
  /** Of the inputs of o. */
  readonly output?: number | readonly number[];
  /** Of the inputs of gate and up. */
  readonly ffn?: number | readonly number[];
  /** Share of the router's weight that could be left out. */
  readonly experts?: number | readonly number[];
}

/**
 * What calibration measures at: thresholds [nLayers, nPoints] of |h| and of sqrt(E h^2), both times the column norm, and of |gate|; the
 * cascade's budget.
 */
export interface ProbeGrid {
  readonly productAt: Float32Array;
  readonly gateAt: Float32Array;
  readonly tau: number;
}

const at = (thresholds: Thresholds, layer: number): number => (typeof thresholds === 'number' ? thresholds : thresholds[layer]!);

/** Scores of a backbone with a density are measured in units of their layer's threshold, so that one factor can move them all. */
function scoreThreshold({ rule, density, scoreBase }: Selection, layer: number): { scoreBase: number; scoreScale: number } {
  const base = at(scoreBase, layer);
  return rule === 'cett' && density < 1 && base > 0 ? { scoreBase: 1, scoreScale: 1 / base } : { scoreBase: base, scoreScale: 1 };
}

export class AdaptState {
  readonly #layers: number;
  #tokenCogLoad: number | undefined;
  #probe: { ptr: number; cells: number } | undefined;
  /** Blocks of the arena that are this sequence's. */
  readonly #blocks: number[] = [];

  /** Takes room for masks, scores and sums. `ptr`: the AdaptRecord. */
  constructor(private readonly arena: Arena, readonly ptr: number, private readonly h: Hparams, private readonly forms: ModelForms) {
    const { nLayers } = h, { layer, bytes } = layoutSequenceSkipping(h);
    this.#layers = this.#take(bytes);
    let at = this.#layers + aligned(nLayers * recordBytes(adaptLayerFields));
    this.record.set('layersPtr', this.#layers);
    for (let i = 0; i < nLayers; i++) {
      const record = this.layer(i);
      record.set('nMask', h.layers[i]!.ffn);
      for (const [field, size] of Object.entries(layer)) {
        record.set(field as keyof typeof layer, at);
        at += size;
      }
    }
  }

  #take(bytes: number): number {
    const ptr = this.arena.take(bytes);
    this.#blocks.push(ptr);
    return ptr;
  }

  /** Gives back everything that is this sequence's. */
  close(): void {
    for (const ptr of [...this.#blocks, this.record.get('compactPtr')]) this.arena.give(ptr);
  }

  get record(): RecordView<typeof adaptFields> {
    return new RecordView(this.arena.memory, this.ptr, adaptFields);
  }

  layer(i: number): RecordView<typeof adaptLayerFields> {
    return new RecordView(this.arena.memory, this.#layers + i * recordBytes(adaptLayerFields), adaptLayerFields);
  }

  /** Makes `bytes` of room for a mask's copies, for less than that none; false where it is not to be had. */
  makeRoom(bytes: number): boolean {
    const old = this.record.get('compactPtr');
    if (this.record.get('compactBytes') >= bytes) return true;
    this.arena.give(old); // copies are made anew
    const compactPtr = this.arena.tryTake(bytes);
    this.record.assign({ compactPtr, compactBytes: compactPtr === 0 ? 0 : bytes, dirty: 1 });
    for (let i = 0; i < this.h.nLayers; i++) this.layer(i).set('compactGatePtr', 0);
    return compactPtr !== 0;
  }

  configure(selection: Selection): void {
    const { cogLoad: load } = selection;
    if (selection.stages & ~Stage.experts) checkNeurons(this.h.ffn);
    this.record.assign({
      stages: selection.stages, rule: Rule[selection.rule], collect: usesStatistics(selection) ? 1 : 0, dirty: 1,
      density: selection.density, share: selection.share, inputShare: selection.inputShare,
      shrink: selection.shrink, skipTokens: selection.skipTokens, compensate: selection.compensate ? 1 : 0,
      cogLoadMode: CogLoadMode[load.mode], surprisalWeight: load.surprisalWeight, entropyWeight: load.entropyWeight, gain: load.gain,
      linear: load.linear ? 1 : 0, clamp: load.clamp, warmup: load.warmup,
      refreshAfter: selection.refreshAfter, refreshAbove: selection.refreshAbove, rerunAbove: selection.rerunAbove, highRun: 0,
    });
    for (let i = 0; i < this.h.nLayers; i++) {
      const layer = this.layer(i);
      layer.assign({
        ...scoreThreshold(selection, i), gateBase: at(selection.gateBase, i), productBase: at(selection.productBase, i),
        expertBase: at(selection.expertBase, i),
        ...this.#inputs(selection, i),
        gateWeightPtr: selection.gateWeights === 'scores' ? layer.get('scoresPtr') : 0,
        productWeightPtr: selection.productWeights === 'ones' ? 0 : this.forms.constant(selection.productWeights, i),
        nMask: this.h.layers[i]!.ffn,
      });
    }
  }

  #inputs({ stages, inputBase: { attention, output, ffn }, inputWeights }: Selection, i: number): Record<string, number> {
    const weights = (place: InputPlace): number =>
      ((stages & Stage.inputs) === 0 || inputWeights === 'ones' ? 0 : this.forms.constant(inputConstant(place, inputWeights), i));
    return {
      attentionBase: at(attention, i), outputBase: at(output, i), ffnBase: at(ffn, i),
      attentionWeightPtr: weights('attention'), outputWeightPtr: weights('output'), ffnWeightPtr: weights('ffn'),
    };
  }

  /** What a token adds to its raw load, [vocab], nats; undefined for nothing. */
  tokenCogLoad(values: Float32Array | undefined): void {
    if (!values) { this.record.set('tokenCogLoadPtr', 0); return; }
    const ptr = this.#tokenCogLoad ??= this.#take(4 * values.length);
    this.arena.f32(ptr, values.length).set(values);
    this.record.set('tokenCogLoadPtr', ptr);
  }

  /** The load of the next step, where it is given rather than measured. */
  forceCogLoad(load: number): void {
    this.record.set('forcedCogLoad', load);
  }

  /** Forgets the loads of the sequence. */
  restartCogLoad(): void {
    this.record.assign({ cogLoadCount: 0, cogLoadMean: 0, cogLoadM2: 0, highRun: 0 });
  }

  /** Measures while tokens are decoded dense, until `measured` is called. */
  startProbe({ productAt, gateAt, tau }: ProbeGrid): void {
    const { nLayers, ffn } = this.h, cells = 4 * productAt.length, neurons = 4 * nLayers * ffn;
    const take = (values: Float32Array): number => {
      const ptr = this.#take(4 * values.length);
      this.arena.f32(ptr, values.length).set(values);
      return ptr;
    };
    const fields = {
      nPoints: productAt.length / nLayers, tau, productAtPtr: take(productAt), gateAtPtr: take(gateAt), cettPtr: this.#take(cells),
      maskCettPtr: this.#take(cells), gateCountPtr: this.#take(cells),
      droppedSumPtr: this.#take(neurons), droppedCountPtr: this.#take(neurons),
    };
    const ptr = this.#take(recordBytes(probeFields));
    this.#probe = { ptr, cells: productAt.length };
    new RecordView(this.arena.memory, ptr, probeFields).assign(fields);
    this.record.set('probePtr', ptr);
  }

  /** Ends measuring; sums over the tokens that were decoded. */
  measured(): {
    cett: Float32Array;
    maskCett: Float32Array;
    gateCount: Float32Array;
    droppedSum: Float32Array;
    droppedCount: Float32Array;
  } {
    const { ptr, cells } = this.#probe!, view = new RecordView(this.arena.memory, ptr, probeFields), neurons = this.h.nLayers * this.h.ffn;
    this.record.set('probePtr', 0);
    const copy = (field: 'cettPtr' | 'maskCettPtr' | 'gateCountPtr' | 'droppedSumPtr' | 'droppedCountPtr', length: number): Float32Array =>
      this.arena.f32(view.get(field), length).slice();
    return {
      cett: copy('cettPtr', cells), maskCett: copy('maskCettPtr', cells), gateCount: copy('gateCountPtr', cells),
      droppedSum: copy('droppedSumPtr', neurons), droppedCount: copy('droppedCountPtr', neurons),
    };
  }

  /** What the stages of the selection were held against in a step whose load moved thresholds by `factor`. */
  thresholds(factor: number): StepThresholds {
    const stages = this.record.get('stages');
    if (this.record.get('share') > 0) return {};
    const of = (base: (layer: ReturnType<AdaptState['layer']>) => number): number | number[] => {
      const values = Array.from({ length: this.h.nLayers }, (_, i) => base(this.layer(i)) * factor);
      return values.every((value) => value === values[0]) ? values[0]! : values;
    };
    const inputs = (stages & Stage.inputs) === 0 ? {} : {
      attention: of((layer) => layer.get('attentionBase')), output: of((layer) => layer.get('outputBase')),
      ffn: of((layer) => layer.get('ffnBase')),
    };
    return {
      ...inputs,
      ...(stages & Stage.scores ? { scores: of((layer) => layer.get('scoreBase') / layer.get('scoreScale')) } : {}),
      ...(stages & Stage.gate ? { gate: of((layer) => layer.get('gateBase')) } : {}),
      ...(stages & Stage.experts ? { experts: of((layer) => layer.get('expertBase')) } : {}),
      ...(stages & Stage.product ? { product: of((layer) => layer.get('productBase')) } : {}),
    };
  }

  /** Gate rows, up rows and down columns that the last step used, layer by layer, and to how many experts it went. */
  counts(): { gate: number; up: number; down: number; experts?: number }[] {
    const ofExperts = (this.record.get('stages') & Stage.experts) !== 0;
    return Array.from({ length: this.h.nLayers }, (_, i) => {
      const layer = this.layer(i), { ffn, experts: mixture } = this.h.layers[i]!;
      if (ofExperts && mixture) {
        const experts = layer.get('nExperts'), neurons = experts * ffn + mixture.sharedFfn;
        return { gate: neurons, up: neurons, down: neurons, experts };
      }
      return { gate: layer.get('nGate'), up: layer.get('nUp'), down: layer.get('nDown') };
    });
  }

  /** Sums over the tokens counted, [ffn] of layer `i`; views. */
  sums(i: number): { h: Float32Array; normed: Float32Array; up: Float32Array } {
    const layer = this.layer(i), { ffn } = this.h.layers[i]!;
    return {
      h: this.arena.f32(layer.get('sumHPtr'), ffn), normed: this.arena.f32(layer.get('sumNormedPtr'), ffn),
      up: this.arena.f32(layer.get('sumUpPtr'), ffn),
    };
  }
}
