import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Kernels, builds } from '../helpers/kernels.ts';

for (const build of builds) {
  const test = suite(`bandwidth (${build})`);
  test('readMemory sums every word', () => {
    const k = new Kernels(build, 16);
    const ptr = k.alloc(64 * 5);
    const words = k.i32(ptr, 80);
    words.forEach((_, i) => { words[i] = (i * 2_654_435_761) | 0; });
    assert.is(k.call('readMemory', ptr, 320), words.reduce((sum, v) => (sum + v) | 0, 0));
    k.checkCanaries();
  });
  test.run();
}
