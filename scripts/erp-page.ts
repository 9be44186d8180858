/**
 * Writes the tables of docs/erp.md from bench/results/erp: fits.tsv (bench/erp/analyse.R) and runs.jsonl (where the words came from).
 *
 *   tsx scripts/erp-page.ts [--results DIR] [--page FILE.md] [--check]
 *
 * Generated text goes between <!-- results:NAME --> and <!-- /results:NAME -->. `--check` writes nothing and fails where the page is not up to date.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { parseTable } from '../bench/erp/corpus.ts';
import { markdown } from '../src/eval/tables.ts';
import type { Series } from './chart.ts';
import { lineChart } from './chart.ts';
import { publish, withParts } from './page.ts';

/** One fitted term; see bench/erp/fit.R. Numbers that a row does not have are NaN. */
export interface Fit {
  readonly analysis: string;
  readonly model: string;
  readonly corpus: string;
  readonly method: string;
  readonly term: string;
  readonly n: number;
  readonly estimate: number;
  readonly se: number;
  readonly chi2: number;
  readonly p: number;
  readonly aic: number;
  readonly cv: number;
  readonly cvse: number;
  readonly text: string;
}

export interface Run { readonly name: string; readonly corpus: string; readonly method: string; readonly machine: string; readonly commit: string | null; readonly date: string; readonly runtime: string; readonly tier: string }

const numbers = ['n', 'estimate', 'se', 'chi2', 'p', 'aic', 'cv', 'cvse'] as const;

export const parseFits = (text: string): Fit[] => parseTable(text).map((row) => (
  { ...row, ...Object.fromEntries(numbers.map((name) => [name, row[name] === '' ? NaN : Number(row[name])])) } as unknown as Fit));

const digits = (value: number, places: number): string => (Number.isFinite(value) ? value.toFixed(places).replace(/^-(0(?:\.0*)?)$/, '$1') : '–');
const pair = (value: number, error: number, places: number): string => (Number.isFinite(value) ? `${digits(value, places)}${Number.isFinite(error) ? ` ± ${digits(error, places)}` : ''}` : '–');
const probability = (p: number): string => (!Number.isFinite(p) ? '–' : p < 0.001 ? '< .001' : p.toFixed(3).slice(1));

/** From the smallest model; the page's names of them. */
const order = ['smollm2-135m-instruct-q4_1', 'gemma-3-270m', 'qwen2.5-coder-0.5b', 'qwen2.5-coder-1.5b'];
const modelName = (name: string): string => name.replace('-instruct-q4_1', '');
const place = (name: string): number => (order.includes(name) ? order.indexOf(name) : order.length);
const methodName = (name: string): string => name.replace('+cogLoad=true+cogLoadWarmup=2', ', moved by load').replace('+topK=true', ', share');
const byModel = (fits: readonly Fit[]): Fit[] => fits.map((fit, i) => ({ fit, i })).sort((a, b) => place(a.fit.model) - place(b.fit.model) || a.i - b.i).map(({ fit }) => fit);

/** "surprisal | strict": a bar would end a table's cell. */
const words = (term: string): string => term.replaceAll(' | ', ' over ');

const terms = (fits: readonly Fit[], analysis: string, methods: (method: string) => boolean, unit: string): string[] => {
  const rows = byModel(fits.filter((fit) => fit.analysis === analysis && methods(fit.method) && !fit.term.startsWith('shuffled') && Number.isFinite(fit.se)));
  if (rows.length === 0) return [];
  const several = new Set(rows.map(({ method }) => method)).size > 1 || rows[0]!.method !== 'dense';
  return [markdown(['model', ...(several ? ['method'] : []), 'term', `${unit} per sd`, 'chi²', 'p', 'AIC', 'held-out, nats'], rows.map(({ model, method, term, estimate, se, chi2, p, aic, cv, cvse, text }) => [
    modelName(model), ...(several ? [methodName(method)] : []), words(term) + (text === '' || text === 'converged' ? '' : ` (${text})`), pair(estimate, se, 3), digits(chi2, 1), probability(p), digits(aic, 1), pair(cv, cvse, 1),
  ]))];
};

