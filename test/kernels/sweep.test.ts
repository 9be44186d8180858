import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Random } from '../../src/sampler/random.ts';
import { Kernels, builds } from '../helpers/kernels.ts';
import { uniform } from '../helpers/matrices.ts';

for (const build of builds) {
  const test = suite(`sweep (${build})`);
  const k = new Kernels(build, 32);

  function sweep(logits: Float32Array, deviations?: Float32Array): { entropy: number; max: number; lse: number; error: number; top: number } {
    k.reset();
    const report = k.alloc(32);
    k.call('sweepLogitsAt', k.putF32(logits), logits.length, report, deviations ? k.putF32(deviations) : 0);
    k.checkCanaries();
    const [, , , entropy, max, lse, error] = k.f32(report, 8);
    return { entropy: entropy!, max: max!, lse: lse!, error: error!, top: k.i32(report, 8)[7]! };
  }

  test('maximum, log-sum-exp and entropy against float64', () => {
    const random = new Random(2);
    for (const vocab of [1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 1023, 1024, 1025, 49_152]) for (const spread of [0, 1, 30]) {
      const logits = Float32Array.from({ length: vocab }, () => spread * uniform(random) - 3);
      const max = logits.reduce((m, v) => Math.max(m, v), -Infinity);
      let sum = 0, moment = 0;
      for (const v of logits) { const e = Math.exp(v - max); sum += e; moment += e * (v - max); }
      const got = sweep(logits);
      assert.is(got.max, max);
      assert.is(got.top, logits.indexOf(max));
      assert.ok(Math.abs(got.lse - (max + Math.log(sum))) < 4e-6 + 1e-6 * Math.abs(max), `lse ${got.lse}, ${vocab} entries`);
      assert.ok(Math.abs(got.entropy - (Math.log(sum) - moment / sum)) < 1e-5, `entropy ${got.entropy}, ${vocab} entries`);
    }
  });

  test('logits with deviations are taken at their mean, and say how far off that may be', () => {
    const random = new Random(4), vocab = 4099, known = 100;
    const logits = Float32Array.from({ length: vocab }, (_, i) => (i < known ? 2 : -4) * random.float64() + (i < known ? 4 : 0));
    const deviations = Float32Array.from({ length: vocab }, (_, i) => (i < known ? 0 : 0.3 * random.float64()));
    let sum = 0, moment = 0, variance = 0, common = 0;
    const max = Math.max(...logits);
    for (const [i, v] of logits.entries()) {
      const square = deviations[i]! ** 2, e = Math.exp(v - max + square / 2);
      sum += e; moment += e * (v - max + square); variance += e * e * square; common += e * deviations[i]!;
    }
    const got = sweep(logits, deviations);
    assert.ok(Math.abs(got.lse - (max + Math.log(sum))) < 1e-5, `lse ${got.lse}`);
    assert.ok(Math.abs(got.entropy - (Math.log(sum) - moment / sum)) < 1e-5, `entropy ${got.entropy}`);
    assert.ok(Math.abs(got.error - Math.hypot(Math.sqrt(variance), common) / sum) < 1e-6, `error ${got.error}`);
    assert.is(sweep(logits).error, 0);
  });

  test('groups that may reach a floor are listed, but for exact ones', () => {
    k.reset();
    const logits = new Float32Array(32).fill(-1), deviations = new Float32Array(32);
    logits[9] = 0.5; deviations[9] = 0.25; // two deviations reach 1
    logits[17] = 3; // exact
    logits[31] = 0.4; deviations[31] = 0.25;
    const list = k.alloc(16), found = k.call('candidates', k.putF32(logits), k.putF32(deviations), 4, 2, 1, list);
    assert.equal([...k.i32(list, found)], [1]);
    k.i32(list, 4).set([0, 1, 2, 3]);
    const left = k.call('among', k.putF32(logits), k.putF32(deviations), 0, 0.4, list, 4);
    assert.equal([...k.i32(list, left)], [1, 3]);
    assert.is(k.call('maximum', k.putF32(logits), 32), 3);
    k.checkCanaries();
  });

  test('rows drawn evenly correct the mean and the deviation of all that is not exact', () => {
    k.reset();
    const random = new Random(8), groups = 500, rows = 8 * groups, sample = 32;
    const gauss = (): number => Math.sqrt(-2 * Math.log(1 - random.float64())) * Math.cos(2 * Math.PI * random.float64());
    const exact = Float32Array.from({ length: rows }, () => 4 * gauss()), deviations = Float32Array.from({ length: rows }, (_, i) => (i < 8 ? 0 : 0.5 + random.float64()));
    const near = exact.map((v, i) => v - (0.7 + 0.8 * gauss()) * deviations[i]!);
    const l = k.putF32(near), d = k.putF32(deviations), list = k.alloc(4 * sample), was = k.alloc(32 * sample), dWas = k.alloc(32 * sample);
    k.call('spread', groups, sample, list);
    const chosen = [...k.i32(list, sample)];
    assert.ok(chosen.every((g, i) => g >= 0 && g < groups && g > (chosen[i - 1] ?? -1)) && chosen.at(-1)! > groups * 0.95);
    k.call('copyGroups', l, list, sample, was);
    k.call('copyGroups', d, list, sample, dWas);
    for (const g of chosen) for (let r = 8 * g; r < 8 * g + 8; r++) { k.f32(l, rows)[r] = exact[r]!; k.f32(d, rows)[r] = 0; }
    const errors = k.alloc(8);
    k.call('errorsOf', l, list, sample, was, dWas, errors);
    k.call('settle', l, d, groups, ...k.f32(errors, 2));
    const z = [...k.f32(l, rows)].flatMap((v, i) => (k.f32(d, rows)[i]! > 0 ? [(exact[i]! - v) / k.f32(d, rows)[i]!] : []));
    const mean = z.reduce((a, b) => a + b) / z.length, sd = Math.sqrt(z.reduce((a, b) => a + b * b) / z.length);
    assert.ok(Math.abs(mean) < 0.2 && Math.abs(sd - 1) < 0.15, `mean ${mean}, deviation ${sd}`);
    assert.ok(chosen.every((g) => k.f32(l, rows)[8 * g] === exact[8 * g]), 'exact ones stay');
    k.checkCanaries();
  });

  test('ties go to the lowest index', () => {
    const logits = new Float32Array(100).fill(1);
    logits[37] = logits[61] = 4;
    assert.is(sweep(logits).top, 37);
  });

  test('excluded tokens (-Infinity) count for nothing', () => {
    const logits = new Float32Array(9).fill(-Infinity);
    logits[3] = 2; logits[8] = 2;
    const { lse, entropy, top } = sweep(logits);
    assert.ok(Math.abs(lse - (2 + Math.LN2)) < 1e-6 && Math.abs(entropy - Math.LN2) < 1e-6);
    assert.is(top, 3);
  });

  test('a NaN anywhere shows in logSumExp', () => {
    for (const at of [0, 5, 16, 20]) {
      const logits = new Float32Array(21).fill(1);
      logits[at] = NaN;
      assert.ok(Number.isNaN(sweep(logits).lse), `NaN at ${at}`);
    }
  });

  test.run();
}
