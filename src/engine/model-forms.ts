/**
 * What skipping neurons needs of a model, made once and shared by all its sequences: matrices in forms that single neurons can be read
 * from, from which share of them on the dense kernel is faster, and the constants of the methods.
 */
import type { InputPlace, Selection } from '../adapt/selection.ts';
import { inputPlaces } from '../adapt/selection.ts';
import { Layout } from '../model/layouts.ts';
import { formsOf } from '../model/forms.ts';
import type { ModelPlan } from '../model/plan.ts';
import { aligned } from '../model/plan.ts';
import { RecordView, layerFields, modelFields, recordBytes } from '../model/records.ts';
import type { Arena } from './arena.ts';
import type { Instance } from './instantiate.ts';

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
  /** Of what q, k and v read [nLayers, hidden], o [nLayers, heads * headDim], gate and up [nLayers, hidden]: sqrt E (dL/dx)^2. */
  readonly attentionSensitivity?: Float32Array | undefined;
  readonly outputSensitivity?: Float32Array | undefined;
  readonly ffnSensitivity?: Float32Array | undefined;
  /** Norms of the columns that an input meets, in all matrices that read it. */
  readonly attentionNorm?: Float32Array | undefined;
  readonly outputNorm?: Float32Array | undefined;
  readonly ffnNorm?: Float32Array | undefined;
}

export function inputConstant(place: InputPlace, weights: 'sensitivity' | 'columnNorm'): keyof Constants {
  return weights === 'sensitivity' ? `${place}Sensitivity` : `${place}Norm`;
}

/** Matrices that read the inputs of a place. */
const readers: Record<InputPlace, readonly string[]> = { attention: ['q', 'k', 'v'], output: ['o'], ffn: ['gate', 'up'] };

const fieldOf = {
  sensitivity: 'sensitivityPtr', upSquare: 'upSquarePtr', hSquare: 'hSquarePtr', columnNorm: 'columnNormPtr',
  mean: 'meanPtr', meanOut: 'meanOutPtr',
} as const satisfies Partial<Record<keyof Constants, keyof typeof layerFields>>;

/**
 * Shares of neurons below which single ones are read, where no clock may decide (`base`): from memory rows of up are as fast as the dense
 * kernel near the first, columns of down and of other matrices near the second (docs/adaptive-tables.md).
 */
const fixedBelow = { rows: 0.4, columns: 0.75 };

export class ModelForms {
  readonly #placed = new Map<keyof Constants, { base: number; bytes: number }>();

  /** `live` throws where the model is closed; `addresses` of the tensors of the plan. */
  constructor(
    private readonly live: () => Instance, private readonly arena: Arena, private readonly plan: ModelPlan,
    private readonly modelPtr: number, private readonly addresses: readonly number[],
  ) {
    const { ffn } = plan.hparams;
    this.model.assign({ rowsBelow: Math.round(fixedBelow.rows * ffn), columnsBelow: Math.round(fixedBelow.columns * ffn) });
  }

  get model(): RecordView<typeof modelFields> { return new RecordView(this.arena.memory, this.modelPtr, modelFields); }

  layer(i: number): RecordView<typeof layerFields> {
    return new RecordView(this.arena.memory, this.model.get('layersPtr') + i * recordBytes(layerFields), layerFields);
  }

  /** Copies constants into memory, each once. */
  place(constants: Constants): void {
    const { nLayers } = this.plan.hparams;
    for (const [name, values] of Object.entries(constants) as [keyof Constants, Float32Array | undefined][]) {
      if (!values) continue;
      const width = values.length / nLayers, bytes = 4 * 8 * Math.ceil(width / 8);
      const base = this.#placed.get(name)?.base ?? this.arena.take(nLayers * bytes);
      this.#placed.set(name, { base, bytes });
      for (let i = 0; i < nLayers; i++) {
        this.arena.f32(base + i * bytes, width).set(values.subarray(i * width, (i + 1) * width));
        if (name in fieldOf) this.layer(i).set(fieldOf[name as keyof typeof fieldOf], base + i * bytes);
      }
    }
  }

  /** Address of a constant of layer `i`, 0 where it was not placed. */
  constant(name: keyof Constants, i: number): number {
    const placed = this.#placed.get(name);
    return placed ? placed.base + i * placed.bytes : 0;
  }

  /**
   * Rows and columns one by one for stages that choose per token; each is made once and stays. What finds no room, and a layout without
   * such a form, is computed whole instead, with the same result. True where any was made; `before` is called before the first.
   */
  make({ stages }: Selection, before: () => void): boolean {
    const { arena } = this, { exports } = this.live();
    let made = false;
    for (const [i, tensor] of this.plan.tensors.entries()) {
      const { role: { field }, layer, layout, rows, cols } = tensor, wanted = formsOf(tensor, stages), number = Layout[layout];
      if (layer === undefined) continue;
      for (const form of ['Rows', 'Columns'] as const) {
        const name = `${field}${form}Ptr` as 'upRowsPtr', bytes = form === 'Rows' ? wanted.rows : wanted.columns;
        if (bytes === 0 || this.layer(layer).get(name) !== 0) continue;
        const ptr = arena.tryTake(bytes);
        if (ptr === 0) continue;
        if (!made) before();
        if (form === 'Rows') exports.packRows(number, this.addresses[i]!, rows, cols, ptr);
        else exports.packColumns(number, this.addresses[i]!, rows, cols, ptr);
        this.layer(layer).set(name, ptr);
        made = true;
      }
    }
    return made;
  }

