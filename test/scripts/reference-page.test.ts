/** The API reference: made-up declarations become pages, and the pages in docs are what dist/types says. */
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { existing, reference, renderReference } from '../../scripts/reference-page.ts';

const test = suite('reference page');
const root = fileURLToPath(new URL('../..', import.meta.url));

const files = new Map([
  ['shared-a1.d.ts', `/** A thing. */
declare class Thing {
    #private;
    /** Its size, as {@link make} was told. */
    readonly size: number;
    /** Mine alone. */
    private readonly own;
    private constructor();
    /** Grows. @throws Error where it cannot */
    grow(by: number): Thing;
}
export { Thing as t };`],
  ['index.d.ts', `import { t as Thing } from './shared-a1.js';
/**
 * Makes one: see {@link Thing}, {@link nothing}.
 * @param size in bytes
 * @returns a thing
 * @throws Error for sizes below 0
 */
export declare function make(size: number): Thing;
export declare function make(size: string): Thing;
/** What to make. */
type Make = { thing: Thing };
declare const most = 3, least = 1;
export { type Make, Thing, most };`],
  ['more.d.ts', `import { Thing } from 'clada';
/** Two. */
export interface Pair { readonly first: Thing; readonly rest: Pair | undefined }
export { Thing };`],
]);

test('declarations become sections with their docstrings, grouped, linked with each other', () => {
  const pages = renderReference(files, new Map([['index', '* The main one.\n'], ['more', ' More. ']]));
  assert.equal([...pages.keys()], ['reference/clada.md', 'reference/more.md', 'reference.md']);
  const page = pages.get('reference/clada.md')!;
  assert.ok(page.startsWith('# `clada`\n\nThe main one.\n\n<!--'));
  assert.equal([...page.matchAll(/^##+ .*/gm)].map(([heading]) => heading), ['## Functions', '### make', '## Classes', '### Thing', '## Constants', '### most', '## Types', '### Make']);
  assert.ok(page.includes('Makes one: see [`Thing`](#thing), `nothing`.\n\n*Takes* `size`: in bytes\n\n*Gives* a thing\n\n*Throws* Error for sizes below 0\n'));
  assert.ok(page.includes('```ts\nfunction make(size: number): Thing;\nfunction make(size: string): Thing;\n```\n\n[`Thing`](#thing)\n'));
  assert.ok(page.includes('```ts\nclass Thing {\n    /** Its size, as {@link make} was told. */\n    readonly size: number;\n    /** Grows. @throws Error where it cannot */\n    grow(by: number): Thing;\n}\n```'), page);
  assert.ok(page.includes('```ts\ntype Make = { thing: Thing };\n```'));
  assert.ok(pages.get('reference/more.md')!.includes('interface Pair { readonly first: Thing; readonly rest: Pair | undefined }\n```\n\n[`Thing`](#thing)'), 'exported here, too');
  assert.ok(pages.get('reference.md')!.includes('[make](reference/clada.md#make) · [Thing](reference/clada.md#thing) · [most](reference/clada.md#most) · [Make](reference/clada.md#make-1)'));
});

test('a name of another entry leads to its page; one that nothing declares is an error', () => {
  const more = new Map(files).set('more.d.ts', files.get('more.d.ts')!.replace('export { Thing };', ''));
  assert.ok(renderReference(more, new Map([['index', ''], ['more', '']])).get('reference/more.md')!.includes('[`Thing`](clada.md#thing)'));
  assert.throws(() => renderReference(new Map([['index.d.ts', 'export { gone };']]), new Map([['index', '']])), /clada: no declaration of gone/);
});

test('docs/reference is what the declarations say', () => {
  const pages = reference(root), there = existing(`${root}docs`);
  assert.equal([...there.keys()].sort(), [...pages.keys()].sort());
  for (const [path, text] of pages) assert.is(there.get(path), text, `docs/${path}: run tsx scripts/reference-page.ts`);
});

test.run();
