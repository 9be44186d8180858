/**
 * The rules of this repository that a script can check, each a few lines that print their reason.
 *
 *   tsx scripts/lint.ts
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { hasRelaxedSimd } from '../src/engine/features.ts';
import { users } from './entries.ts';

export interface Source { path: string; text: string }
export interface Finding { path: string; line: number; reason: string }
type Rule = (source: Source, all: readonly Source[]) => Finding[];

/** `text` without its comments, each line where it was. */
const withoutComments = (text: string): string =>
  text.replace(/\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, ' ')).replace(/(^|[^:'"`\\])\/\/.*$/gm, '$1');

const lineAt = (text: string, index: number): number => text.slice(0, index).split('\n').length;

/** Every match of `expression` outside comments, as a finding. */
function matches({ path, text }: Source, expression: RegExp, reason: string): Finding[] {
  const code = withoutComments(text);
  return [...code.matchAll(new RegExp(expression, 'gm'))].map(({ index }) => ({ path, line: lineAt(code, index), reason }));
}

const isAssembly = (path: string): boolean => path.startsWith('assembly/');
const isSource = (path: string): boolean => path.startsWith('src/') && path.endsWith('.ts');
/** An entry that uses the public API as anyone does. */
const isUser = (path: string): boolean => Object.keys(users).some((name) => path.startsWith(`src/${name}/`));
const isPage = (path: string): boolean => path.startsWith('demo/') && !path.startsWith('demo/test/') && path.endsWith('.ts');

/** Folders by height: a file may import from its own folder and from those before it. */
const assemblyOrder = ['abi', 'base', 'layouts', 'kernels', 'adapt', 'threads', 'forward', 'backward'];
const sourceOrder = [
  'net', 'bytes', 'format', 'model', 'sampler', 'adapt', 'engine', 'session', 'tokenizer', 'text', 'eval', 'calibrate', ...Object.keys(users), 'cli',
];
const imports = (text: string): { target: string; index: number }[] =>
  [...text.matchAll(/\b(?:from|import\(?)\s*['"](\.[^'"]+)['"]/g)].map((match) => ({ target: match[1]!, index: match.index }));

function direction(root: string, order: readonly string[]): Rule {
  return ({ path, text }) => {
    const [top, folder, rest] = path.split('/');
    if (top !== root || rest === undefined) return [];
    const height = order.indexOf(folder!);
    return imports(text).flatMap(({ target, index }) => {
      const to = normalize(join(dirname(path), target)).split('/');
      if (to[0] !== root || to.length < 3) return [];
      const ok = order.indexOf(to[1]!) <= height;
      const reason = `${folder} may not import ${to[1]}: imports go one way (${order.join(' ← ')})`;
      return ok ? [] : [{ path, line: lineAt(text, index), reason }];
    });
  };
}

/** The files of assembly or src that each of `all` imports, types included, with the line that says so. */
function importGraph(all: readonly Source[]): Map<string, Map<string, number>> {
  const code = all.filter(({ path }) => isSource(path) || isAssembly(path)), known = new Set(code.map(({ path }) => path));
  return new Map(code.map(({ path, text }) => {
    const plain = withoutComments(text), targets = new Map<string, number>();
    for (const { target, index } of imports(plain)) {
      const to = normalize(join(dirname(path), target)), found = [to, `${to}.ts`].find((name) => known.has(name));
      if (found !== undefined && !targets.has(found)) targets.set(found, lineAt(plain, index));
    }
    return [path, targets];
  }));
}

const graphs = new WeakMap<readonly Source[], Map<string, Map<string, number>>>();

/** Circles of imports: the shortest through a file, told once, at the file of it whose path comes first. */
function circles({ path }: Source, all: readonly Source[]): Finding[] {
  const graph = graphs.get(all) ?? importGraph(all);
  graphs.set(all, graph);
  const ways: string[][] = [[path]], seen = new Set<string>();
  for (const way of ways) { // grows: shorter ways come before longer ones
    for (const next of graph.get(way.at(-1)!)?.keys() ?? []) {
      if (next === path) {
        return [{ path, line: graph.get(path)!.get(way[1] ?? path)!, reason: `imports go in a circle: ${[...way, path].join(' → ')}` }];
      }
      if (next < path || seen.has(next)) continue;
      seen.add(next);
      ways.push([...way, next]);
    }
  }
  return [];
}

const mostColumns = 140;

/** Lines and files are short enough to read. */
function lengths({ path, text }: Source): Finding[] {
  const engineOrHost = isSource(path) || isAssembly(path), mostLines = engineOrHost ? 300 : 400;
  if (!engineOrHost && !isPage(path)) return [];
  const lines = text.replace(/\n$/, '').split('\n'), findings: Finding[] = [];
  for (const [i, line] of lines.entries()) {
    if (!engineOrHost || [...line].length <= mostColumns) continue;
    findings.push({ path, line: i + 1, reason: `over ${mostColumns} columns: break it where it reads well` });
  }
  if (lines.length > mostLines) findings.push({ path, line: mostLines, reason: `over ${mostLines} lines: is it still one purpose?` });
  return findings;
}

const only = (where: (path: string) => boolean, expression: RegExp, reason: string): Rule =>
  (source) => (where(source.path) ? matches(source, expression, reason) : []);

/** Files whose job is to measure time. */
const clocks = [
  'src/session/turn.ts', 'src/session/pool.ts', 'src/engine/break-even.ts', 'src/engine/pace.ts', 'src/engine/streams.ts', 'src/engine/weights.ts', 'src/engine/engine.ts',
  'src/text/', 'src/eval/subject.ts', 'src/server/', 'src/cli/',
];

function kernelRules({ path, text }: Source, all: readonly Source[]): Finding[] {
  if (!path.startsWith('assembly/kernels/')) return [];
  const finding = (reason: string): Finding => ({ path, line: 1, reason });
  const findings: Finding[] = [];
  if (!text.startsWith('/**')) findings.push(finding('a kernel begins with a header: equation, shapes, preconditions, error, its test'));
  const test = /Test: (test\/\S+\.ts)/.exec(text)?.[1];
  const exported = /^export function \w+\(/m.test(text); // a template is reached through the kernel that makes functions of it
  if (exported && (!test || !all.some((other) => other.path === test))) {
    findings.push(finding(`the header names no test that exists (${test ?? 'none'})`));
  }
  const entry = all.find((other) => other.path === 'assembly/kernels.entry.ts');
  const reachable = !entry || entry.text.includes(path.slice('assembly'.length, -'.ts'.length));
  if (exported && !reachable && !/^export function repack|^export function toVector/m.test(text)) {
    findings.push(finding('no line in kernels.entry.ts: tests and benches cannot reach it'));
  }
  return findings;
}

function wasmImports(name: string): Finding[] {
  const path = `build/wasm/${name}.wasm`;
  if (!existsSync(path) || !hasRelaxedSimd()) return [];
  const imported = WebAssembly.Module.imports(new WebAssembly.Module(readFileSync(path))).map((item) => `${item.module}.${item.name}`);
  return imported.filter((item) => item !== 'env.memory').map((item) => (
    { path, line: 1, reason: `imports ${item}: the binary may import env.memory and nothing else` }));
}

export const rules: Rule[] = [
  direction('assembly', assemblyOrder),
  direction('src', sourceOrder),
  only((p) => isAssembly(p), /\bnew\s+[A-Z]/, 'no allocation in assembly/: memory belongs to the host\'s arena'),
  only((p) => isAssembly(p), /:\s*(?:Array|StaticArray|Map|Set|string|Float32Array|Uint8Array)\b/,
    'no arrays, maps or strings in assembly/: pointers only'),
  only((p) => isAssembly(p) && p !== 'assembly/base/trig.ts', /\b(?:Native)?Mathf?\./,
    'no Math in assembly/ outside base/trig.ts: it computes in f64'),
  only((p) => isAssembly(p), /^(?:export )?(?:let|var)\b/, 'no mutable state at module level: threads would each have their own'),
  only((p) => isAssembly(p), /^export function \w+\([^)]*(?:\?:|=)[^)]*\)/,
    'exports have fixed arity: an optional parameter traps when called raw'),
  only((p) => isSource(p), /@assemblyscript\/loader/, 'the loader is for tests: one call of WebAssembly does what the library needs of it'),
  only((p) => isSource(p) || isAssembly(p), /Math\.random/, 'random numbers come from src/sampler/random.ts: the same everywhere'),
  only((p) => isSource(p) && !clocks.some((c) => p.startsWith(c)), /Date\.now|performance\.now/,
    'the clock belongs to statistics: elsewhere it makes results unrepeatable'),
  only((p) => isSource(p) && !p.startsWith('src/cli/') && p !== 'src/node.ts', /(?:from|import\()\s*'node:/,
    'node: modules only in src/cli, elsewhere by way of src/node.ts: the core runs everywhere'),
  only((p) => isSource(p), /throw new (?!\w*(?:Format|Model|WontFit|Input|State|Transfer|Aborted)Error\b)/,
    'throw a class of src/errors.ts: callers test its code'),
  only(isUser, /(?:from|import\()\s*'\.\.\/(?!(?:errors|options|node)\.ts')/,
    'an entry of its own uses the library as anyone does: from clada; only errors.ts, options.ts and node.ts are shared'),
  only((p) => isPage(p), /from '(?:node:|\.\.\/)/,
    'the page runs in a browser and uses the library as anyone does: from clada'),
  only((p) => isPage(p), /innerHTML|outerHTML|insertAdjacentHTML/, 'text of a model is text: never markup'),
  only((p) => isSource(p) || isAssembly(p) || isPage(p) || p.startsWith('test/'), /\b(?:TODO|FIXME|XXX)\b/,
    'unfinished work does not land'),
  ({ path, text }) => {
    const idle = /\.test\.ts$/.test(path) && /\bsuite\(/.test(text) && !/\.run\(\)/.test(text);
    return idle ? [{ path, line: 1, reason: 'a suite without .run() runs nothing' }] : [];
  },
  lengths,
  circles,
  kernelRules,
];

/** Checked in every tracked text file. */
export const everywhere: Rule[] = [
  ({ path, text }) => [...text.matchAll(/(?:^|[\s"'`(=])\/(?:work|tmp|home|root)\/[\w.]/gm)].map(({ index }) => (
    { path, line: lineAt(text, index + 1), reason: 'a path of somebody\'s machine' })),
  ({ path, text }) => {
    if (!/lock\.json$/.test(path) || !text.includes('"resolved"')) return [];
    return [{ path, line: 1, reason: 'lock files name no registry host (npm config omit-lockfile-registry-resolved)' }];
  },
];

function main(): void {
  const listed = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], { encoding: 'utf8' });
  const tracked = listed.trim().split('\n').filter((path) => existsSync(path));
  const readable = tracked.filter((path) => /\.(ts|mjs|js|json|md|yml|html|css)$|^\.ci\//.test(path));
  const sources = readable.map((path) => ({ path, text: readFileSync(path, 'utf8') }));
  const code = sources.filter(({ path }) => path.endsWith('.ts'));
  const examined = ({ path }: Source): boolean => !path.startsWith('test/scripts/');
  const findings = [
    ...code.filter(examined).flatMap((source) => rules.flatMap((rule) => rule(source, code))),
    ...sources.filter(examined).flatMap((source) => everywhere.flatMap((rule) => rule(source, sources))),
    ...['base', 'relaxed', 'base-threads', 'relaxed-threads', 'calibrate-base', 'calibrate-relaxed'].flatMap(wasmImports),
  ];
  for (const { path, line, reason } of findings) console.error(`${path}:${line}  ${reason}`);
  console.error(`${code.length} files, ${findings.length} findings`);
  process.exitCode = findings.length > 0 ? 1 : 0;
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  process.chdir(fileURLToPath(new URL('..', import.meta.url)));
  main();
}