/** Rows of a table by what they are of. */
const grouped = (fits: readonly Fit[], analysis: string): Map<string, Map<string, Fit>> => {
  const groups = new Map<string, Map<string, Fit>>();
  for (const fit of byModel(fits.filter((one) => one.analysis === analysis))) {
    const key = `${fit.model}\t${fit.method}\t${fit.corpus}`, group = groups.get(key) ?? new Map<string, Fit>();
    groups.set(key, group.set(fit.term, fit));
  }
  return groups;
};

/** Dense first, then by method, the gentlest setting first. */
const inOrder = (groups: Map<string, Map<string, Fit>>): [model: string, method: string, corpus: string, terms: Map<string, Fit>][] => {
  const name = (method: string): string => method.split(' ')[0]!, cost = (terms: Map<string, Fit>): number => terms.get('density')?.estimate ?? 1;
  return [...groups].map(([key, terms]): [string, string, string, Map<string, Fit>] => [...(key.split('\t') as [string, string, string]), terms]).sort(([modelA, a, corpusA, termsA], [modelB, b, corpusB, termsB]) =>
    place(modelA) - place(modelB) || corpusB.localeCompare(corpusA) || Number(b === 'dense') - Number(a === 'dense') || name(a).localeCompare(name(b)) || cost(termsB) - cost(termsA));
};

const keptTable = (fits: readonly Fit[]): string[] => {
  const rows = inOrder(grouped(fits, 'kept'));
  if (rows.length === 0) return [];
  return [markdown(['model', 'sentences', 'method', 'weights used', 'KL to dense', 'surprisal, nats a word', 'µV per sd', 'chi²', 'share of dense\'s held-out fit', 'difference, nats'], rows.map(([model, method, corpus, terms]) => {
    const own = terms.get('surprisal'), share = terms.get('share');
    return [
      modelName(model), corpus, methodName(method), digits(terms.get('density')?.estimate ?? NaN, 2), digits(terms.get('damage')?.estimate ?? NaN, 3), digits(terms.get('nll')?.estimate ?? NaN, 2), pair(own?.estimate ?? NaN, own?.se ?? NaN, 3),
      digits(own?.chi2 ?? NaN, 1), method === 'dense' ? '1' : pair(share?.estimate ?? NaN, share?.se ?? NaN, 2), method === 'dense' ? '–' : pair(share?.cv ?? NaN, share?.cvse ?? NaN, 1),
    ];
  }))];
};

const keptCurves = (fits: readonly Fit[], model: string): Series[] => {
  const series = new Map<string, { x: number; y: number; error: number }[]>();
  for (const [of, method, corpus, terms] of inOrder(grouped(fits, 'kept'))) {
    const damage = terms.get('damage'), share = terms.get('share'), name = method.split(' ')[0]!;
    if (of === model && corpus === 'listed' && method !== 'dense' && damage && share) series.set(name, [...(series.get(name) ?? []), { x: damage.estimate, y: share.estimate, error: share.se }]);
  }
  return [...series].map(([name, points]) => ({ name, points }));
};

const meansTable = (fits: readonly Fit[]): string[] => {
  const groups = [...grouped(fits, 'mean')];
  if (groups.length === 0) return [];
  const names = [...groups[0]![1].keys()].filter((term) => !term.endsWith('by surprisal'));
  return [markdown(['word means of the N400, R²', ...groups.map(([key]) => modelName(key.split('\t')[0]!))], names.map((name) => [words(name), ...groups.map(([, terms]) => {
    const fit = terms.get(name);
    return fit ? pair(fit.estimate, fit.se, 3) + (Number.isFinite(fit.cv) ? ` (${digits(fit.cv, 3)})` : '') : '–';
  })]))];
};

