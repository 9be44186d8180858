/** The map of neurons on a canvas: a row a layer, a column a neuron, and at the right how much of each layer ran. */
import { digits } from './dom.ts';
import { byLayer, squeeze } from './neurons.ts';
import { channels, colour, onTheme } from './theme.ts';

/** CSS pixels: rows, the gap between them, and the margins for numbers and bars. */
const rowHeight = 7, rowGap = 1, left = 24, right = 52;

export class NeuronMap {
  #shares: Float32Array | undefined;
  #layers = 1;
  #frame = 0;
  #palette: Uint32Array | undefined;

  /** `point` hears of the layer, first and last neuron under the pointer and their share; undefined when it leaves. */
  constructor(private readonly canvas: HTMLCanvasElement, point: (at: { layer: number; from: number; to: number; share: number } | undefined) => void) {
    onTheme(() => { this.#palette = undefined; this.#request(); });
    new ResizeObserver(() => { this.#request(); }).observe(canvas);
    canvas.addEventListener('pointermove', (event) => { point(this.#at(event.offsetX, event.offsetY)); });
    canvas.addEventListener('pointerleave', () => { point(undefined); });
    this.#size();
  }

  /** Shares [layers, neurons]; drawn with the next frame. */
  show(shares: Float32Array | undefined, layers: number): void {
    this.#shares = shares;
    this.#layers = layers;
    this.#request();
  }

  #at(x: number, y: number): { layer: number; from: number; to: number; share: number } | undefined {
    const width = this.canvas.clientWidth - left - right, layer = Math.floor(y / rowHeight), shares = this.#shares;
    if (!shares || x < left || x >= left + width || layer >= this.#layers) return undefined;
    const neurons = shares.length / this.#layers, from = Math.floor(((x - left) / width) * neurons), to = Math.max(from, Math.ceil(((x - left + 1) / width) * neurons) - 1);
    const part = shares.subarray(layer * neurons + from, layer * neurons + to + 1);
    return { layer, from, to, share: part.reduce((sum, value) => sum + value, 0) / part.length };
  }

  #request(): void {
    this.#frame ||= requestAnimationFrame(() => { this.#frame = 0; this.#draw(); });
  }

  #size(): { ratio: number; width: number; height: number } {
    const ratio = devicePixelRatio || 1, height = (this.#shares ? this.#layers : 30) * rowHeight, width = this.canvas.clientWidth;
    const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (this.canvas.width !== w || this.canvas.height !== h) {
      this.canvas.width = w;
      this.canvas.height = h;
      this.canvas.style.height = `${height}px`;
    }
    return { ratio, width, height };
  }

  /** 256 colours from "never" to "always". */
  #colours(): Uint32Array {
    if (this.#palette) return this.#palette;
    const [off, mid, on] = [channels('--map-off'), channels('--map-mid'), channels('--map-on')], palette = new Uint8ClampedArray(4 * 256);
    for (let i = 0; i < 256; i++) {
      const t = i / 255, [a, b, u] = t < 0.5 ? [off, mid, 2 * t] : [mid, on, 2 * t - 1];
      for (let c = 0; c < 3; c++) palette[4 * i + c] = a[c]! + (b[c]! - a[c]!) * u;
      palette[4 * i + 3] = 255;
    }
    return (this.#palette = new Uint32Array(palette.buffer));
  }

  #draw(): void {
    const { ratio, width, height } = this.#size(), context = this.canvas.getContext('2d')!, columns = Math.round((width - left - right) * ratio);
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    if (columns <= 0) return;
    const layers = this.#shares ? this.#layers : 30, shares = this.#shares ?? new Float32Array(layers), neurons = shares.length / layers;
    const palette = this.#colours(), rows = Math.max(1, Math.round((rowHeight - rowGap) * ratio)), means = byLayer(shares, layers);
    const image = context.createImageData(columns, Math.round(height * ratio)), pixels = new Uint32Array(image.data.buffer);
    for (let layer = 0; layer < layers; layer++) {
      const line = squeeze(shares.subarray(layer * neurons, (layer + 1) * neurons), columns), from = Math.round(layer * rowHeight * ratio) * columns;
      for (let x = 0; x < columns; x++) pixels[from + x] = palette[Math.round(255 * line[x]!)]!;
      for (let y = 1; y < rows; y++) pixels.copyWithin(from + y * columns, from, from + columns);
    }
    context.putImageData(image, Math.round(left * ratio), 0);
    context.scale(ratio, ratio);
    context.font = '10px system-ui, sans-serif';
    context.textBaseline = 'middle';
    context.textAlign = 'right';
    for (let layer = 0; layer < layers; layer++) {
      const y = layer * rowHeight + (rowHeight - rowGap) / 2;
      context.fillStyle = colour('--muted');
      if (layer % 5 === 0 || layer === layers - 1) context.fillText(String(layer), left - 6, Math.min(Math.max(y, 5), height - 5));
      if (!this.#shares) continue;
      context.fillStyle = colour('--line');
      context.fillRect(width - right + 8, y - 1.5, right - 8, 3);
      context.fillStyle = colour('--density');
      context.fillRect(width - right + 8, y - 1.5, (right - 8) * means[layer]!, 3);
    }
  }
}

/** The map in a sentence. */
export function describe(shares: Float32Array, layers: number): string {
  const means = byLayer(shares, layers), all = means.reduce((sum, value) => sum + value, 0) / layers;
  const most = means.indexOf(Math.max(...means)), least = means.indexOf(Math.min(...means));
  const percent = (value: number): string => `${digits(100 * value, 0)} %`;
  if (most === least || means[most] === means[least]) return `${percent(all)} of ${shares.length.toLocaleString('en')} neurons ran, in every layer`;
  return `${percent(all)} of ${shares.length.toLocaleString('en')} neurons ran; most in layer ${most} (${percent(means[most]!)}), fewest in layer ${least} (${percent(means[least]!)})`;
}
