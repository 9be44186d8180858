/** The page of models: made-up records become tables, and the page's figures of what ran are those of the results. */
import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { page, readRecords, renderPage, type RealRecord } from '../../scripts/models-page.ts';

const test = suite('models page');

const engine = (name: string, by: number): RealRecord['speed']['engines'][number] =>
  ({ name, prefill: [100 * by, 90, 110], decode: [40 * by, 39, 41], prefillRatio: [by, by, by], decodeRatio: [by, by, by] });
const record: RealRecord = {
  name: 'qwen2.5-coder-0.5b', family: 'qwen2', file: 'toy.gguf', params: 5e8, quantisation: 'Q4_K_M', fileBytes: 4e8, weightBytes: 4.4e8, weightBytesPerToken: 4e8,
  load: { seconds: 1.5, before: 5e7, peak: 5e8, memoryBytes: 4.8e8 },
  speed: { prompt: 256, predict: 64, rounds: 3, bandwidth: [20, 19, 21], engines: [engine('llama.cpp v1 (some binding)', 1), engine('clada relaxed', 0.5)] },
  nll: { wikitext: [2.02, 2, 2.01], code: [1, 1, 1] }, machine: 'Abacus, 2 cores', runtime: 'Node 20', commit: 'abc1234', date: '2026-01-02',
};

test('every figure stands beside what it is held against', () => {
  const made = renderPage('<!-- results:run -->\nold\n<!-- /results:run -->\n<!-- results:families --><!-- /results:families -->', [record]);
  assert.match(made, /\| qwen2\.5-coder-0\.5b \| +qwen2 \| +Q4_K_M \| +500M \| +400 \| +440 \| +1\.100 \| +400 \| +1\.50 \| +500: weights \+ 60 \|/);
  assert.match(made, /\| wikitext \| +2\.0200 \| 2\.0000 \| +\+1\.00 % \| +2\.0100 \| +\+0\.50 % \| +−0\.50 % \|/);
  assert.match(made, /\| qwen2\.5-coder-0\.5b \| clada relaxed \| +50 \(90 … 110\) \| .*\| +0\.50 \(0\.50 … 0\.50\) \|/);
  assert.match(made, /Abacus, 2 cores, Node 20, one thread, commit abc1234, 2026-01-02/);
  assert.match(made, /\| qwen2 +\| +`qwen2\.5-0\.5b` \|.*\| +another file of the family \|/);
  assert.match(made, /\| gpt2 +\| +`gpt2` \|.*\| +no: named only \|/);
  assert.ok(!made.includes('old'));
  assert.throws(() => renderPage('', []), /no <!-- results:run -->/);
});

test('the page tells what the results say', () => {
  const text = readFileSync(page, 'utf8'), part = (all: string): string => all.slice(all.indexOf('results:run'), all.indexOf('/results:run'));
  assert.is(part(renderPage(text, readRecords())), part(text), 'run tsx scripts/models-page.ts');
});

test.run();
