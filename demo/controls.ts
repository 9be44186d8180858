/** Method, how far it goes, and two switches: what the reader sets becomes SparsityOptions. */
import type { SparsityOptions } from 'clada';
import { byId, element, nats, percent } from './dom.ts';
import type { Expected, Failure, Ready } from './protocol.ts';

type Choice = NonNullable<SparsityOptions['method']>;

/** In the order of the buttons, each in a line. */
const methods: readonly [Choice, string][] = [
  ['dense', 'Every neuron, for every token: the reference.'],
  ['griffin', 'One mask for the whole answer: the neurons that the prompt used most.'],
  ['mask', 'One mask for the whole answer, from the prompt and from what the calibration knows of each neuron.'],
  ['tt', 'Threshold truncation: drops what adds little to the sum. Gate and up matrix are read whole.'],
  ['cats', 'Reads the gate first and goes on only where it is open wide enough.'],
  ['clada-paper', 'A backbone from the prompt, moved for every token by how hard it is (arXiv 2502.19078, reconstructed).'],
  ['clada', 'Gate first, then the product, under one budget of damage for all layers; anew for every token.'],
  ['auto', 'Say what may be lost: the fastest method on this device within the bound, dense included.'],
];
/** Bounds on the mean KL to dense, nats. */
const bounds = [0.01, 0.02, 0.05, 0.1, 0.2];
/** With a bound: tokens between two checks against dense. */
const checkEvery = 16;

export class Controls {
  readonly #density = byId<HTMLInputElement>('density');
  readonly #bound = byId<HTMLInputElement>('bound');
  readonly #load = byId<HTMLInputElement>('load');
  #levels: Ready['levels'] = {};
  #pending: ReturnType<typeof setTimeout> | undefined;

  /** `changed` hears when the setting is another one. */
  constructor(private readonly changed: () => void) {
    for (const [name] of methods) {
      byId('methods').append(element('label', {}, element('input', { type: 'radio', name: 'method', value: name, checked: name === 'clada' }), element('span', {}, name)));
    }
    byId('methods').addEventListener('change', () => { this.#load.checked = this.method === 'clada-paper'; this.#update(); });
    for (const input of [this.#density, this.#bound, this.#load]) input.addEventListener('input', () => { this.#update(); });
    this.#show();
  }

  get method(): Choice {
    return document.querySelector<HTMLInputElement>('input[name=method]:checked')!.value as Choice;
  }

  get compares(): boolean { return byId<HTMLInputElement>('compare').checked; }

  get options(): SparsityOptions {
    const { method } = this;
    if (method === 'dense') return { method };
    if (method === 'auto') return { method, maxKl: bounds[Number(this.#bound.value)]!, checkEvery };
    const load = this.#load.checked;
    return { method, density: Number(this.#density.value), ...(load === (method === 'clada-paper') ? {} : { cogLoad: load }) };
  }

  /** The setting in a few words. */
  get line(): string {
    const { method } = this;
    if (method === 'dense') return 'dense';
    if (method === 'auto') return `auto, at most ${bounds[Number(this.#bound.value)]} nats from dense`;
    return `${method}, density ${Number(this.#density.value).toFixed(2)}${this.options.cogLoad === true ? ', load on' : this.options.cogLoad === false ? ', load off' : ''}`;
  }

  /** Methods without a calibration cannot be chosen. */
  ready(levels: Ready['levels']): void {
    this.#levels = levels;
    for (const input of document.querySelectorAll<HTMLInputElement>('input[name=method]')) {
      input.disabled = !['dense', 'griffin', 'clada', 'auto'].includes(input.value) && !levels[input.value];
    }
    this.#update();
  }

  /** What the calibration says of the setting. */
  promise(expected: Expected | undefined, failure: Failure | undefined): void {
    const place = byId('promise');
    if (failure) { place.textContent = failure.remedy; return; }
    if (!expected) { place.textContent = this.method === 'dense' || this.method === 'auto' ? '' : 'Its loss was not measured at calibration.'; return; }
    place.replaceChildren('Calibration: KL ', element('b', {}, nats(expected.kl)), ' nats, same top token ', element('b', {}, `${percent(expected.top1)} %`), this.#reach(expected));
  }

  /** Where the slider is beyond what the method can do. */
  #reach({ cost }: Expected): string {
    const asked = Number(this.#density.value);
    if (Math.abs(cost - asked) < 0.006) return '.';
    return ` at density ${cost.toFixed(2)}, the ${cost > asked ? 'least' : 'most'} that was calibrated.`;
  }

  #update(): void {
    byId('promise').textContent = '';
    this.#show();
    clearTimeout(this.#pending);
    this.#pending = setTimeout(() => { this.changed(); }, 60);
  }

  #show(): void {
    const { method } = this, rows = this.#levels[method];
    byId('method-line').textContent = methods.find(([name]) => name === method)![1];
    byId('density-dial').hidden = method === 'auto';
    byId('bound-dial').hidden = method !== 'auto';
    this.#density.disabled = method === 'dense';
    this.#load.disabled = method === 'dense' || method === 'auto' || method === 'griffin';
    byId('density-value').textContent = method === 'dense' ? '1.00' : Number(this.#density.value).toFixed(2);
    const bound = bounds[Number(this.#bound.value)]!;
    byId('bound-value').textContent = `${bound} nats`;
    this.#bound.setAttribute('aria-valuetext', `${bound} nats`);
    if (method === 'dense') byId('promise').textContent = 'Nothing is skipped, nothing is lost.';
    if (method === 'auto') byId('promise').textContent = `Every ${checkEvery}th token is also computed dense, and held against the bound.`;
    if (rows?.length) this.#density.title = `calibrated from ${rows.at(-1)!.cost.toFixed(2)} to ${rows[0]!.cost.toFixed(2)}`;
    else this.#density.removeAttribute('title');
  }
}
