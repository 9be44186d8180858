/** Every lint rule finds what it is for, and leaves sound code alone. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Source } from '../../scripts/lint.ts';
import { everywhere, rules } from '../../scripts/lint.ts';

const findings = (path: string, text: string, others: Source[] = []) => {
  const source = { path, text };
  return [...rules, ...everywhere].flatMap((rule) => rule(source, [source, ...others]));
};
const test = suite('lint');

for (const [name, path, text] of [
  ['upward import in src', 'src/model/a.ts', `import { x } from '../engine/b.ts';`],
  ['sampler importing tokenizer', 'src/sampler/a.ts', `import { x } from '../tokenizer/b.ts';`],
  ['upward import in assembly', 'assembly/base/a.ts', `import { x } from '../kernels/norm/norm';`],
  ['allocation', 'assembly/forward/a.ts', `const a = new Array(3);`],
  ['an array type', 'assembly/forward/a.ts', `function f(x: Float32Array): void {}`],
  ['Math', 'assembly/forward/a.ts', `const a = Math.exp(1);`],
  ['module-level let', 'assembly/forward/a.ts', `let n = 0;`],
  ['optional export parameter', 'assembly/index.ts', `export function f(a: i32 = 1): i32 { return a; }`],
  ['a second user of the loader', 'src/engine/b.ts', `import { instantiate } from '@assemblyscript/loader';`],
  ['Math.random', 'src/sampler/a.ts', `const a = Math.random();`],
  ['the clock', 'src/sampler/a.ts', `const a = performance.now();`],
  ['node: in the core', 'src/text/a.ts', `import { readFile } from 'node:fs';`],
  ['a bare Error', 'src/text/a.ts', `throw new Error('x');`],
  ['the page reaching into the library', 'demo/a.ts', `import { x } from '../src/index.ts';`],
  ['the page on node:', 'demo/a.ts', `import { x } from 'node:fs';`],
  ['markup from text', 'demo/a.ts', `place.innerHTML = text;`],
  ['unfinished work', 'src/text/a.ts', `const a = 'TODO';`],
  ['a suite that never runs', 'test/a.test.ts', `const test = suite('a');`],
  ['a huge file', 'src/text/a.ts', '\n'.repeat(401)],
  ['a kernel without header', 'assembly/kernels/x/x.ts', `export function x(): void {}`],
  ['a kernel whose test is missing', 'assembly/kernels/x/x.ts', `/** Test: test/kernels/x.test.ts. */\nexport function x(): void {}`],
  ['a machine path', 'docs/a.md', `see /home/ann/x`],
  ['a registry in a lock file', 'package-lock.json', `"resolved": "x"`],
] as const) {
  test(`finds ${name}`, () => { assert.ok(findings(path, text).length > 0); });
}

test('leaves sound code alone', () => {
  assert.equal(findings('src/text/a.ts', `import { x } from '../model/b.ts';\n// Math.random is not used\nthrow new InputError('E_USAGE', x);\n`), []);
  assert.equal(findings('assembly/kernels/x/x.ts', `/** Test: test/kernels/x.test.ts. */\nexport function x(): void { let a = 0; }`,
    [{ path: 'test/kernels/x.test.ts', text: '' }, { path: 'assembly/kernels.entry.ts', text: `export { x } from './kernels/x/x';` }]), []);
});

test.run();
