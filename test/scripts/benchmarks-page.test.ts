/** The page of speeds: made-up records become tables and pictures, and the page in docs is what the results give. */
import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { LegRecord, PeerRecord, RunRecord, Topic } from '../../bench/records.ts';
import { readRecords } from '../../bench/records.ts';
import { page, pictures, renderPage, results } from '../../scripts/benchmarks-page.ts';
import { barChart } from '../../scripts/chart.ts';

const test = suite('benchmarks page');
const names = ['native', 'threads', 'depth', 'parallel', 'runtimes', 'pages', 'load'];
const blank = names.map((name) => `<!-- results:${name} -->\nold\n<!-- /results:${name} -->\n`).join('');

const leg = (topic: Topic, asked: Partial<LegRecord['asked']>): LegRecord => ({
  type: 'leg', leg: `${topic}/toy`, topic, file: 'toy, Q4_1', asked: { contextSize: 64, ...asked }, command: 'npm run bench:peers', machine: 'Abacus, 2 cores', runtime: 'Node 20', commit: 'abc1234', date: '2026-01-02',
});
const run = (topic: Topic, entrant: string, round: number, more: Partial<RunRecord>): RunRecord =>
  ({ type: 'run', leg: `${topic}/toy`, entrant, threads: 1, round, engine: entrant, loadMs: 100, ...more });

const records: PeerRecord[] = [
  leg('native', { prompt: 512, predict: 64 }),
  ...[0, 1, 2].flatMap((round) => [ // a machine that is twice as fast in the last round
    run('native', 'llama.cpp', round, { prompt: round === 2 ? 200 : 100, decode: 50, firstMs: 500 }),
    run('native', 'clada relaxed', round, { prompt: round === 2 ? 300 : 150, decode: 100, loadMs: 50, firstMs: 250, bandwidth: 20, weightBytesPerToken: 1e8, fileBytes: 1e8, load: { readMs: 20, repackMs: 25 } }),
    run('native', 'llama.cpp', round, { threads: 2, prompt: 180, decode: 80 }), run('native', 'clada relaxed', round, { threads: 2, prompt: 270, decode: 180 }),
  ]),
  { type: 'skip', leg: 'native/toy', entrant: 'clada base', threads: 1, reason: 'out of beads' },
  leg('depth', { depths: [0, 2048], predict: 64 }),
  run('depth', 'llama.cpp', 0, { depths: { 0: 50, 2048: 25 } }), run('depth', 'clada relaxed', 0, { depths: { 0: 100, 2048: 80 } }),
  leg('parallel', { parallel: [1, 8], predict: 48 }),
  run('parallel', 'llama.cpp', 0, { parallel: { 1: 50, 8: 100 } }), run('parallel', 'clada relaxed', 0, { parallel: { 1: 100, 8: 240 }, p95Ms: { 1: 11, 8: 40 } }),
  leg('runtimes', { prompt: 512, predict: 64 }),
  run('runtimes', 'Node 20', 0, { prompt: 150, decode: 100, tier: 'relaxed' }), run('runtimes', 'Chromium', 0, { threads: 2, prompt: 300, decode: 150, tier: 'relaxed', browser: 'Chromium 156' }),
  leg('pages', { prompt: 128, predict: 32 }),
  run('pages', 'wllama in Chromium', 0, { prompt: 10, decode: 8, engine: 'wllama (llama.cpp b1, 1 thread)', browser: 'Chromium 156' }), run('pages', 'Chromium', 0, { prompt: 150, decode: 100 }),
];

