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
  ['the loader in the library', 'src/engine/b.ts', `import { instantiate } from '@assemblyscript/loader';`],
  ['Math.random', 'src/sampler/a.ts', `const a = Math.random();`],
  ['the clock', 'src/sampler/a.ts', `const a = performance.now();`],
  ['node: in the core', 'src/text/a.ts', `import { readFile } from 'node:fs';`],
  ['a bare Error', 'src/text/a.ts', `throw new Error('x');`],
  ['the page reaching into the library', 'demo/a.ts', `import { x } from '../src/index.ts';`],
  ['the page on node:', 'demo/a.ts', `import { x } from 'node:fs';`],
  ['markup from text', 'demo/a.ts', `place.innerHTML = text;`],
  ['unfinished work', 'src/text/a.ts', `const a = 'TODO';`],
  ['a suite that never runs', 'test/a.test.ts', `const test = suite('a');`],
  ['a huge file of src', 'src/text/a.ts', '\n'.repeat(301)],
  ['a huge file of assembly', 'assembly/forward/a.ts', '\n'.repeat(301)],
  ['a huge file of the page', 'demo/a.ts', '\n'.repeat(401)],
  ['a line too long in src', 'src/text/a.ts', `// ${'x'.repeat(138)}`],
  ['a line too long in assembly', 'assembly/forward/a.ts', `// ${'x'.repeat(138)}`],
  ['a circle closed by an import for its effect', 'src/text/a.ts', `import './a.ts';`],
  ['a file that imports itself', 'src/text/a.ts', `import type { A } from './a.ts';`],
  ['a kernel without header', 'assembly/kernels/x/x.ts', `export function x(): void {}`],
  ['a kernel whose test is missing', 'assembly/kernels/x/x.ts', `/** Test: test/kernels/x.test.ts. */\nexport function x(): void {}`],
  ['a machine path', 'docs/a.md', `see /home/ann/x`],
  ['a registry in a lock file', 'package-lock.json', `"resolved": "x"`],
] as const) {
  test(`finds ${name}`, () => { assert.ok(findings(path, text).length > 0); });
}

test('finds circles of imports, types included, once each and by name', () => {
  const circle = (...files: Source[]) => files.flatMap(({ path, text }) =>
    findings(path, text, files.filter((other) => other.path !== path)).map(({ reason, line }) => `${path}:${line} ${reason}`));
  assert.equal(circle(
    { path: 'src/text/c.ts', text: `export { a } from './a.ts';\n` },
    { path: 'src/text/a.ts', text: `\nimport type { B } from './b.ts';\nimport { d } from './d.ts';\n` },
    { path: 'src/text/b.ts', text: `import { d } from './d.ts';\nconst c = () => import('./c.ts');\n` },
    { path: 'src/text/d.ts', text: `// from './a.ts'\nexport const d = 1;\n` },
  ), ['src/text/a.ts:2 imports go in a circle: src/text/a.ts → src/text/b.ts → src/text/c.ts → src/text/a.ts']);
  assert.equal(circle(
    { path: 'assembly/forward/a.ts', text: `import { b } from './b';\n` },
    { path: 'assembly/forward/b.ts', text: `import {\n  a,\n} from './a';\n` },
  ), ['assembly/forward/a.ts:1 imports go in a circle: assembly/forward/a.ts → assembly/forward/b.ts → assembly/forward/a.ts']);
});

test('counts columns and lines to the last that is allowed', () => {
  assert.equal(findings('src/text/a.ts', `${`// ${'ö'.repeat(137)}\n`.repeat(300)}`), []);
});

test('leaves sound code alone', () => {
  const sound = `import { x } from '../model/b.ts';\n// Math.random is not used\nthrow new InputError('E_USAGE', x);\n`;
  assert.equal(findings('src/text/a.ts', sound), []);
  assert.equal(findings('assembly/kernels/x/x.ts', `/** Test: test/kernels/x.test.ts. */\nexport function x(): void { let a = 0; }`,
    [{ path: 'test/kernels/x.test.ts', text: '' }, { path: 'assembly/kernels.entry.ts', text: `export { x } from './kernels/x/x';` }]), []);
});

test.run();
