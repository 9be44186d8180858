/** The study of words: tokens are put to the right words, a word's figures are sums and shares of its tokens', results become tables. */
import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { listed, parseTable, windows } from '../../bench/erp/corpus.ts';
import type { TokenStep } from '../../bench/erp/words.ts';
import { alignWords, boundaryTokens, figuresOf, logMass } from '../../bench/erp/words.ts';
import { parseFits, renderErp } from '../../scripts/erp-page.ts';

const test = suite('erp');
const pieces = ['', 'An', 'ne', ' lo', 'st', ' c', 'é', '\ue000', '.', ' a b', ' '], utf8 = new TextEncoder();
const vocabulary = {
  vocabSize: pieces.length, tokenBytes: (id: number) => (id === 7 ? Uint8Array.of(0xc3) : utf8.encode(pieces[id]!)), isEog: (id: number) => id === 0, isControl: (id: number) => id === 0,
};

test('every token belongs to one word', () => {
  assert.equal(alignWords([1, 2, 3, 4, 5, 6, 8], ['Anne', 'lost', 'cé.'], vocabulary), [{ word: 'Anne', from: 0, to: 2 }, { word: 'lost', from: 2, to: 4 }, { word: 'cé.', from: 4, to: 7 }]);
  assert.equal(alignWords([3, 4], ['lost'], vocabulary), [{ word: 'lost', from: 0, to: 2 }], 'a blank that the vocabulary puts in front');
  assert.equal(alignWords([1, 10, 2], ['An', 'ne'], vocabulary).map(({ to }) => to), [1, 3], 'a blank by itself is the next word\'s');
});

test('tokens of another text, or over two words, are refused', () => {
  assert.throws(() => alignWords([1, 2, 3], ['Anne', 'lost'], vocabulary), /the tokens spell/);
  assert.throws(() => alignWords([1, 9], ['An', 'a', 'b'], vocabulary), /reaches over the end of "a"/);
  assert.throws(() => alignWords([1, 7], ['An'], vocabulary), /the tokens spell/);
});

test('what ends a word is a blank or the end', () => {
  assert.equal([...boundaryTokens(vocabulary)], [0, 3, 5, 9, 10]);
  assert.ok(Math.abs(Math.exp(logMass(Float32Array.from([0, 0, 0, 0]), Math.log(4), Uint32Array.of(1, 2))) - 0.5) < 1e-12);
});

test('the words of a vocabulary share the whole of what can follow', () => {
  // after the text: " lo" or " c" (0.5 and 0.3), or no blank (0.2); after " lo": it ends (0.4) or goes on with "st" (0.6), which ends; " c" ends.
  const before: TokenStep = { entropy: 1, ends: Math.log(0.8), damage: 0.1, refined: 7 };
  const step = (p: number, ends: number): TokenStep => ({ entropy: 2, ends: Math.log(ends), surprisal: -Math.log(p), density: p, load: 1, damage: 0.2, refined: 9 });
  const lo = figuresOf({ from: 0, to: 1 }, [before, step(0.5, 0.4)]), lost = figuresOf({ from: 0, to: 2 }, [before, step(0.5, 0.4), step(0.6, 1)]), c = figuresOf({ from: 0, to: 1 }, [before, step(0.3, 1)]);
  assert.ok(Math.abs([lo, lost, c].reduce((sum, { surprisal }) => sum + Math.exp(-surprisal), 0) - 1) < 1e-12);
  assert.ok(Math.abs(lost.surprisalRaw + Math.log(0.3)) < 1e-12);
  assert.equal([lost.tokens, lost.entropyBefore, lost.entropyAfter, lost.density, lost.load, lost.damageBefore, lost.damageAfter, lost.refinedBefore], [2, 1, 2, 0.55, 1, 0.1, 0.2, 7]);
  const first = figuresOf({ from: 0, to: 1 }, [before, step(0.3, 1)], false);
  assert.ok(Math.abs(first.surprisal + Math.log(0.3)) < 1e-12, 'no blank in front of a text, nothing to give back');
});

test('passages cover every word once, behind what stands before', () => {
  const texts = Array.from({ length: 5 }, (_, i) => ({ id: i + 1, words: ['a', 'b', `c${i}`] }));
  assert.equal(listed(texts, 2).map(({ before }) => before), ['a b c2 a b c3', 'a b c2 a b c3', 'a b c0 a b c1', 'a b c0 a b c1', 'a b c0 a b c1']);
  assert.equal(windows(texts.slice(0, 1), 2).map(({ from, to, before }) => [from, to, before]), [[0, 2, ''], [2, 3, 'a b']]);
  assert.equal(parseTable('a\tb\n1\t\n'), [{ a: '1', b: '' }]);
  assert.throws(() => parseTable('a\tb\n1\n'), /row 2 has 1 cells/);
});

const head = 'analysis\tmodel\tcorpus\tmethod\tterm\tn\testimate\tse\tchi2\tdf\tp\taic\tcv\tcvse\ttext\n';
const names = ['trials', 'beyond', 'shuffled', 'kept', 'means', 'components', 'reading', 'sources'], empty = names.map((name) => `<!-- results:${name} --><!-- /results:${name} -->`).join('\n');

test('results become tables, each figure with its error', () => {
  const fits = parseFits(`${head}trial\tmodel\talone\tdense\tsurprisal\t32033\t-0.18001\t0.03472\t26.64\t1\t2.45e-07\t-24.64\t11.4\t5.12\t
kept\tmodel\tlisted\tdense\tsurprisal\t9\t-0.2\t0.03\t27\t1\t1e-7\t-25\t11\t5\t\nkept\tmodel\tlisted\tclada 0.6\tsurprisal\t9\t-0.1\t0.03\t20\t1\t1e-5\t-18\t8\t4\t
kept\tmodel\tlisted\tclada 0.6\tshare\t9\t0.75\t0.1\t\t\t\t\t-3\t2\t\nmean\tmodel\talone\tdense\tnoise ceiling\t1521\t0.35\t0.02\t\t\t\t\t\t\t
mean\tmodel\talone\tdense\tP600 by surprisal\t1521\t0.01\t0.02\t\t\t.6\t\t\t\t\n`);
  const { page } = renderErp(empty, fits, [{ name: 'model', corpus: 'alone', method: 'dense', machine: 'Abacus', commit: 'abc', date: '2026-01-02T', runtime: 'Node 20', tier: 'base' }]);
  assert.match(page, /\| model \| surprisal \| -0\.180 ± 0\.035 \| 26\.6 \| < \.001 \| -24\.6 \| +11\.4 ± 5\.1 \|/);
  assert.match(page, /\| model \|  *listed \| +clada 0\.6 \|.*\| 20\.0 \| +0\.75 ± 0\.10 \| +-3\.0 ± 2\.0 \|/);
  assert.match(page, /\| noise ceiling +\| 0\.350 ± 0\.020 \|/);
  assert.match(page, /\| P600 +\| 0\.010 ± 0\.020 \|/);
  assert.match(page, /- model, alone, base build; Abacus, Node 20, commit abc, 2026-01-02: dense/);
  assert.match(renderErp(empty, [], []).page, /No results in this checkout yet/);
  assert.throws(() => renderErp('', fits, []), /no <!-- results:trials -->/);
});

test('the page in the checkout is what its results give', () => {
  const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8'), page = read('docs/erp.md');
  const runs = read('bench/results/erp/runs.jsonl').split('\n').filter(Boolean).map((line) => JSON.parse(line) as Parameters<typeof renderErp>[2][number]);
  assert.is(renderErp(page, parseFits(read('bench/results/erp/fits.tsv')), runs).page, page);
});

test.run();
