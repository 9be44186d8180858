import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { InputError } from '../../src/errors.ts';
import { freshSeed, Random, type RandomState } from '../../src/sampler/random.ts';

const test = suite('sampler/random');

test('xoshiro128** gives the published outputs for state 1, 2, 3, 4', () => {
  const random = Random.fromState([1, 2, 3, 4]);
  assert.equal(Array.from({ length: 10 }, () => random.uint32()),
    [11520, 0, 5927040, 70819200, 2031721883, 1637235492, 1287239034, 3734860849, 3729100597, 4258142804]);
});

test('agrees with the same recurrence in BigInt for 2,000 outputs of several seeds', () => {
  const mask = 0xffffffffn;
  const rotl = (x: bigint, k: bigint): bigint => ((x << k) | (x >> (32n - k))) & mask;
  for (const seed of [0, 1, 42, 0x7fffffff, 0xffffffff]) {
    const random = new Random(seed);
    const s = random.saveState().map(BigInt);
    for (let i = 0; i < 2000; i++) {
      const expected = (rotl((s[1]! * 5n) & mask, 7n) * 9n) & mask;
      const t = (s[1]! << 9n) & mask;
      s[2]! ^= s[0]!; s[3]! ^= s[1]!; s[1]! ^= s[2]!; s[0]! ^= s[3]!; s[2]! ^= t; s[3] = rotl(s[3]!, 11n);
      assert.is(random.uint32(), Number(expected));
    }
  }
});

test('state is saved and restored; seeds differ', () => {
  const random = new Random(7);
  random.uint32();
  const state = random.saveState();
  const next = [random.float64(), random.float64()];
  random.restoreState(JSON.parse(JSON.stringify(state)) as RandomState);
  assert.equal([random.float64(), random.float64()], next);
  assert.not.equal(new Random(7).saveState(), new Random(8).saveState());
});

test('float64 is uniform in [0, 1): 64 bins of 64,000 draws by chi-square', () => {
  const random = new Random(2024);
  const bins = new Float64Array(64);
  for (let i = 0; i < 64000; i++) {
    const u = random.float64();
    assert.ok(u >= 0 && u < 1);
    bins[Math.floor(u * 64)]! += 1;
  }
  const chi = bins.reduce((sum, count) => sum + (count - 1000) ** 2 / 1000, 0);
  assert.ok(chi < 103.4, `chi-square ${chi} with 63 degrees of freedom; 103.4 is the 99.9 % point`);
});

test('float64 takes 27 high bits of one output and 26 of the next', () => {
  const random = Random.fromState([1, 2, 3, 4]);
  assert.is(random.float64(), 360 / 2 ** 27); // from 11520 and 0
  assert.is(random.float64(), 185220 / 2 ** 27 + 1106550 / 2 ** 53); // from 5927040 and 70819200
});

test('refuses what is no state', () => {
  const bad: unknown[] = [[0, 0, 0, 0], [1, 2, 3], [1, 2, 3, -1], [1, 2, 3, 2 ** 32], [1, 2, 3, 0.5], [1, 2, 3, NaN], null, undefined, 'abcd'];
  for (const state of bad) {
    assert.throws(() => Random.fromState(state as RandomState), (e: unknown) => e instanceof InputError && e.code === 'E_OPTION');
  }
});

test('a fresh seed is a 32-bit integer, and another one each time', () => {
  const seeds = new Set(Array.from({ length: 8 }, freshSeed));
  for (const seed of seeds) assert.ok(Number.isInteger(seed) && seed >= 0 && seed <= 0xffffffff);
  assert.ok(seeds.size > 1);
});

test.run();
