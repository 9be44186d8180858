/** Several pages at one worker: one load for all, side by side, and an end with the last of them. */
import { mock } from 'node:test';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { CladaError, Progress } from '../../src/index.ts';
import type { RemoteModel } from '../../src/worker/index.ts';
import { Host } from '../../src/worker/host.ts';
import { loadInWorker } from '../../src/worker/index.ts';
import { Link } from '../../src/worker/link.ts';
import { Session } from '../../src/worker/session.ts';
import { portOf } from '../../src/worker/start.ts';
import type { Reply, Request } from '../../src/worker/wire.ts';
import { embeddedModel } from '../helpers/models.ts';

const test = suite('worker, shared');
const short = { maxTokens: 12, temperature: 0, ignoreEos: true } as const;
const refused = (promise: Promise<unknown>): Promise<CladaError> => promise.then(() => { throw new Error('not refused'); }, (error: unknown) => error as CladaError);

/** What a SharedWorker is to a page. */
const connect = (host: Host) => (): SharedWorker => {
  const { port1, port2 } = new MessageChannel();
  const session = new Session(host, (reply: Reply, transfer) => { port2.postMessage(reply, transfer); });
  port2.onmessage = ({ data }: MessageEvent<Request>) => {
    if (data.kind === 'hello') port2.postMessage({ kind: 'ready' });
    else session.hear(data);
    if (data.kind === 'close') port2.close();
  };
  return { port: port1, addEventListener: () => undefined } as unknown as SharedWorker;
};
const open = (host: Host, more: object = {}): Promise<RemoteModel> => loadInWorker(embeddedModel, { contextSize: 256, threads: 1, worker: connect(host), ...more });

test('two pages: loaded once, both answered at once, one goes, the last one closes it', async () => {
  const host = new Host(), told: Progress[][] = [[], []];
  const [first, second] = await Promise.all(told.map((list) => open(host, { onProgress: (now: Progress) => { list.push(now); } })));
  assert.is(first!.info.loadMs, second!.info.loadMs);
  assert.ok(told.every((list) => list.at(-1)!.loaded === list.at(-1)!.total), 'both hear of it');
  assert.equal(first!.placement, { shared: true, sharedReason: 'a SharedWorker' });
  const alone = await first!.generate('Once upon a time', short).text();
  const order: string[] = [], read = async (name: string, model: RemoteModel): Promise<string> => {
    let text = '';
    for await (const token of model.generate('Once upon a time', short)) { text += token.text; order.push(name); }
    return text;
  };
  assert.equal(await Promise.all([read('a', first!), read('b', second!)]), [alone, alone]);
  assert.match(order.join(''), /a+b+a/);
  const waiting = refused(first!.generate('Once', { ...short, maxTokens: 200 }).text()), other = second!.generate('Once upon a time', short).text();
  first!.close();
  assert.is((await waiting).code, 'E_CLOSED');
  assert.is(await other, alone);
  second!.close();
  const third = await open(host);
  assert.is.not(third.info.loadMs, first!.info.loadMs, 'it was gone, and is loaded anew');
  third.close();
});

test('another model, or other options, by the same name: refused; by its own mistakes nobody is held back', async () => {
  const host = new Host(), wrong = await refused(open(host, { contextSize: -1 })), model = await open(host);
  assert.is(wrong.code, 'E_OPTION');
  const other = await refused(open(host, { contextSize: 128 }));
  assert.equal([other.code, other.subject], ['E_OPTION', 'shared model']);
  const abort = new AbortController(), left = refused(open(host, { signal: abort.signal }));
  abort.abort();
  assert.is((await left).code, 'E_ABORTED');
  assert.is(typeof (await model.generate('Hi', short).text()), 'string');
  model.close();
});

/** A SharedWorker that was about to end when it was found: nobody answers any more. */
const silent = (): SharedWorker => {
  const { port1, port2 } = new MessageChannel();
  port2.onmessage = ({ data }: MessageEvent<Request>) => { if (data.kind === 'close') port2.close(); };
  return { port: port1, addEventListener: () => undefined } as unknown as SharedWorker;
};
/** Lets time pass in steps of a tenth of a second, while real messages go round. */
async function pass(seconds: number): Promise<void> {
  for (let tenth = 0; tenth < 10 * seconds; tenth++) { await new Promise((resolve) => { setImmediate(resolve); }); mock.timers.tick(100); }
}
test.after.each(() => { mock.timers.reset(); });

test('one that was found while it ended is asked for anew', async () => {
  const host = new Host(), alive = connect(host), asked: number[] = [];
  let tenths = 0;
  mock.timers.enable({ apis: ['setTimeout'] });
  const loading = open(host, { worker: () => { asked.push(Math.round(tenths / 10)); return asked.length < 3 ? silent() : alive(); } });
  for (; asked.length < 3; tenths++) await pass(0.1);
  mock.timers.reset(); // loading has timers of its own
  const model = await loading;
  assert.equal(asked, [0, 2, 6], 'seconds');
  assert.is(typeof (await model.generate('Hi', short).text()), 'string');
  model.close();
});

test('one that says nothing in time is a typed error', async () => {
  for (const again of [false, true]) { // the same object each time keeps its line
    let asked = 0;
    const same = again ? silent() : undefined;
    mock.timers.enable({ apis: ['setTimeout'] });
    const refusal = refused(open(new Host(), { worker: () => { asked++; return same ?? silent(); } }));
    await pass(31);
    mock.timers.reset();
    const error = await refusal;
    assert.equal([error.code, error.found, asked], ['E_WORKER', 'no answer within 30 s', 4]);
  }
});

test('what is asked of a line that has failed is refused with its reason', async () => {
  const link = new Link(portOf(silent()));
  assert.is(await link.answers(50), false);
  const why = new Error('why');
  link.fail(why);
  assert.is(await refused(link.call('score', [])), why);
  assert.is(await refused(link.answers(50)), why);
});

test.run();
