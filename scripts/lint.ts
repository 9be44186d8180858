/**
 * The rules of this repository that a script can check, each a few lines that print their reason.
 *
 *   tsx scripts/lint.ts
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { hasRelaxedSimd } from '../src/engine/features.ts';
import { fileURLToPath, pathToFileURL } from 'node:url';

export interface Source { path: string; text: string }
export interface Finding { path: string; line: number; reason: string }
type Rule = (source: Source, all: readonly Source[]) => Finding[];

/** Every match of `expression` outside comments, as a finding. */
function matches({ path, text }: Source, expression: RegExp, reason: string): Finding[] {
  const code = text.replace(/\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, ' ')).replace(/(^|[^:'"`\\])\/\/.*$/gm, '$1');
  return [...code.matchAll(new RegExp(expression, 'gm'))].map(({ index }) => ({ path, line: code.slice(0, index).split('\n').length, reason }));
}

const isAssembly = (path: string): boolean => path.startsWith('assembly/');
const isSource = (path: string): boolean => path.startsWith('src/') && path.endsWith('.ts');
const isPage = (path: string): boolean => path.startsWith('demo/') && !path.startsWith('demo/test/') && path.endsWith('.ts');

/** Folders by height: a file may import from its own folder and from those before it. */
const assemblyOrder = ['abi', 'base', 'layouts', 'kernels', 'adapt', 'forward', 'backward'];
const sourceOrder = ['net', 'bytes', 'format', 'model', 'sampler', 'adapt', 'engine', 'session', 'tokenizer', 'text', 'eval', 'calibrate', 'cli'];
const imports = (text: string): { target: string; index: number }[] =>
  [...text.matchAll(/(?:from|import\()\s*'(\.[^']+)'/g)].map((match) => ({ target: match[1]!, index: match.index }));

function direction(root: string, order: readonly string[]): Rule {
  return ({ path, text }) => {
    const [top, folder, rest] = path.split('/');
    if (top !== root || rest === undefined) return [];
    const height = order.indexOf(folder!);
    return imports(text).flatMap(({ target, index }) => {
      const to = normalize(join(dirname(path), target)).split('/');
      if (to[0] !== root || to.length < 3) return [];
      const ok = order.indexOf(to[1]!) <= height && !(folder === 'sampler' && to[1] === 'tokenizer');
      return ok ? [] : [{ path, line: text.slice(0, index).split('\n').length, reason: `${folder} may not import ${to[1]}: imports go one way (${order.join(' ← ')})` }];
    });
  };
}

const only = (where: (path: string) => boolean, expression: RegExp, reason: string): Rule => (source) => (where(source.path) ? matches(source, expression, reason) : []);

/** Files whose job is to measure time. */
const clocks = ['src/session/turn.ts', 'src/session/pool.ts', 'src/engine/break-even.ts', 'src/text/', 'src/eval/subject.ts', 'src/cli/'];

function kernelRules({ path, text }: Source, all: readonly Source[]): Finding[] {
  if (!path.startsWith('assembly/kernels/')) return [];
  const finding = (reason: string): Finding => ({ path, line: 1, reason });
  const findings: Finding[] = [];
  if (!text.startsWith('/**')) findings.push(finding('a kernel begins with a header: equation, shapes, preconditions, error, its test'));
  const test = /Test: (test\/\S+\.ts)/.exec(text)?.[1];
  const exported = /^export function/m.test(text);
  if (exported && (!test || !all.some((other) => other.path === test))) findings.push(finding(`the header names no test that exists (${test ?? 'none'})`));
  const entry = all.find((other) => other.path === 'assembly/kernels.entry.ts');
  if (exported && entry && !entry.text.includes(path.slice('assembly'.length, -'.ts'.length)) && !/^export function repack|^export function toVector/m.test(text)) {
    findings.push(finding('no line in kernels.entry.ts: tests and benches cannot reach it'));
  }
  return findings;
}

function wasmImports(name: string): Finding[] {
  const path = `build/wasm/${name}.wasm`;
  if (!existsSync(path) || !hasRelaxedSimd()) return [];
  const foreign = WebAssembly.Module.imports(new WebAssembly.Module(readFileSync(path))).filter(({ module, name: field }) => `${module}.${field}` !== 'env.memory');
  return foreign.map(({ module, name: field }) => ({ path, line: 1, reason: `imports ${module}.${field}: the binary may import env.memory and nothing else` }));
}

export const rules: Rule[] = [
  direction('assembly', assemblyOrder),
  direction('src', sourceOrder),
  only((p) => isAssembly(p), /\bnew\s+[A-Z]/, 'no allocation in assembly/: memory belongs to the host\'s arena'),
  only((p) => isAssembly(p), /:\s*(?:Array|StaticArray|Map|Set|string|Float32Array|Uint8Array)\b/, 'no arrays, maps or strings in assembly/: pointers only'),
  only((p) => isAssembly(p) && p !== 'assembly/base/trig.ts', /\b(?:Native)?Mathf?\./, 'no Math in assembly/ outside base/trig.ts: it computes in f64'),
  only((p) => isAssembly(p), /^(?:export )?(?:let|var)\b/, 'no mutable state at module level: threads would each have their own'),
  only((p) => isAssembly(p), /^export function \w+\([^)]*(?:\?:|=)[^)]*\)/, 'exports have fixed arity: an optional parameter traps when called raw'),
  only((p) => isSource(p) && p !== 'src/engine/instantiate.ts', /@assemblyscript\/loader/, 'the loader is imported in src/engine/instantiate.ts only'),
  only((p) => isSource(p) || isAssembly(p), /Math\.random/, 'random numbers come from src/sampler/random.ts: the same everywhere'),
  only((p) => isSource(p) && !clocks.some((c) => p.startsWith(c)), /Date\.now|performance\.now/, 'the clock belongs to statistics: elsewhere it makes results unrepeatable'),
  only((p) => isSource(p) && !p.startsWith('src/cli/') && p !== 'src/node.ts', /(?:from|import\()\s*'node:/, 'node: modules only in src/cli, elsewhere by way of src/node.ts: the core runs everywhere'),
  only((p) => isSource(p), /throw new (?!\w*(?:Format|Model|WontFit|Input|State|Transfer|Aborted)Error\b)/, 'throw a class of src/errors.ts: callers test its code'),
  only((p) => isPage(p), /from '(?:node:|\.\.\/)/, 'the page runs in a browser and uses the library as anyone does: from clada'),
  only((p) => isPage(p), /innerHTML|outerHTML|insertAdjacentHTML/, 'text of a model is text: never markup'),
  only((p) => isSource(p) || isAssembly(p) || isPage(p) || p.startsWith('test/'), /\b(?:TODO|FIXME|XXX)\b/, 'unfinished work does not land'),
  ({ path, text }) => (/\.test\.ts$/.test(path) && /\bsuite\(/.test(text) && !/\.run\(\)/.test(text) ? [{ path, line: 1, reason: 'a suite without .run() runs nothing' }] : []),
  ({ path, text }) => ((isSource(path) || isAssembly(path) || isPage(path)) && text.split('\n').length > 400 ? [{ path, line: 400, reason: 'over 400 lines: is it still one purpose?' }] : []),
  kernelRules,
];

/** Checked in every tracked text file. */
export const everywhere: Rule[] = [
  ({ path, text }) => [...text.matchAll(/(?:^|[\s"'`(=])\/(?:work|tmp|home|root)\/[\w.]/gm)].map(({ index }) => ({ path, line: text.slice(0, index + 1).split('\n').length, reason: 'a path of somebody\'s machine' })),
  ({ path, text }) => (/lock\.json$/.test(path) && text.includes('"resolved"') ? [{ path, line: 1, reason: 'lock files name no registry host (npm config omit-lockfile-registry-resolved)' }] : []),
];

function main(): void {
  const tracked = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], { encoding: 'utf8' }).trim().split('\n').filter((path) => existsSync(path));
  const readable = tracked.filter((path) => /\.(ts|mjs|js|json|md|yml|html|css)$|^\.ci\//.test(path));
  const sources = readable.map((path) => ({ path, text: readFileSync(path, 'utf8') }));
  const code = sources.filter(({ path }) => path.endsWith('.ts'));
  const findings = [
    ...code.filter(({ path }) => !path.startsWith('test/scripts/')).flatMap((source) => rules.flatMap((rule) => rule(source, code))),
    ...sources.filter(({ path }) => !path.startsWith('test/scripts/')).flatMap((source) => everywhere.flatMap((rule) => rule(source, sources))),
    ...['base', 'relaxed', 'calibrate-base', 'calibrate-relaxed'].flatMap(wasmImports),
  ];
  for (const { path, line, reason } of findings) console.error(`${path}:${line}  ${reason}`);
  console.error(`${code.length} files, ${findings.length} findings`);
  process.exitCode = findings.length > 0 ? 1 : 0;
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  process.chdir(fileURLToPath(new URL('..', import.meta.url)));
  main();
}