  /** Which forms every layer has. */
  get complete(): { rows: boolean; columns: boolean } {
    const every = Array.from({ length: this.plan.hparams.nLayers }, (_, i) => this.layer(i));
    return {
      rows: every.every((layer) => layer.get('upRowsPtr') !== 0), columns: every.every((layer) => layer.get('downColumnsPtr') !== 0),
    };
  }

  /**
   * Lets masks order the rows of gate and up in place (assembly/forward/order.ts), where a layer has both and no bias that would have to
   * follow. The one way in which weights are written while tokens run: the caller sees to it that there is one sequence only.
   */
  orderInPlace(): void {
    for (const [i, { ffn }] of this.plan.hparams.layers.entries()) {
      const layer = this.layer(i);
      if (layer.get('orderPtr') !== 0 || layer.get('gatePtr') === 0 || layer.get('gateBiasPtr') !== 0 || layer.get('upBiasPtr') !== 0) {
        continue;
      }
      const orderPtr = this.arena.take(2 * ffn);
      new Uint16Array(this.arena.memory.buffer, orderPtr, ffn).forEach((_, k, order) => { order[k] = k; });
      this.layer(i).set('orderPtr', orderPtr);
    }
  }

  /** Norms of the columns of every layer's down matrix, [nLayers, ffn]. */
  columnNorms(): Float32Array {
    const { ffn, hidden, nLayers } = this.plan.hparams, out = new Float32Array(nLayers * ffn);
    this.#everyDown((layer, own, layout, w, row, x) => {
      this.live().exports.columnNorms(layout, w, hidden, own, row, x);
      out.set(this.arena.f32(x, own), layer * ffn);
    });
    return out;
  }

  /** The same of the matrices that read the inputs of the other places: of an input, of all columns that it meets together. */
  inputNorms(): Required<Pick<Constants, 'attentionNorm' | 'outputNorm' | 'ffnNorm'>> {
    const { hidden, nLayers, heads, headDim } = this.plan.hparams, qWidth = heads * headDim, { arena } = this;
    const zeros = (width: number): Float32Array => new Float32Array(nLayers * width);
    const norms = { attentionNorm: zeros(hidden), outputNorm: zeros(qWidth), ffnNorm: zeros(hidden) };
    const row = arena.take(2 * aligned(4 * Math.max(hidden, qWidth))), x = row + aligned(4 * Math.max(hidden, qWidth));
    for (const [i, { role, layer, layout, rows, cols }] of this.plan.tensors.entries()) {
      const place = inputPlaces.find((name) => readers[name].includes(role.field));
      if (!place || layer === undefined) continue;
      const out = norms[`${place}Norm`], width = out.length / nLayers;
      this.live().exports.columnNorms(Layout[layout], this.addresses[i]!, rows, cols, row, x);
      arena.f32(x, cols).forEach((norm, j) => { out[layer * width + j] = Math.hypot(out[layer * width + j]!, norm); });
    }
    arena.give(row);
    return norms;
  }

  /** Every layer's down matrix times its row of x [nLayers, ffn], in f32: [nLayers, hidden]. */
  throughDown(x: Float32Array): Float32Array {
    const { ffn, hidden, nLayers } = this.plan.hparams, out = new Float32Array(nLayers * hidden);
    this.#everyDown((layer, own, layout, w, row, scratch, result) => {
      this.arena.f32(scratch, own).set(x.subarray(layer * ffn, layer * ffn + own));
      this.live().exports.dequantMatvec(layout, w, hidden, own, row, scratch, result);
      out.set(this.arena.f32(result, hidden), layer * hidden);
    });
    return out;
  }

  /** Calls `use` with each down matrix, its columns first, and three scratch vectors, two of [ffn] f32 and one of [hidden]. */
  #everyDown(use: (layer: number, own: number, layout: number, w: number, row: number, x: number, result: number) => void): void {
    const { ffn, hidden } = this.plan.hparams, row = this.arena.take(2 * aligned(4 * ffn) + aligned(4 * hidden));
    const x = row + aligned(4 * ffn), result = x + aligned(4 * ffn);
    for (const [i, { role, layer, layout, cols }] of this.plan.tensors.entries()) {
      if (role.field === 'down' && layer !== undefined) use(layer, cols, Layout[layout], this.addresses[i]!, row, x, result);
    }
    this.arena.give(row);
  }
}