test('ratios are of one round; every figure has its spread, every table its source', () => {
  const { page: made } = renderPage(blank, records, 'benchmarks');
  assert.match(made, /3 rounds taking turns\. Memory read at 20\.0 \(20\.0 … 20\.0\) GB\/s/);
  assert.match(made, /\| toy, Q4_1 \| +100 \(100 … 200\) \| 50\.0 \(50\.0 … 50\.0\) \| +150 \(150 … 300\) \| 100\.0 \(100\.0 … 100\.0\) \| +– \| +– \| +0\.50 \|/);
  assert.match(made, /\| toy, Q4_1 \| 1\.50 \(1\.50 … 1\.50\) \| +– \| 2\.00 \(2\.00 … 2\.00\) \| +– \|/); // not 100 against 300
  assert.match(made, /- toy, Q4_1: clada base, one thread: not measured: out of beads/);
  assert.match(made, /\| 270 \(270 … 270\) \| 180\.0 \(180\.0 … 180\.0\) \| +1\.80 \(0\.90 … 1\.80\) \| +1\.80 \(1\.80 … 1\.80\) \| +1\.50 \(1\.50 … 1\.50\) \| +2\.25 \(2\.25 … 2\.25\) \|/);
  assert.match(made, /\| toy, Q4_1 \| +100 \| +100 \(100 … 100\) \| 50 \(50 … 50\) \| 0\.50 \(0\.50 … 0\.50\) \| +500 \(500 … 500\) \| 250 \(250 … 250\) \|/);
  assert.match(made, /\| file +\| readMs \| repackMs \|/);
  assert.match(made, /\| 2048 +\| +25\.0 \(25\.0 … 25\.0\) \| +0\.50 \| +80\.0 \(80\.0 … 80\.0\) \| +0\.80 \| +3\.20 \(3\.20 … 3\.20\) \|/);
  assert.match(made, /\| 8 +\| +240 \(240 … 240\) \| 2\.40 \(2\.40 … 2\.40\) \| 40\.0 \(40\.0 … 40\.0\) \| +100 \(100 … 100\) \| 2\.00 \(2\.00 … 2\.00\) \|/);
  assert.match(made, /\| Chromium 156 \| +2 \| relaxed \| .* \| +2\.00 \(2\.00 … 2\.00\) \| +1\.50 \(1\.50 … 1\.50\) \|/);
  assert.match(made, /wllama \(llama\.cpp b1\) in Chromium 156/);
  assert.match(made, /\| +15\.0 \(15\.0 … 15\.0\) \| +12\.5 \(12\.5 … 12\.5\) \|/);
  assert.is(made.split('`npm run bench:peers`; Abacus, 2 cores, Node 20, commit abc1234, 2026-01-02').length, 6);
  assert.not.match(made, /old|NaN|undefined|Infinity/);
});

test('pictures are well-formed and on the page; made twice it is the same; without results it says so', () => {
  const once = renderPage(blank, records, 'benchmarks');
  assert.equal([...once.images.keys()].sort(), ['depth.svg', 'native.svg']);
  for (const [name, svg] of once.images) {
    assert.ok(once.page.includes(`](benchmarks/${name})`), name);
    assert.not.match(svg, /NaN|undefined|Infinity/);
    assert.is([...svg.matchAll(/<(svg|g|text|style)\b/g)].length, [...svg.matchAll(/<\/(svg|g|text|style)>/g)].length);
    for (const [, width] of svg.matchAll(/ width="([-\d.]+)"/g)) assert.ok(Number(width) > 0, `${name}: a bar of ${width}`);
  }
  assert.equal(renderPage(once.page, records, 'benchmarks'), once);
  assert.is(renderPage(once.page, [], 'benchmarks').page.split('No results in this checkout yet.').length, names.length + 1);
  assert.throws(() => renderPage('', records, 'benchmarks'), /no <!-- results:native -->/);
  assert.is(barChart({ title: '', x: '', names: ['a'], groups: [{ label: 'b', values: [undefined] }] }), undefined);
});

test('the page tells what the results say', () => {
  const text = readFileSync(page, 'utf8'), made = renderPage(text, readRecords(results), pictures);
  assert.is(made.page, text, 'run tsx scripts/benchmarks-page.ts');
  for (const [name, svg] of made.images) assert.is(readFileSync(new URL(`../../docs/${pictures}/${name}`, import.meta.url), 'utf8'), svg, `${name}: run tsx scripts/benchmarks-page.ts`);
});

test.run();
