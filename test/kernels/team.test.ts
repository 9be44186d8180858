/** How a job of several threads is cut. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Kernels, builds } from '../helpers/kernels.ts';

for (const build of builds) {
  const test = suite(`team (${build})`);
  const k = new Kernels(build, 1);

  test('parts are whole, none is empty, and the larger ones are at the end', () => {
    for (let parts = 1; parts <= 16; parts++) {
      for (const pieces of [parts, parts + 1, 2 * parts, 3 * parts + 1, 1120, 32_768]) {
        const begins = Array.from({ length: parts + 1 }, (_, part) => k.call('beginOf', pieces, part, parts));
        const sizes = begins.slice(1).map((end, i) => end - begins[i]!);
        assert.is(begins[0], 0);
        assert.is(begins[parts], pieces);
        assert.ok(sizes.every((size) => size >= 1), `${pieces} pieces in ${parts} parts: ${sizes.join(' ')}`);
        assert.ok(sizes.every((size, i) => i === 0 || size >= sizes[i - 1]! - 1), `${pieces} pieces in ${parts} parts: ${sizes.join(' ')}`);
      }
    }
  });

  test.run();
}
