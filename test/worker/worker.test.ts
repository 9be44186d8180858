/** Models in workers: the same as in this thread, to the bit; what crosses and what does not; ends of every kind. */
import { Worker } from 'node:worker_threads';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { CladaError, GenerateOptions, Progress, WontFitError } from '../../src/index.ts';
import * as clada from '../../src/index.ts';
import type { RemoteModel } from '../../src/worker/index.ts';
import { createGrammar } from '../../src/grammar/index.ts';
import { loadInWorker } from '../../src/worker/index.ts';
import { embeddedModel } from '../helpers/models.ts';

const test = suite('worker');
/** Threads of Node 20 do not inherit what compiles TypeScript. */
const starter = `import('tsx/esm/api').then(({ register }) => { register(); return import(${JSON.stringify(new URL('./own.mts', import.meta.url).href)}); })`;
const worker = (): Worker => new Worker(starter, { eval: true, execArgv: [] });
const options = { tier: 'base', contextSize: 256, threads: 1, worker } as const;
const progress: Progress[] = [];
const here = await clada.load(embeddedModel, { tier: 'base', contextSize: 256, threads: 1 });
const model = await loadInWorker(embeddedModel, { ...options, onProgress: (now) => { progress.push(now); } });
const short: Omit<GenerateOptions, 'constraint'> = { maxTokens: 6, temperature: 0, ignoreEos: true };
const refused = (promise: Promise<unknown>): Promise<CladaError> => promise.then(() => { throw new Error('not refused'); }, (error: unknown) => error as CladaError);

test.after(() => { model.close(); here.close(); });

test('what it is, and how far the load was, is told', () => {
  const { loadMs: _ms, loadParts: _parts, ...info } = model.info, { loadMs: _own, loadParts: _ownParts, ...own } = here.info;
  assert.equal(info, own);
  assert.is(progress[0]!.phase, 'header');
  assert.is(progress.at(-1)!.loaded, progress.at(-1)!.total);
  assert.equal(model.calibration!.levels, here.calibration!.levels);
  assert.not.ok('sensitivity' in model.calibration!);
  assert.equal(model.placement, { shared: false, sharedReason: "the application's worker" });
});

test('tokens, figures and telemetry are those of one thread', async () => {
  const asked: Omit<GenerateOptions, 'constraint'> = { ...short, telemetry: 'neurons', logprobs: 2, sparsity: { method: 'clada', density: 0.6 } };
  const prompts: [number, number][] = [], mine = here.generate('The capital of France', asked);
  const theirs = model.generate('The capital of France', { ...asked, onPrompt: (done, total) => { prompts.push([done, total]); } });
  assert.is(theirs.stats().generatedTokens, 0);
  const tokens = [];
  for await (const token of theirs) {
    tokens.push(token);
    assert.is(theirs.stats().generatedTokens, tokens.length);
  }
  assert.equal(tokens, await mine.tokens());
  const figures = ({ promptTokens, generatedTokens, stopReason, density, method, expected }: clada.GenerationStats): object => ({ promptTokens, generatedTokens, stopReason, density, method, expected });
  assert.equal(figures(theirs.stats()), figures(mine.stats()));
  assert.equal(await theirs.ids(), mine.ids);
  assert.equal(prompts.at(-1), [theirs.stats().promptTokens, theirs.stats().promptTokens]);
  assert.is(await model.generate('The capital of France', short).text(), await here.generate('The capital of France', short).text());
});

test('scores, logits, tokens and templates', async () => {
  const text = 'Paris is the capital of France.', ids = here.tokenizer.encode(text), messages = [{ role: 'user', content: text }];
  assert.equal(await model.tokenizer.encode(text), ids);
  assert.is(await model.tokenizer.decode(ids), text);
  assert.equal(await model.tokenizer.tokenBytes(ids[0]!), here.tokenizer.tokenBytes(ids[0]!).slice());
  assert.equal(await model.tokenizer.tokenBytes(ids[0]!), here.tokenizer.tokenBytes(ids[0]!).slice(), 'the first was not taken away');
  assert.is(await model.tokenizer.isControl(1), here.tokenizer.isControl(1));
  assert.is(model.tokenizer.isEog(here.tokenizer.eosId!), true);
  assert.is(model.tokenizer.vocabSize, here.tokenizer.vocabSize);
  assert.is(await model.template.render(messages), here.template.render(messages));
  assert.equal(await model.encodeChat(messages), here.encodeChat(messages));
  assert.equal(await model.score(text), await here.score(text));
  assert.equal((await model.evaluate(ids)).logits, (await here.evaluate(ids)).logits);
  assert.ok((await model.measureBandwidth()) > 0);
});

