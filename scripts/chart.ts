/**
 * Line and bar charts as SVG, readable on light and dark pages: lines in a palette for colour-blind eyes (Okabe and Ito, its blue lightened) with a marker shape each, text and
 * grid in currentColor, a grey that follows the reader's scheme, names at the line ends instead of a legend.
 */
export interface Axis {
  readonly label: string;
  /** Logarithmic: points that are not above 0 are left out. */
  readonly log?: boolean;
}

export interface Point {
  readonly x: number;
  readonly y: number;
  /** Standard errors of y and of x; drawn as bars. */
  readonly error?: number;
  readonly xError?: number;
}

export interface Series {
  readonly name: string;
  readonly points: readonly Point[];
}

export interface Chart {
  readonly title: string;
  readonly x: Axis;
  readonly y: Axis;
  readonly series: readonly Series[];
  /** A dashed horizontal line. */
  readonly reference?: { readonly y: number; readonly label: string };
}

const width = 760, height = 440;
const plot = { left: 72, right: width - 128, top: 44, bottom: height - 56 };
const palette = ['#2a85cc', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9'];
const lineHeight = 16, letterWidth = 8;

/** Colours of methods stay the same from chart to chart. */
const knownNames = ['clada', 'griffin', 'cats', 'tt', 'clada-paper', 'mask', 'exact', 'cascade', 'wina', 'teal'];

/** "clada 0.6" has the colour of clada. */
const known = (name: string): string => name.split(' ')[0]!;

const escape = (text: string): string => text.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
const at = (value: number): string => String(Math.round(10 * value) / 10);

interface Scale { place: (value: number) => number; ticks: number[] }

/** Maps values to pixels `from` … `to`; ticks are round numbers inside. */
function scaleOf({ log }: Axis, values: readonly number[], from: number, to: number): Scale {
  let low = Math.min(...values), high = Math.max(...values);
  if (log) {
    [low, high] = [low / 1.25, high * 1.25];
    const ticks: number[] = [];
    const steps = high / low > 300 ? [1] : [1, 2, 5];
    for (let exponent = Math.floor(Math.log10(low)); exponent <= Math.log10(high); exponent++) ticks.push(...steps.map((step) => Number(`${step}e${exponent}`)));
    return { place: (value) => from + ((to - from) * Math.log(value / low)) / Math.log(high / low), ticks: ticks.filter((tick) => tick >= low && tick <= high) };
  }
  const margin = 0.06 * (high - low) || 0.1 * Math.abs(high) || 1;
  [low, high] = [low - margin, high + margin];
  const rough = (high - low) / 6, magnitude = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((factor) => factor * magnitude >= rough)! * magnitude;
  const ticks = Array.from({ length: Math.floor(high / step) - Math.ceil(low / step) + 1 }, (_, i) => Number(((Math.ceil(low / step) + i) * step).toPrecision(12)));
  return { place: (value) => from + ((to - from) * (value - low)) / (high - low), ticks };
}

/** Moves labels apart, first downwards, then up from the lower edge, until none covers another. @returns their heights */
function spread(labels: readonly { x: number; y: number; width: number }[]): number[] {
  const placed = labels.map(({ y }) => y), order = [...labels.keys()].sort((a, b) => labels[a]!.y - labels[b]!.y);
  const pass = (indices: readonly number[], step: number): void => {
    for (const [i, index] of indices.entries()) {
      const before = indices.slice(0, i).filter((other) => labels[other]!.x < labels[index]!.x + labels[index]!.width && labels[index]!.x < labels[other]!.x + labels[other]!.width);
      for (let other: number | undefined; (other = before.find((o) => Math.abs(placed[o]! - placed[index]!) < lineHeight)) !== undefined;) placed[index] = placed[other]! + step;
    }
  };
  pass(order, lineHeight);
  if (placed.some((y) => y > plot.bottom + 4)) {
    for (const index of order) placed[index] = Math.min(placed[index]!, plot.bottom + 4);
    pass(order.reverse(), -lineHeight);
  }
  return placed;
}

function marker(shape: number, x: number, y: number): string {
  switch (shape % 4) {
    case 0: return `<circle cx="${at(x)}" cy="${at(y)}" r="4"/>`;
    case 1: return `<rect x="${at(x - 3.5)}" y="${at(y - 3.5)}" width="7" height="7"/>`;
    case 2: return `<path d="M${at(x)} ${at(y - 5)}l4.5 8.5h-9z"/>`;
    default: return `<path d="M${at(x)} ${at(y - 5.5)}l5 5.5l-5 5.5l-5 -5.5z"/>`;
  }
}

/** The chart; undefined where no series has a point that can be drawn. */
export function lineChart({ title, x, y, series, reference }: Chart): string | undefined {
  const drawn = series.map(({ name, points }) => ({
    name, points: points.filter((p) => Number.isFinite(p.x) && Number.isFinite(p.y) && (!x.log || p.x > 0) && (!y.log || p.y > 0)).sort((a, b) => a.x - b.x),
  })).filter(({ points }) => points.length > 0);
  if (drawn.length === 0) return undefined;
  const all = drawn.flatMap(({ points }) => points);
  const sx = scaleOf(x, all.flatMap(({ x: value, xError = 0 }) => [value - xError, value + xError]), plot.left, plot.right);
  const sy = scaleOf(y, [...all.map((p) => p.y), ...(reference ? [reference.y] : [])], plot.bottom, plot.top);
  const strange = drawn.map(({ name }) => name).filter((name) => !knownNames.includes(known(name)));
  const rank = (name: string): number => (knownNames.includes(known(name)) ? knownNames.indexOf(known(name)) : knownNames.length + strange.indexOf(name));
  const out: string[] = [];

  for (const tick of sx.ticks) {
    const px = at(sx.place(tick));
    out.push(`<path class="grid" d="M${px} ${plot.top}V${plot.bottom}"/><text x="${px}" y="${plot.bottom + 18}" text-anchor="middle">${tick}</text>`);
  }
  for (const tick of sy.ticks) {
    const py = sy.place(tick);
    out.push(`<path class="grid" d="M${plot.left} ${at(py)}H${plot.right}"/><text x="${plot.left - 8}" y="${at(py + 4)}" text-anchor="end">${tick}</text>`);
  }
  out.push(`<path class="axis" d="M${plot.left} ${plot.top}V${plot.bottom}H${plot.right}"/>`);
  if (reference) {
    const py = sy.place(reference.y);
    out.push(`<path class="axis" stroke-dasharray="5 4" d="M${plot.left} ${at(py)}H${plot.right}"/><text x="${plot.left + 6}" y="${at(py - 5)}">${escape(reference.label)}</text>`);
  }
  const labels = spread(drawn.map(({ name, points }) => ({ width: letterWidth * name.length, x: sx.place(points.at(-1)!.x), y: sy.place(points.at(-1)!.y) + (points.at(-1)!.xError ? -7 : 4) }))); // above a bar that lies
  for (const [i, { name, points }] of drawn.entries()) {
    const colour = palette[rank(name) % palette.length]!;
    const places = points.map((p) => ({ ...p, px: sx.place(p.x), py: sy.place(p.y) }));
    const line = places.map(({ px, py }, n) => `${n === 0 ? 'M' : 'L'}${at(px)} ${at(py)}`).join('');
    const bars = places.flatMap(({ px, y: value, error }) => {
      if (error === undefined || !(error > 0)) return [];
      const lower = y.log && value - error <= 0 ? plot.bottom : Math.min(plot.bottom, sy.place(value - error));
      return [`M${at(px)} ${at(lower)}V${at(Math.max(plot.top, sy.place(value + error)))}`];
    });
    const flat = places.flatMap(({ x: value, py, xError = 0 }) => (xError > 0 ? [`M${at(sx.place(value - xError))} ${at(py)}H${at(sx.place(value + xError))}`] : []));
    out.push(`<g stroke="${colour}" fill="${colour}"><path fill="none" stroke-width="2" d="${line}${bars.join('')}"/>${flat.length > 0 ? `<path fill="none" stroke-opacity=".35" d="${flat.join('')}"/>` : ''}${places.map(({ px, py }) => marker(rank(name), px, py)).join('')}</g>`);
    out.push(`<text class="name" x="${at(places.at(-1)!.px + 10)}" y="${at(labels[i]!)}" fill="${colour}">${escape(name)}</text>`);
  }
  return drawing(title, height, [
    ...out,
    `<text x="${(plot.left + plot.right) / 2}" y="${height - 14}" text-anchor="middle">${escape(x.label)}</text>`,
    `<text transform="translate(18 ${(plot.top + plot.bottom) / 2}) rotate(-90)" text-anchor="middle">${escape(y.label)}</text>`,
  ]);
}

/** Bars of several values in each group, from 0. */
export interface BarChart {
  readonly title: string;
  readonly x: string;
  /** What the bars of a group are, in order. */
  readonly names: readonly string[];
  readonly groups: readonly { readonly label: string; readonly values: readonly (readonly [middle: number, least: number, most: number] | undefined)[] }[];
  /** A dashed vertical line. */
  readonly reference?: { readonly x: number; readonly label: string };
}

/** The chart, bars lying, each with its value and a line from the least to the most; undefined where there is no value. */
export function barChart({ title, x, names, groups, reference }: BarChart): string | undefined {
  const all = groups.flatMap(({ values }) => values.flatMap((value) => value ?? []));
  if (all.length === 0) return undefined;
  const left = 210, right = width - 60, top = 66, thick = 14, gap = 14, tall = names.length * thick + gap;
  const bottom = top + groups.length * tall, { place, ticks } = scaleOf({ label: x }, [0, ...all, ...(reference ? [reference.x] : [])], left, right);
  const zero = place(0), out: string[] = [];
  for (const tick of ticks.filter((value) => value >= 0)) {
    out.push(`<path class="grid" d="M${at(place(tick))} ${top}V${bottom}"/><text x="${at(place(tick))}" y="${bottom + 18}" text-anchor="middle">${tick}</text>`);
  }
  names.forEach((name, i) => { out.push(`<rect x="${left + 130 * i}" y="38" width="12" height="12" fill="${palette[i % palette.length]}"/><text x="${left + 130 * i + 18}" y="49">${escape(name)}</text>`); });
  for (const [g, { label, values }] of groups.entries()) {
    const y = top + g * tall + gap / 2;
    out.push(`<text x="${left - 10}" y="${at(y + (names.length * thick) / 2 + 4)}" text-anchor="end">${escape(label)}</text>`);
    for (const [i, value] of values.entries()) {
      if (!value) continue;
      const [middle, least, most] = value, line = y + i * thick;
      out.push(`<rect x="${at(zero)}" y="${at(line)}" width="${at(place(middle) - zero)}" height="${thick - 2}" fill="${palette[i % palette.length]}"/>`);
      out.push(`<path class="axis" d="M${at(place(least))} ${at(line + thick / 2 - 1)}H${at(place(most))}"/><text x="${at(place(Math.max(middle, most)) + 6)}" y="${at(line + thick - 4)}">${middle.toFixed(2)}</text>`);
    }
  }
  out.push(`<path class="axis" d="M${at(zero)} ${top}V${bottom}"/>`);
  if (reference) out.push(`<path class="axis" stroke-dasharray="5 4" d="M${at(place(reference.x))} ${top - 4}V${bottom}"/><text x="${at(place(reference.x) + 4)}" y="${top - 4}">${escape(reference.label)}</text>`);
  return drawing(title, bottom + 48, [...out, `<text x="${(left + right) / 2}" y="${bottom + 38}" text-anchor="middle">${escape(x)}</text>`]);
}

function drawing(title: string, tall: number, content: readonly string[]): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${tall}" fill="currentColor" role="img" aria-label="${escape(title)}">`,
    `<style>svg{color:#57606a;font:13px system-ui,sans-serif}text.name{font-weight:600}.grid{stroke:currentColor;stroke-opacity:.2;fill:none}.axis{stroke:currentColor;fill:none}@media(prefers-color-scheme:dark){svg{color:#a0a8b0}}</style>`,
    `<text x="${plot.left}" y="24" font-size="15" font-weight="600">${escape(title)}</text>`,
    ...content,
    '</svg>', '',
  ].join('\n');
}
