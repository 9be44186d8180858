/** How exact: a preset, or behind a disclosure a research method with its density and load. What is set becomes SparsityOptions. */
import type { SparsityOptions } from 'clada';
import { byId, element, nats, percent } from './dom.ts';
import { presets } from './presets.ts';
import type { Expected, Failure, Ready } from './protocol.ts';

/** A setting and what it is called. */
export interface Asked { readonly title: string; readonly options: SparsityOptions }

type Method = NonNullable<SparsityOptions['method']>;

/** In the order of the buttons, each in a line. */
const methods: readonly [Method, string][] = [
  ['griffin', 'One mask for the whole answer: the neurons that the prompt used most.'],
  ['mask', 'One mask for the whole answer, from the prompt and from what the calibration knows of each neuron.'],
  ['tt', 'Threshold truncation: drops what adds little to the sum. Gate and up matrix are read whole.'],
  ['cats', 'Reads the gate first and goes on only where it is open wide enough.'],
  ['clada-paper', 'A backbone from the prompt, moved for every token by how hard it is (arXiv 2502.19078, reconstructed).'],
  ['clada', 'Inputs of every matrix of a layer, under one budget of damage; anew for every token.'],
  ['wina', 'The inputs that are largest, times the columns that they meet; without a calibration.'],
  ['cascade', 'Neurons: gate first, then the product, under one budget of damage for all layers; anew for every token.'],
];

export class Controls {
  readonly #density = byId<HTMLInputElement>('density');
  readonly #load = byId<HTMLInputElement>('load');
  readonly #research = byId<HTMLDetailsElement>('research');
  #levels: Ready['levels'] = {};
  #pending: ReturnType<typeof setTimeout> | undefined;
  /** The preset that holds when the research methods are folded in. */
  #preset: string = 'balanced';

  /** `changed` hears when the setting is another one. */
  constructor(private readonly changed: () => void) {
    for (const { name, title, line } of presets) {
      const id = `${name}-line`, input = element('input', { type: 'radio', name: 'method', value: name, checked: name === this.#preset, 'aria-label': title, 'aria-describedby': id });
      byId('presets').append(element('label', {}, input, element('span', {}, element('b', {}, title), element('small', { id }, line))));
    }
    for (const [name] of methods) byId('methods').append(element('label', {}, element('input', { type: 'radio', name: 'method', value: name }), element('span', {}, name)));
    byId('presets').addEventListener('change', () => { this.#preset = this.#chosen; this.#update(); });
    byId('methods').addEventListener('change', () => { this.#load.checked = this.#chosen === 'clada-paper'; this.#update(); });
    for (const input of [this.#density, this.#load]) input.addEventListener('input', () => { this.#update(); });
    this.#research.addEventListener('toggle', () => {
      if (this.#research.open || !this.isResearch) return;
      document.querySelector<HTMLInputElement>(`input[name=method][value=${this.#preset}]`)!.checked = true; // what holds is never out of sight
      this.#update();
    });
    this.#show();
  }

  get #chosen(): string { return document.querySelector<HTMLInputElement>('input[name=method]:checked')!.value; }

  get isResearch(): boolean { return methods.some(([name]) => name === this.#chosen); }

  get compares(): boolean { return byId<HTMLInputElement>('compare').checked; }

  get asked(): Asked {
    const preset = presets.find(({ name }) => name === this.#chosen);
    if (preset) return preset;
    const method = this.#chosen as Method, load = this.#load.checked, density = Number(this.#density.value), own = method === 'clada-paper';
    return { title: `${method}, density ${density.toFixed(2)}${load === own ? '' : load ? ', load on' : ', load off'}`, options: { method, density, ...(load === own ? {} : { cogLoad: load }) } };
  }

  /** Methods without a calibration cannot be chosen. */
  ready(levels: Ready['levels']): void {
    this.#levels = levels;
    for (const input of byId('methods').querySelectorAll('input')) input.disabled = !['griffin', 'wina', 'clada'].includes(input.value) && !levels[input.value];
    this.#update();
  }

  /** What the calibration says of a research method as it is set. */
  promise(expected: Expected | undefined, failure: Failure | undefined): void {
    const place = byId('promise');
    if (failure) { place.textContent = failure.remedy; return; }
    if (!expected) { place.textContent = 'Its loss was not measured at calibration.'; return; }
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
    const chosen = this.#chosen, rows = this.#levels[chosen];
    byId('method-line').textContent = methods.find(([name]) => name === chosen)?.[1] ?? '';
    this.#density.disabled = !this.isResearch;
    this.#load.disabled = !this.isResearch || chosen === 'griffin';
    byId('density-value').textContent = Number(this.#density.value).toFixed(2);
    if (rows?.length) this.#density.title = `calibrated from ${rows.at(-1)!.cost.toFixed(2)} to ${rows[0]!.cost.toFixed(2)}`;
    else this.#density.removeAttribute('title');
  }
}