test('a conversation: turns, history, an early end, saved and restored here and there', async () => {
  const chat = model.chat({ system: 'Be brief.' }), own = here.chat({ system: 'Be brief.' });
  assert.is(chat.messages.length, 1);
  const answers = await Promise.all([chat.send('Name a colour.', short).text(), chat.send('Name an animal.', short).text()]);
  assert.equal(answers, [await own.send('Name a colour.', short).text(), await own.send('Name an animal.', short).text()]);
  assert.equal(chat.messages, own.messages);
  let said = '';
  for await (const { text } of chat.send('Tell me more.', { ...short, maxTokens: 20 })) { said += text; if (said.length > 8) break; }
  assert.equal(chat.messages.at(-1), { role: 'assistant', content: said });
  const bytes = await chat.save(), restored = await here.restore(bytes), again = await model.restore(bytes);
  assert.equal(restored.messages, chat.messages);
  assert.equal(again.messages, chat.messages);
  assert.is(await again.send('And?', short).text(), await restored.send('And?', short).text());
});

test('saved in the middle: nothing is lost between what was read and what follows', async () => {
  const whole = await here.generate('Once upon a time', { ...short, maxTokens: 12 }).text(), generation = model.generate('Once upon a time', { ...short, maxTokens: 12 });
  let text = '', snapshot: Uint8Array | undefined, read = 0;
  for await (const token of generation) {
    text += token.text;
    if (++read === 5) { snapshot = await generation.save(); break; }
  }
  assert.is(text + await (await model.resume(snapshot!, { maxTokens: 7 })).text(), whole);
  assert.is(text + await (await here.resume(snapshot!, { maxTokens: 7 })).text(), whole);
});

test('a slow reader holds the worker up: it is at most so far ahead', async () => {
  for (const readAhead of [0, 3]) {
    const generation = model.generate('Once upon a time', { ...short, maxTokens: 100, readAhead }), prompt = here.tokenizer.encode('Once upon a time', { addSpecial: 'start' }).length;
    let read = 0;
    for await (const _token of generation) {
      if (++read < 4) continue;
      await new Promise((resolve) => { setTimeout(resolve, 400); });
      assert.is((await generation.ids()).length - prompt, read + readAhead);
      break;
    }
    assert.ok((await generation.ids()).length - prompt <= read + readAhead, 'an early end computes nothing more');
  }
});

test('aborts carry their reason, and end what runs', async () => {
  for (const run of [(m: RemoteModel, signal: AbortSignal) => m.generate('Once', { ...short, maxTokens: 250, signal }).text(), (m: RemoteModel, signal: AbortSignal) => m.score('word '.repeat(900), { signal })]) {
    const abort = new AbortController(), reason = new Error('enough'), error = refused(run(model, abort.signal));
    setTimeout(() => { abort.abort(reason); }, 50);
    const { name, code, cause } = await error;
    assert.equal([name, code, cause], ['AbortError', 'E_ABORTED', reason]);
    assert.instance(await error, clada.AbortedError);
  }
  assert.is((await refused(model.generate('Once', { ...short, signal: AbortSignal.abort() }).text())).code, 'E_ABORTED');
});

test('errors are of the same classes, with the same parts', async () => {
  const pairs: [() => Promise<unknown>, () => Promise<unknown>][] = [
    [() => model.generate('', short).text(), () => here.generate('', short).text()],
    [() => model.generate([1e9], short).text(), () => here.generate([1e9], short).text()],
    [() => model.generate('Hi', { topK: -7 }).text(), async () => here.generate('Hi', { topK: -7 }).text()],
    [() => model.chat({ sytem: 'x' } as object).send('Hi').text(), async () => here.chat({ sytem: 'x' } as object).send('Hi').text()],
    [() => model.restore(new Uint8Array(100)), () => here.restore(new Uint8Array(100))],
    [() => loadInWorker('nowhere.gguf', { worker }), () => clada.load('nowhere.gguf')],
    [() => loadInWorker(embeddedModel, { worker, contextSiz: 3 } as object), () => clada.load(embeddedModel, { contextSiz: 3 } as object)],
  ];
  for (const [theirs, mine] of pairs) {
    const a = await refused(theirs()), b = await refused(mine());
    const parts = ({ name, message, code, subject, found, expected, remedy }: CladaError): object => ({ name, message, code, subject, found, expected, remedy });
    assert.equal(parts(a), parts(b));
    assert.is(a.constructor, b.constructor);
  }
  const fit = (await refused(loadInWorker(embeddedModel, { ...options, maxBytes: 20e6 }))) as WontFitError;
  assert.instance(fit, clada.WontFitError);
  assert.ok(fit.needed > fit.limit && fit.limit === 20e6);
});

