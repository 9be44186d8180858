/** Which neurons ran: bits of single tokens, and shares over an answer. No DOM here. */

/** Bits of one token; 'all' where it ran dense; undefined where no step led to it (the first token of an answer). */
export type Ran = Uint8Array | 'all' | undefined;

export class NeuronUse {
  readonly #counts: Uint32Array;
  #dense = 0;
  #steps = 0;
  readonly #bytes: number;

  constructor(readonly layers: number, readonly neurons: number) {
    this.#counts = new Uint32Array(layers * neurons);
    this.#bytes = Math.ceil(neurons / 8);
  }

  /** Steps counted. */
  get steps(): number { return this.#steps; }

  add(ran: Ran): void {
    if (ran === undefined) return;
    this.#steps++;
    if (ran === 'all') { this.#dense++; return; }
    for (let layer = 0; layer < this.layers; layer++) {
      for (let i = 0; i < this.neurons; i++) this.#counts[layer * this.neurons + i]! += (ran[layer * this.#bytes + (i >> 3)]! >> (i & 7)) & 1;
    }
  }

  /** Neurons of each layer from the most used to the least, [layers, neurons]; equals stay in the model's order. */
  order(): Uint16Array {
    const { layers, neurons } = this, order = new Uint16Array(layers * neurons);
    for (let layer = 0; layer < layers; layer++) {
      const counts = this.#counts.subarray(layer * neurons, (layer + 1) * neurons);
      order.set([...counts.keys()].sort((a, b) => counts[b]! - counts[a]! || a - b), layer * neurons);
    }
    return order;
  }

  /** Share of the steps in which each neuron ran, [layers, neurons]. */
  shares(): Float32Array {
    return Float32Array.from(this.#counts, (count) => (this.#steps === 0 ? 0 : (count + this.#dense) / this.#steps));
  }

  /** The same of one token: 0 or 1. */
  sharesOf(ran: Ran): Float32Array {
    const { layers, neurons } = this;
    if (ran === undefined || ran === 'all') return new Float32Array(layers * neurons).fill(ran ? 1 : 0);
    return Float32Array.from({ length: layers * neurons }, (_, k) => {
      const layer = Math.floor(k / neurons), i = k - layer * neurons;
      return (ran[layer * this.#bytes + (i >> 3)]! >> (i & 7)) & 1;
    });
  }
}

/** Shares [layers, neurons] with each layer in this order. */
export function reorder(shares: Float32Array, order: Uint16Array, layers: number): Float32Array {
  const width = shares.length / layers;
  return Float32Array.from(order, (i, k) => shares[Math.floor(k / width) * width + i]!);
}

/** Means over each layer. */
export function byLayer(shares: Float32Array, layers: number): number[] {
  const width = shares.length / layers;
  return Array.from({ length: layers }, (_, layer) => shares.subarray(layer * width, (layer + 1) * width).reduce((sum, value) => sum + value, 0) / width);
}

/** A row of shares squeezed (means of neighbours) or stretched to `columns`. */
export function squeeze(row: Float32Array, columns: number): Float32Array {
  return Float32Array.from({ length: columns }, (_, x) => {
    const from = Math.floor((x * row.length) / columns), to = Math.max(from + 1, Math.floor(((x + 1) * row.length) / columns));
    let sum = 0;
    for (let i = from; i < to; i++) sum += row[i]!;
    return sum / (to - from);
  });
}
