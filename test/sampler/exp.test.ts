import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { exp, log } from '../../src/sampler/exp.ts';
import { Random } from '../../src/sampler/random.ts';

const test = suite('sampler/exp');

/** Distance in units in the last place of `b`. */
function ulps(a: number, b: number): number {
  if (a === b) return 0;
  const exponent = Math.max(-1022, Math.floor(Math.log2(Math.abs(b))));
  return Math.abs(a - b) / 2 ** (exponent - 52);
}

test('exp: at most 1 ulp from Math.exp over the whole range, subnormal results within 1', () => {
  const random = new Random(1);
  let worst = 0;
  for (let i = 0; i < 200000; i++) {
    const x = i % 2 ? -708 + 1417 * random.float64() : -40 + 41 * random.float64();
    worst = Math.max(worst, ulps(exp(x), Math.exp(x)));
  }
  for (let i = 0; i < 2000; i++) {
    const x = -745.13 + 37 * random.float64();
    assert.ok(Math.abs(exp(x) - Math.exp(x)) <= Math.max(5e-324, 2 ** -52 * Math.exp(x) * 2), `exp(${x})`);
  }
  assert.ok(worst <= 1, `worst ${worst} ulp`);
});

test('exp: special values', () => {
  for (const [x, y] of [[0, 1], [-0, 1], [-Infinity, 0], [Infinity, Infinity], [-746, 0], [-1e300, 0], [709.9, Infinity], [1e300, Infinity]] as const) {
    assert.is(exp(x), y, `exp(${x})`);
  }
  assert.ok(Number.isNaN(exp(NaN)));
  assert.ok(ulps(exp(709.78), Math.exp(709.78)) <= 2);
  for (let x = -745.5; x < -744; x += 0.001) assert.ok(exp(x) <= 1e-323 && exp(x) >= 0, `exp(${x})`);
});

test('log: at most 2 ulp from Math.log, near 1 too; subnormals and special values', () => {
  const random = new Random(2);
  let worst = 0;
  for (let i = 0; i < 200000; i++) {
    const x = i % 3 === 0 ? 2 ** (-1074 + 2097 * random.float64()) : i % 3 === 1 ? 0.5 + random.float64() : 1 + 1e5 * random.float64();
    worst = Math.max(worst, ulps(log(x), Math.log(x)));
  }
  assert.ok(worst <= 2, `worst ${worst} ulp`);
  assert.is(log(1), 0);
  assert.is(log(0), -Infinity);
  assert.is(log(Infinity), Infinity);
  assert.ok(Number.isNaN(log(-1)) && Number.isNaN(log(NaN)));
  assert.ok(ulps(log(5e-324), Math.log(5e-324)) <= 2);
  assert.ok(ulps(log(Number.MAX_VALUE), Math.log(Number.MAX_VALUE)) <= 2);
});

test('bits are pinned: the same in every runtime', () => {
  const bits = (x: number): string => { const v = new DataView(new ArrayBuffer(8)); v.setFloat64(0, x); return v.getBigUint64(0).toString(16); };
  assert.equal([-0.5, -1, -3.25, -20, -700].map((x) => bits(exp(x))), PINNED_EXP);
  assert.equal([0.05, 0.7, 2, 10, 49152].map((x) => bits(log(x))), PINNED_LOG);
});

// Each equals the correctly rounded value, checked against 60 decimal digits.
const PINNED_EXP = ['3fe368b2fc6f960a', '3fd78b56362cef38', '3fa3da368521902d', '3e21b48655f37267', 'd14f2b0fb9307f'];
const PINNED_LOG = ['c007f7427b73e391', 'bfd6d3c324e13f50', '3fe62e42fefa39ef', '40026bb1bbb55516', '40259af7ee709313'];

test.run();
