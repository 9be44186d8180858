/** What every token of an answer decided, as curves over the tokens that move together. */
import uPlot from 'uplot';
import { digits, element } from './dom.ts';
import { paced } from './paced.ts';
import type { Token } from './protocol.ts';
import { colour, onTheme } from './theme.ts';

type Name = 'surprisal' | 'entropy' | 'load' | 'density';
interface Chart { title: string; names: readonly Name[]; unit: string; range: (low: number, high: number) => [number, number] }

const charts: readonly Chart[] = [
  { title: 'Surprisal and entropy, nats', names: ['surprisal', 'entropy'], unit: 'nats', range: (_, high) => [0, Math.max(2, high * 1.05)] },
  { title: 'Load, deviations', names: ['load'], unit: '', range: () => [-2.2, 2.2] },
  { title: 'Density', names: ['density'], unit: '', range: (low) => [Math.min(0.4, low), 1.03] },
];
const places: Record<Name, number> = { surprisal: 2, entropy: 2, load: 2, density: 3 };

export class Series {
  readonly #plots: { plot: uPlot; names: readonly Name[] }[];
  readonly #values = new Map<Name, HTMLElement>();
  #tokens: readonly Token[] = [];
  #setting = false;
  readonly #drawing = paced(() => { this.#draw(); }, 200);

  /** `point` hears which token the pointer is at. */
  constructor(private readonly root: HTMLElement, point: (index: number | undefined) => void) {
    const key = 'tokens';
    this.#plots = charts.map((chart, i) => {
      const place = element('div'), heading = element('h3', {});
      for (const name of chart.names) {
        const value = element('b', {}, '–');
        this.#values.set(name, value);
        heading.append(element('span', {}, element('i', { class: name, 'aria-hidden': 'true' }), `${name}${chart.unit ? `, ${chart.unit}` : ''} `, value));
      }
      root.append(element('div', { class: 'chart' }, heading, place));
      const last = i === charts.length - 1, font = '11px system-ui, sans-serif', ink = (): string => colour('--muted'), grid = { stroke: () => colour('--line'), width: 1 };
      const plot = new uPlot({
        width: Math.max(200, root.clientWidth), height: last ? 112 : 92, padding: [6, 14, last ? 0 : 7, 0], legend: { show: false }, pxAlign: true,
        cursor: { sync: { key, setSeries: false, scales: ['x', null] }, y: false, points: { size: 7, fill: (u, s) => (u.series[s]!.stroke as () => string)() }, drag: { x: false, y: false } },
        scales: { x: { time: false, range: (_, low, high) => [low ?? 1, Math.max(high ?? 1, (low ?? 1) + 20)] }, y: { range: (_, low, high) => chart.range(low ?? 0, high ?? 1) } },
        axes: [
          { show: last, stroke: ink, grid: { show: false }, ticks: { ...grid, size: 4 }, size: 26, font, incrs: [1, 2, 5, 10, 20, 50, 100] },
          { stroke: ink, grid, ticks: { show: false }, size: 38, font, gap: 6, space: 26 },
        ],
        series: [{}, ...chart.names.map((name) => ({ stroke: () => colour(`--${name}`), width: 1.25, points: { show: false }, spanGaps: false }))],
        hooks: { setCursor: [(u) => { if (!this.#setting && u.root.matches(':hover')) point(u.cursor.idx ?? undefined); }] },
      }, [[1], ...chart.names.map(() => [null])] as uPlot.AlignedData, place);
      plot.root.setAttribute('aria-hidden', 'true'); // the numbers are in the heading and with each token
      plot.over.addEventListener('mouseleave', () => { point(undefined); });
      return { plot, names: chart.names };
    });
    onTheme(() => { for (const { plot } of this.#plots) plot.redraw(false, true); });
    new ResizeObserver(() => { for (const { plot } of this.#plots) plot.setSize({ width: Math.max(200, root.clientWidth), height: plot.height }); }).observe(root);
  }

  /** Tokens drawn. */
  get length(): number { return this.#tokens.length; }

  show(tokens: readonly Token[]): void {
    this.#tokens = tokens;
    this.root.dataset['tokens'] = String(tokens.length);
    this.#drawing();
  }

  #draw(): void {
    const x = this.#tokens.map((_, i) => i + 1);
    for (const { plot, names } of this.#plots) {
      const columns = names.map((name) => this.#tokens.map((token) => (Number.isFinite(token[name]) ? token[name] : null)));
      plot.setData([x.length > 0 ? x : [1], ...(x.length > 0 ? columns : names.map(() => [null]))] as uPlot.AlignedData);
    }
    this.root.dataset['drawn'] = this.#plots.map(({ plot }) => plot.data.map((column) => column.length).join(' ')).join(' ');
  }

  /** Marks a token in every curve and gives its numbers; undefined: no mark, the newest token's numbers. */
  mark(index: number | undefined): void {
    const token = index === undefined ? this.#tokens.at(-1) : this.#tokens[index];
    for (const [name, place] of this.#values) place.textContent = digits(token?.[name], places[name]);
    this.#setting = true;
    for (const { plot } of this.#plots) {
      if (plot.root.matches(':hover')) continue; // it is where this comes from
      plot.setCursor(index === undefined ? { left: -10, top: -10 } : { left: plot.valToPos(index + 1, 'x'), top: 10 }, false);
    }
    this.#setting = false;
  }
}
