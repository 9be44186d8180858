/** How `auto` chooses between methods whose times are known: by what a token takes, with the dense checks of the bound counted in. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { MethodName, SparsityOptions } from '../../src/adapt/methods.ts';
import { boundOf } from '../../src/adapt/methods.ts';
import type { Resolved } from '../../src/adapt/resolve.ts';
import type { Selection } from '../../src/adapt/selection.ts';
import { denseSelection } from '../../src/adapt/selection.ts';
import type { SequencePool } from '../../src/session/pool.ts';
import type { Sequence } from '../../src/session/sequence.ts';
import { chooseMethod } from '../../src/text/auto.ts';
import { madeUpLevels } from '../helpers/calibrated.ts';

const test = suite('auto');

/** What is chosen on a machine where a token of these methods takes these shares of a dense token's time. */
async function chosen(options: SparsityOptions, shares: Partial<Record<MethodName, number>>): Promise<Resolved> {
  const takes = new Map<Selection, number>(), now = performance.now;
  const prepare = (of: SparsityOptions): Resolved => {
    const method = of.method as MethodName, selection = { ...denseSelection };
    takes.set(selection, method === 'dense' ? 1 : shares[method]!);
    return { method, selection, expected: method === 'exact' ? undefined : madeUpLevels(2)[0], warnings: [], bound: boundOf(of), options: of };
  };
  let clock = 0;
  const sequence = {
    contextSize: 64, engine: { vocab: 100 },
    evaluate: async (_ids: unknown, read: (at: object) => unknown, { selection }: { selection?: Selection }) => {
      clock += selection ? takes.get(selection)! : 0;
      return read({ report: { topToken: 1 } });
    },
  };
  const pool = {
    engine: { plan: { hparams: {} } },
    run: (_ids: unknown, _signal: unknown, time: (of: Sequence) => unknown) => time(sequence as unknown as Sequence),
  } as unknown as SequencePool;
  const levels = (Object.keys(shares) as MethodName[]).filter((method) => method !== 'exact').map((method) => [method, madeUpLevels(2)] as const);
  performance.now = () => clock;
  try {
    return await chooseMethod({ pool, prepare, levels, calibrated: true, relu: 'exact' in shares }, options, boundOf(options), undefined);
  } finally {
    performance.now = now;
  }
}

test('the tokens that are computed a second time, dense, count', async () => {
  for (const [share, checkEvery, method] of [
    [0.95, 0, 'clada'], [0.95, 64, 'dense'], [0.95, 1000, 'clada'], // below 0.96 it is worth its loss
    [0.94, 64, 'clada'], [0.94, 32, 'dense'], [0.7, 4, 'clada'], [0.7, 3, 'dense'], [0.1, 1, 'dense'],
  ] as const) {
    const { method: took, bound, warnings } = await chosen({ maxKl: 1, checkEvery }, { clada: share });
    assert.is(took, method, `${share} of dense's time, every ${checkEvery}`);
    if (took === 'clada') assert.is(bound!.checkEvery, checkEvery);
    else assert.ok(warnings[0]!.includes(`clada ${(share + 1 / checkEvery).toFixed(2)}`), warnings[0]);
  }
});

test('of every 64th token where nothing else is said; of a density nothing is checked', async () => {
  assert.is((await chosen({ maxKl: 1 }, { clada: 0.95 })).method, 'dense');
  assert.is((await chosen({ minTop1: 0.5 }, { clada: 0.95 })).method, 'dense');
  assert.is((await chosen({ method: 'auto', density: 0.6 }, { clada: 0.95 })).method, 'clada');
});

test('exact loses nothing and is not checked, so it costs no checks', async () => {
  const { method, bound } = await chosen({ maxKl: 1, checkEvery: 4 }, { clada: 0.8, exact: 0.9 });
  assert.equal([method, bound], ['exact', undefined]);
  assert.is((await chosen({ maxKl: 1, checkEvery: 64 }, { clada: 0.8, exact: 0.9 })).method, 'clada');
});

test.run();
