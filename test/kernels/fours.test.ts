/** Scores by fours: what is taken above any threshold is whole fours under each scale, and those that cost most to leave out. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Random } from '../../src/sampler/random.ts';
import { Kernels, builds } from '../helpers/kernels.ts';
import { formed, kinds } from '../helpers/matrices.ts';

for (const build of builds) {
  const test = suite(`fours (${build})`);
  const k = new Kernels(build, 16);

  for (const kind of kinds) {
    test(`${kind.name}: the root of the mean square of the four largest under a scale, then of the next`, () => {
      const random = new Random(61), ffn = 512, size = k.call('neuronsOfScale', kind.layout);
      for (const scores of [
        Float32Array.from({ length: ffn }, () => 10 ** (-5 * random.float64())),
        Float32Array.from({ length: ffn }, (_, i) => (i % 5 === 0 ? 0 : i % 3)), // equal ones, and zeros
        new Float32Array(ffn),
      ]) {
        k.reset();
        const ptr = k.putF32(scores), spare = k.alloc(64);
        k.call('scoreFours', kind.layout, ptr, ffn, spare);
        k.checkCanaries();
        const out = [...k.f32(ptr, ffn)];
        if (!formed.includes(kind)) { assert.equal(out, [...scores]); continue; }
        for (let first = 0; first < ffn; first += size) {
          const places = Array.from({ length: size }, (_, i) => first + i).sort((a, b) => scores[b]! - scores[a]! || a - b);
          for (let i = 0; i < size; i += 4) {
            const four = places.slice(i, i + 4), root = Math.fround(Math.sqrt(0.25 * four.reduce((sum, at) => sum + scores[at]! ** 2, 0)));
            assert.equal(four.map((at) => out[at]), [root, root, root, root], `four ${i / 4} from ${first} on`);
          }
        }
      }
    });
  }

  test.run();
}