test('what cannot cross is refused by name; what a callback throws ends its call', async () => {
  const odd = await refused(loadInWorker(embeddedModel, { ...options, cache: { get: () => undefined } } as object));
  assert.equal([odd.code, odd.subject], ['E_OPTION', 'load']);
  assert.is((await refused(loadInWorker({ size: 3, read: () => undefined } as never, options))).code, 'E_OPTION');
  const mine = new Error('mine');
  assert.is(await refused(model.generate('Hello there', { ...short, onPrompt: () => { throw mine; } }).text()), mine);
  const twice = model.generate('Hi', short);
  await twice.text();
  assert.is((await refused(twice.text())).code, 'E_OPTION');
});

test('a constraint is described, and made beside the model', async () => {
  const jsonSchema = { type: 'object', properties: { city: { enum: ['Paris', 'Rome'] } }, required: ['city'], additionalProperties: false };
  const asked = { maxTokens: 40, temperature: 0 }, prompt = 'The capital of Italy, as JSON: ';
  const text = await model.generate(prompt, { ...asked, constraint: { jsonSchema } }).text();
  assert.is(text, await here.generate(prompt, { ...asked, constraint: createGrammar(here.tokenizer).jsonSchema(jsonSchema) }).text());
  assert.match(JSON.parse(text).city, /^(Paris|Rome)$/);
  assert.match(await model.chat().send('A year?', { ...asked, constraint: { regex: /\d{4}/ } }).text(), /^\d{4}$/);
  for (const constraint of [{}, { json: true, gbnf: 'x' }, createGrammar(here.tokenizer).json(), { regex: '(' }]) {
    assert.is((await refused(model.generate(prompt, { constraint } as object).text())).code, 'E_OPTION');
  }
});

test('texts as vectors', async () => {
  const texts = ['The cat sleeps.', 'A kitten naps.'];
  assert.equal(await model.embed(texts, { dimensions: 64 }), await here.embed(texts, { dimensions: 64 }));
});

test('functions of the application run beside the model', async () => {
  const text = 'The cat sat on the mat.', done: number[] = [];
  assert.is(await model.run('perplexity', text, { onProgress: (n: number) => { done.push(n); } }), (await here.score(text)).perplexity);
  assert.ok(done.length > 0);
  const parts: number[] = [];
  for await (const part of model.stream<number>('count', 4)) parts.push(part);
  assert.equal(parts, [0, 1, 2, 3]);
  assert.instance(await refused(model.run('fail')), RangeError);
  const unknown = await refused(model.run('perplexty'));
  assert.match(unknown.message, /Did you mean perplexity\?/);
});

test('closed: what waits is refused, and whatever comes later', async () => {
  const other = await loadInWorker(embeddedModel, options), reading = refused(other.generate('Once', { ...short, maxTokens: 200 }).text()), hanging = refused(other.run('hang'));
  const half = other.generate('Once', short)[Symbol.asyncIterator]();
  await half.next();
  other.close();
  for (const error of [await reading, await hanging, await refused(other.score('x')), await refused(half.next()), await refused((async () => other.chat())())]) {
    assert.instance(error, clada.StateError);
    assert.is(error.code, 'E_CLOSED');
  }
  other.close();
});

test('a worker that ends, does not start or says nothing is a typed error', async () => {
  const other = await loadInWorker(embeddedModel, options), waiting = refused(other.generate('Once', { ...short, maxTokens: 200 }).text());
  await refused(other.run('die'));
  for (const error of [await waiting, await refused(other.score('x'))]) {
    assert.instance(error, clada.StateError);
    assert.equal([error.code, error.found], ['E_WORKER', 'that it ended with code 3']);
  }
  const missing = await refused(loadInWorker(embeddedModel, { worker: () => new Worker(new URL('./missing.mjs', import.meta.url)) }));
  assert.is(missing.code, 'E_WORKER');
  assert.match(missing.found, /missing\.mjs/);
  assert.is((await refused(loadInWorker(embeddedModel, { worker: () => ({}) as never }))).code, 'E_WORKER');
  const abort = new AbortController(), never = refused(loadInWorker(embeddedModel, { signal: abort.signal, worker: () => new Worker('setInterval(() => undefined, 100)', { eval: true, execArgv: [] }) }));
  abort.abort();
  assert.is((await never).code, 'E_ABORTED');
});

test.run();