const componentTable = (fits: readonly Fit[]): string[] => {
  const groups = [...grouped(fits, 'mean')];
  if (groups.length === 0) return [];
  const names = [...groups[0]![1].keys()].filter((term) => term.endsWith('by surprisal'));
  return [markdown(['component, word means, by surprisal per sd', ...groups.map(([key]) => modelName(key.split('\t')[0]!))], names.map((name) => [name.replace(' by surprisal', ''), ...groups.map(([, terms]) => pair(terms.get(name)?.estimate ?? NaN, terms.get(name)?.se ?? NaN, 3))]))];
};

const shuffleTable = (fits: readonly Fit[]): string[] => {
  const rows = byModel(fits.filter(({ term }) => term.startsWith('shuffled')));
  return rows.length === 0 ? [] : [markdown(['model', 'method', 'predictor', 'chi² of the real one', 'of 40 shuffled: mean ± sd', 'share that reach it'], rows.map(({ model, method, term, estimate, se, chi2, p }) => [
    modelName(model), methodName(method), term.replace(/.*: /, ''), digits(chi2, 1), pair(estimate, se, 1), probability(p)]))];
};

function sources(runs: readonly Run[]): string[] {
  const lines = new Map<string, Set<string>>();
  for (const { name, corpus, method, machine, commit, date, runtime, tier } of runs) {
    const key = `${modelName(name)}, ${corpus}, ${tier} build; ${machine}, ${runtime}, commit ${commit ?? 'unknown'}, ${date.slice(0, 10)}`;
    lines.set(key, (lines.get(key) ?? new Set()).add(methodName(method)));
  }
  return lines.size === 0 ? [] : [[...lines].map(([key, methods]) => `- ${key}: ${[...methods].join('; ')}`).join('\n')];
}

/** The page with its tables made anew, and its curves by file name. @throws Error for a page that lacks a marker */
export function renderErp(page: string, fits: readonly Fit[], runs: readonly Run[]): { page: string; images: Map<string, string> } {
  const images = new Map<string, string>(), folder = 'erp';
  const figures = order.flatMap((model) => {
    const title = `N400 fit that a method's surprisal keeps, ${modelName(model)}`;
    const series = keptCurves(fits, model), svg = series.length < 3 ? undefined : lineChart({ title, x: { label: 'KL to dense, nats a word', log: true }, y: { label: 'share of dense\'s held-out gain' }, reference: { y: 1, label: 'dense' }, series });
    if (svg === undefined) return [];
    images.set(`kept-${modelName(model)}.svg`, svg);
    return [`![${title}](${folder}/kept-${modelName(model)}.svg)`];
  });
  const dense = (method: string): boolean => method === 'dense', sparse = (method: string): boolean => method !== 'dense';
  const parts = {
    trials: terms(fits, 'trial', dense, 'µV'), beyond: terms(fits, 'trial', sparse, 'µV'), shuffled: shuffleTable(fits), kept: [...keptTable(fits), ...figures],
    means: meansTable(fits), components: componentTable(fits), reading: [...terms(fits, 'reading', () => true, 'log ms · 1000')], sources: sources(runs),
  };
  return { page: withParts(page, parts), images };
}

function main(): void {
  const root = fileURLToPath(new URL('..', import.meta.url));
  const { values } = parseArgs({ options: { results: { type: 'string', default: join(root, 'bench/results/erp') }, page: { type: 'string', default: join(root, 'docs/erp.md') }, check: { type: 'boolean' } } });
  const read = (file: string): string => (existsSync(join(values.results, file)) ? readFileSync(join(values.results, file), 'utf8') : '');
  const before = readFileSync(values.page, 'utf8'), table = read('fits.tsv');
  const runs = read('runs.jsonl').split('\n').filter(Boolean).map((line) => JSON.parse(line) as Run);
  publish(values.page, renderErp(before, table === '' ? [] : parseFits(table), runs), values.check, 'scripts/erp-page.ts');
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) main();
