/** The page of results: made-up ones become tables and curves, and the page in docs is what the files give. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { partNames, readResults, renderPage } from '../../scripts/adaptive-page.ts';
import { lineChart } from '../../scripts/chart.ts';
import type { HeaderRecord, KlRecord, ResultRecord, TaskRecord } from '../../src/eval/records.ts';

const test = suite('adaptive page');
const path = (url: string): string => fileURLToPath(new URL(url, import.meta.url));

const header: HeaderRecord = {
  type: 'header', version: 1, command: 'clada eval --documents made-up.json', machine: 'Abacus, 2 cores', commit: 'abc1234', date: '2026-01-02T03:04:05.000Z',
  runtime: 'Node 20', model: 'Toy', modelBytes: 5, kv: 'q8', tier: 'base', contextSize: 64,
};
const kl = (subject: string, document: string, value: number, cost: number, ms: number): KlRecord => ({
  type: 'kl', subject, kind: document === '1' ? 'wiki' : 'chat', document, prompt: 64, positions: 192, kl: value, deltaNll: value, nll: 3, top1: 1 - value / 2, cost, ms, denseMs: 10,
});
const task = (subject: string, item: string, right: number): TaskRecord => ({
  type: 'task', subject, protocol: 'generation', task: 'piqa', item, label: 0, logprobs: [-1, -2], right, rightNorm: 1, tokens: 4, cost: 0.6, ms: 8, scored: 6, sparse: 4,
});
const records: ResultRecord[] = [
  header, ...['1', '2'].flatMap((d) => [kl('dense', d, 0, 1, 10), kl('clada 0.6', d, 0.2, 0.6, 8), kl('clada 0.7', d, 0.06, 0.7, 9), kl('grif&fin 0.6', d, 1.3, 0.6, 7)]),
  ...['a', 'b', 'c', 'd'].flatMap((item) => [task('dense', item, 1), task('clada 0.6', item, Number(item !== 'd'))]),
  { type: 'generation', subject: 'dense', task: 'gsm8k', item: '1', score: 1, text: '7' }, { type: 'generation', subject: 'dense', task: 'gsm8k', item: '2', score: 0, text: '8' },
  { type: 'load', method: 'clada', density: 0.6, control: 'shuffled', documents: 16, cost: 0.601, kl: 0.21, fixedKl: 0.2, change: 0.05, se: 0.012 },
  { type: 'speed', subject: 'clada 0.6', cost: 0.6, kl: 0.2, top1: 0.75, ms: [8, 7, 9], token: [1.25, 1.1, 1.4], ffn: [1.5, 1.25, 2] },
];
const blank = ['quality', 'speed', 'tokens', 'load', 'tasks', 'generation', 'paper', 'claim', 'whole', 'gain'].map((name) => `# ${name}\n<!-- results:${name} -->\nold\n<!-- /results:${name} -->\n`).join('');

test('tables: every figure with its error, and where it came from', () => {
  const { page } = renderPage(blank, [{ name: 'toy', records }], 'adaptive');
  assert.match(page, /\| clada 0\.6 +\| +2 \| +0\.600 \| 0\.2000 ± 0\.0000 \| 0\.2000 ± 0\.0000 \| 0\.900 ± 0\.000 \| +8\.00 \| 1\.25x \| +0\.2000 \| +0\.2000 \|/);
  assert.match(page, /\| clada 0\.6 \| generation \| +75\.0 ± 21\.7 \| +75\.0 \| 75\.0 ± 25\.0 \|/);
  assert.match(page, /\| piqa \| clada 0\.6 \| generation \| +4 \| +75\.0 ± 21\.7 \| +100\.0 ± 0\.0 \| -25\.0 ± 25\.0 \| +– \| +0\.67 \| 0\.600 \| +8\.00 \|/);
  assert.match(page, /\| gsm8k \| +dense \| exact match \| +2 \| 50\.0 ± 50\.0 \|/);
  assert.is(page.split('`clada eval --documents made-up.json`; Abacus, 2 cores, Node 20, commit abc1234, 2026-01-02').length, 7); // under each of the six
  assert.match(page, /\| clada 0\.6 \| 0\.60 \| +0\.2000 \| 0\.750 \| 8\.00 \(7\.00 … 9\.00\) \| 1\.25 \(1\.10 … 1\.40\) \| +1\.50 \(1\.25 … 2\.00\) \|/);
  assert.match(page, /\| clada +\| shuffled \| +16 \| +0\.601 \| +0\.2100 \| +0\.2000 \| \+5\.0 % ± 1\.2 \|/);
  assert.match(page, /\| clada 0\.6 \| 0\.600 \| +1\.25 \| +1\.50 \| +75\.0 ± 25\.0 \| +– \| 0\.200 ± 0\.000 \| 0\.900 \|/);
  assert.not.match(page, /old/);
});

test("the paper's terms: a file of its own section, accuracy kept, answers, the last speed measured", () => {
  const speed = (ratio: number): ResultRecord => ({ type: 'token', subject: 'clada 0.6', rounds: 4, threads: 1, cost: 0.6, ms: [8, 7, 9], token: [ratio, 1.1, 1.4] });
  const own = [...records.filter(({ type }) => type !== 'load' && type !== 'speed'), speed(9), speed(1.25), { type: 'generation', subject: 'clada 0.6', task: 'gsm8k', item: '1', score: 0, text: '' } as const];
  const { page } = renderPage(blank, [{ name: 'paper-toy', records: own }], 'adaptive');
  assert.match(page, /\| clada 0\.6 +\| 1\.25 \(1\.10 … 1\.40\) \| 0\.600 \| +4 \| +75\.0 \| 75\.0 ± 25\.0 \| 0\.2000 ± 0\.0000 \| 0\.900 \| +0\.0 \(1\) \| +-100\.0 \|/);
  assert.match(page, /# quality\n<!-- results:quality -->\n+No results/);
});

test('time saved against accuracy kept: models and methods that have both', () => {
  const speed: ResultRecord = { type: 'token', subject: 'clada 0.6', rounds: 4, threads: 1, cost: 0.6, ms: [8, 7, 9], token: [1.25, 1.1, 1.4] };
  const { page, images } = renderPage('<!-- results:gain -->\n<!-- /results:gain -->', [{ name: 'paper-toy-1.5b', records: [...records, speed] }], 'adaptive');
  assert.match(page, /\| toy-1\.5b \| clada 0\.6 \| +75\.0 ± 25\.0 \| +1\.25 \(1\.10 … 1\.40\) \|/);
  assert.match(images.get('gain.svg')!, />clada 0\.6, 1\.5B</);
  assert.match(images.get('gain.svg')!, /stroke-opacity="\.35"/); // its error lies
});

test('whole tokens: of every build and number of threads the last that was measured', () => {
  const speed = (threads: number, ratio: number): ResultRecord => ({ type: 'token', subject: 'mask 0.8', rounds: 4, threads, cost: 0.8, ms: [8, 7, 9], token: [ratio, 1.1, 1.4] });
  const { page } = renderPage('<!-- results:whole -->\n<!-- /results:whole -->', [{ name: 'whole-toy', records: [header, speed(1, 9), speed(2, 1.3), speed(1, 1.25)] }], 'adaptive');
  assert.match(page, /\| toy +\| +base +\| +1 \| mask 0\.8 \| 0\.800 \| +8\.00 \| +1\.25 \(1\.10 … 1\.40\) \| +4 \|/);
  assert.match(page, /\| +2 \| mask 0\.8 \|/);
  assert.not.match(page, /9\.00 \(1\.10/);
});

test('made twice it is the same; without results it says so', () => {
  const files = [{ name: 'toy', records }];
  const once = renderPage(blank, files, 'adaptive');
  assert.equal(renderPage(once.page, files, 'adaptive'), once);
  const { page, images } = renderPage(once.page, [], 'adaptive');
  assert.is(images.size, 0);
  assert.is(page.split('No results in this checkout yet.').length, 11);
  assert.throws(() => renderPage('# nothing', files, 'adaptive'), /no <!-- results:NAME -->, NAME one of quality/);
  assert.throws(() => renderPage(blank, [{ name: 'toy', records: records.slice(1) }], 'adaptive'), /before any header/);
});

test('curves: a line a method, named at its end, well-formed', () => {
  const { page, images } = renderPage(blank, [{ name: 'toy', records }], 'adaptive');
  assert.equal([...images.keys()].sort(), ['claim-generation.svg', 'toy-kl.svg', 'toy-quality.svg', 'toy-speed-kl.svg', 'toy-speed-top1.svg', 'toy-top1.svg']);
  for (const [name, svg] of images) {
    assert.ok(page.includes(`](adaptive/${name})`), name);
    assert.match(svg, /class="name"[^>]*>clada( 0\.6)?</);
    if (name.includes('quality') || name.includes('speed')) assert.match(svg, /class="name"[^>]*>grif&#38;fin</);
    assert.not.match(svg, /NaN|undefined|Infinity/);
    const open = [...svg.matchAll(/<(svg|g|text|style)\b/g)].length, close = [...svg.matchAll(/<\/(svg|g|text|style)>/g)].length;
    assert.is(open, close);
    for (const [, x, y] of svg.matchAll(/c?x="([-\d.]+)" c?y="([-\d.]+)"/g)) assert.ok(Number(x) >= 0 && Number(x) <= 760 && Number(y) >= 0 && Number(y) <= 440, `${name}: ${x}, ${y}`);
    assert.match(svg, /currentColor/);
  }
  assert.is(images.get('toy-quality.svg')!.split('<circle').length, 3); // two levels of clada; dense has no KL to draw
});

test('charts: labels do not cover each other, one point is enough, none is no chart', () => {
  const axis = { label: 'x' };
  const many = lineChart({ title: 't', x: axis, y: axis, series: Array.from({ length: 8 }, (_, i) => ({ name: `m${i}`, points: [{ x: 0, y: i / 100 }, { x: 1, y: 5 + i / 1000 }] })) })!;
  const heights = [...many.matchAll(/class="name" x="[\d.]+" y="([\d.]+)"/g)].map(([, y]) => Number(y)).sort((a, b) => a - b);
  assert.is(heights.length, 8);
  for (let i = 1; i < 8; i++) assert.ok(heights[i]! - heights[i - 1]! >= 15.9, `${heights.join(' ')}`);
  assert.ok(lineChart({ title: 't', x: axis, y: axis, series: [{ name: 'a', points: [{ x: 3, y: 3 }] }] }));
  assert.is(lineChart({ title: 't', x: axis, y: { label: 'y', log: true }, series: [{ name: 'a', points: [{ x: 1, y: 0 }, { x: 1, y: NaN }] }] }), undefined);
});

test('the pages in docs are what bench/results gives, and nothing that is made is left out', () => {
  const pages = ['adaptive', 'adaptive-tables'].map((name) => ({ name, page: readFileSync(path(`../../docs/${name}.md`), 'utf8') })), files = readResults(path('../../bench/results'));
  for (const { name, page } of pages) assert.is(renderPage(page, files, name).page, page, 'run tsx scripts/adaptive-page.ts');
  for (const name of partNames) assert.is(pages.filter(({ page }) => page.includes(`<!-- results:${name} -->`)).length, 1, name);
});

test.run();
