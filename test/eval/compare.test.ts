/** Comparison with the dense run: against a naive one, resumed, and on the embedded model. */
import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Document } from '../../src/eval/compare.ts';
import { compareToDense, readDocuments, summariseComparison } from '../../src/eval/compare.ts';
import { estimate } from '../../src/eval/metrics.ts';
import type { KlRecord } from '../../src/eval/records.ts';
import { memoryLog, parseRecords } from '../../src/eval/records.ts';
import { DenseSubject, subjectFor } from '../../src/eval/subject.ts';
import { load } from '../../src/index.ts';
import { embeddedModel, hasShared, shared } from '../helpers/models.ts';
import { ToySubject, toyVocab } from '../helpers/subjects.ts';

const test = suite('compare');
const documents: Document[] = Array.from({ length: 4 }, (_, d) => ({ kind: d % 2 ? 'chat' : 'wiki', id: `d${d}`, ids: Array.from({ length: 12 + d }, (_, i) => (7 * i + 3 * d) % toyVocab) }));
const kl = (records: readonly { type: string }[]): KlRecord[] => records.filter((record): record is KlRecord => record.type === 'kl');

test('figures are those of a naive comparison', async () => {
  const dense = new ToySubject('dense', 0), sparse = new ToySubject('toy 0.6', 0.5), log = memoryLog();
  await compareToDense(dense, [dense, sparse], documents, { prompt: 4, log });
  assert.is(log.records.length, 8);
  assert.is(dense.calls, 4); // listed among the subjects too, but run once a document
  const { ids } = documents[1]!;
  let divergence = 0, change = 0, agreed = 0;
  for (let at = 4; at < ids.length; at++) {
    const a = dense.logits(ids.slice(0, at + 1), 1), b = sparse.logits(ids.slice(0, at + 1), 1);
    const logP = [a, b].map((row) => { const lse = Math.log(row.reduce((sum, x) => sum + Math.exp(x), 0)); return Array.from(row, (x) => x - lse); }) as [number[], number[]];
    divergence += logP[0].reduce((sum, p, i) => sum + Math.exp(p) * (p - logP[1][i]!), 0);
    if (at + 1 < ids.length) change += logP[0][ids[at + 1]!]! - logP[1][ids[at + 1]!]!;
    agreed += Number(a.indexOf(Math.max(...a)) === b.indexOf(Math.max(...b)));
  }
  const record = kl(log.records).find(({ subject, document }) => subject === 'toy 0.6' && document === 'd1')!;
  const n = ids.length - 4;
  assert.ok(Math.abs(record.kl! - divergence / n) < 1e-9 && Math.abs(record.deltaNll! - change / (n - 1)) < 1e-9, JSON.stringify(record));
  assert.is(record.top1, agreed / n);
  assert.is(record.positions, n);
  const [reference, toy] = summariseComparison(kl(log.records));
  assert.is(reference!.kl.mean, 0);
  assert.is(reference!.top1.mean, 1);
  assert.equal(toy!.kl, estimate(kl(log.records).filter(({ subject }) => subject === 'toy 0.6').map((r) => r.kl!)));
  assert.is(toy!.speedup, 10 / 8);
  assert.ok(Math.abs(toy!.cost - 0.6) < 1e-12);
  assert.equal(Object.keys(toy!.klByKind), ['wiki', 'chat']);
});

test('a run that was cut goes on to the same result, and computes nothing twice', async () => {
  const whole = memoryLog(), part = memoryLog();
  await compareToDense(new ToySubject('dense', 0), [new ToySubject('a', 0.5), new ToySubject('b', 1)], documents, { prompt: 4, log: whole });
  await compareToDense(new ToySubject('dense', 0), [new ToySubject('a', 0.5, 3), new ToySubject('b', 1, 2)], documents, { prompt: 4, log: part }).then(() => assert.unreachable(), () => undefined);
  assert.is(part.records.length, 8);
  const text = part.records.map((record) => `${JSON.stringify(record)}\n`).join('');
  const resumed = memoryLog(parseRecords(`${text}{"type":"kl","subj`).records); // and its last line was torn
  const dense = new ToySubject('dense', 0), a = new ToySubject('a', 0.5), b = new ToySubject('b', 1);
  await compareToDense(dense, [a, b], documents, { prompt: 4, log: resumed });
  assert.equal(resumed.records, whole.records);
  assert.equal([dense.calls, a.calls, b.calls], [2, 1, 2]);
  await compareToDense(dense, [a, b], documents, { prompt: 4, log: resumed });
  assert.equal([dense.calls, a.calls, b.calls], [2, 1, 2]);
});

test('refuses what it cannot compare, by name', async () => {
  await compareToDense(new ToySubject('dense', 0), [], documents, { prompt: 11, log: memoryLog() }).then(() => assert.unreachable(), (error: Error) => assert.match(error.message, /d0.*12 tokens.*at least 13/));
  for (const wrong of [{}, [], [{ kind: 'a', id: 'b' }], [documents[0], documents[0]]]) assert.throws(() => readDocuments(wrong), /documents: found/);
});

test('dense on the embedded model: against itself nothing changes; a shared prompt is not computed again', async () => {
  await using model = await load(embeddedModel, { tier: 'base', contextSize: 64 });
  const ids = [...model.tokenizer.encode('The quick brown fox jumps over the lazy dog. The capital of France is Paris.')];
  const log = memoryLog();
  const other = new DenseSubject(model);
  await compareToDense(new DenseSubject(model), [Object.defineProperty(other, 'label', { value: 'again' })], [{ kind: 'x', id: 'x', ids }], { prompt: 5, log });
  const [reference, again] = kl(log.records);
  assert.equal([again!.kl, again!.deltaNll, again!.top1, again!.nll], [0, 0, 1, reference!.nll]);
  assert.ok(again!.ms! > 0 && again!.cost === 1);
  const { tokens } = await model.score(ids);
  const expected = tokens.slice(6).reduce((sum, { surprisal }) => sum + surprisal, 0) / (ids.length - 6);
  assert.ok(Math.abs(reference!.nll! - expected) < 1e-4, `${reference!.nll} is not ${expected}`);

  const subject = new DenseSubject(model), seen: number[][] = [[], []];
  for (const rows of seen) await subject.follow(ids.slice(0, 6), ids.slice(6, 8), (logits, { fed }) => { rows.push(fed, logits[11]!); });
  assert.equal(seen[0], seen[1]);
  assert.throws(() => subjectFor(model, 'dence'), /Did you mean dense\?/);
  assert.throws(() => subjectFor(model, 'dense', { density: 0.5 }), /density 0.5/);
});

test('the documents of the fixture are readable', () => {
  if (hasShared) assert.is(readDocuments(JSON.parse(readFileSync(`${shared}fixtures/method/documents.json`, 'utf8'))).length, 32);
});

test.run();
