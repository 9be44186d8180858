/**
 * Writes docs/reference.md and docs/reference/NAME.md, one page an entry: everything that it exports, with its docstring and its declaration, from dist/types.
 *
 *   tsx scripts/reference-page.ts [--check]
 *
 * Declarations are parsed by rolldown's parser, which bundled them. `--check` writes nothing and fails where a page is not what the declarations say.
 */
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { parseAst } from 'rolldown/parseAst';
import { alone, core, users } from './entries.ts';

/** What is read of a syntax tree (ESTree with TypeScript's nodes). */
interface Node {
  readonly type: string; readonly start: number; readonly end: number; readonly id?: Node; readonly name?: string; readonly value?: string; readonly accessibility?: string;
  readonly source?: Node | null; readonly declaration?: Node | null; readonly declarations?: Node[]; readonly specifiers?: Node[]; readonly local?: Node; readonly imported?: Node;
  readonly exported?: Node; readonly key?: Node; readonly body?: Node | Node[];
}

const kinds = { TSDeclareFunction: 'Functions', ClassDeclaration: 'Classes', VariableDeclaration: 'Constants', TSInterfaceDeclaration: 'Types', TSTypeAliasDeclaration: 'Types' } as const;
type Kind = (typeof kinds)[keyof typeof kinds];

/** A declaration: where it is, and what is said of it. */
interface Declared { readonly file: string; readonly name: string; readonly kind: Kind; readonly comment: string; code: string }
/** Where a name comes from: a file of declarations or another entry, and its name there. */
type Origin = readonly [from: string, name: string];
interface Module { readonly declared: Map<string, Declared>; readonly imported: Map<string, Origin>; readonly exported: Map<string, Origin> }

const commentBefore = /\/\*\*((?:(?!\*\/)[^])*)\*\/\s*$/;

/** The text of a declaration as users read it: nothing private, no comment of its own. */
function codeOf(text: string, node: Node): string {
  const { body } = (node.body ?? {}) as { body?: Node[] };
  const hidden = (body ?? []).filter(({ accessibility, key }) => accessibility === 'private' || key?.type === 'PrivateIdentifier');
  let code = '', at = node.start;
  for (const { start, end } of hidden) {
    code += text.slice(at, start).replace(commentBefore, '').trimEnd();
    at = end;
  }
  return (code + text.slice(at, node.end)).replace(/^declare /, '').replace(/\{\s*\}$/, '{}');
}

/** @param file its name in dist/types */
function readModule(file: string, text: string): Module {
  const declared = new Map<string, Declared>(), imported = new Map<string, Origin>(), exported = new Map<string, Origin>();
  const place = (source: Node): string => (source.value!.startsWith('.') ? `${basename(source.value!, '.js')}.d.ts` : source.value!);
  const nameOf = (node: Node): string => node.name ?? node.value!;
  for (const statement of (parseAst(text, { lang: 'dts' }, file) as unknown as { body: Node[] }).body) {
    const { type, source, specifiers = [] } = statement, node = statement.declaration ?? statement;
    if (type === 'ImportDeclaration') for (const { local, imported: name } of specifiers) imported.set(nameOf(local!), [place(source!), nameOf(name!)]);
    if (type === 'ExportAllDeclaration') throw new Error(`${file}: export * is not followed`);
    if (type === 'ExportNamedDeclaration') for (const { local, exported: name } of specifiers) exported.set(nameOf(name!), [source ? place(source) : file, nameOf(local!)]);
    const kind = kinds[node.type as keyof typeof kinds];
    if (kind === undefined) continue;
    const comment = commentBefore.exec(text.slice(0, statement.start))?.[1] ?? '', code = codeOf(text, node);
    for (const { id } of node.declarations ?? [node]) {
      const name = nameOf(id!), before = declared.get(name);
      if (before) before.code += `\n${code}`;
      else declared.set(name, { file, name, kind, comment, code });
      if (statement.declaration) exported.set(name, [file, name]);
    }
  }
  return { declared, imported, exported };
}

/** GitHub's names for headings: small letters, those that come again numbered. */
function anchors(headings: readonly string[]): string[] {
  const seen = new Map<string, number>();
  return headings.map((heading) => {
    const plain = heading.toLowerCase(), count = seen.get(plain) ?? 0;
    seen.set(plain, count + 1);
    return count === 0 ? plain : `${plain}-${count}`;
  });
}

const tags = /(?:^|\s)@(throws|param|returns)\s+/;
const tagNames: Readonly<Record<string, string>> = { throws: 'Throws', param: 'Takes', returns: 'Gives' };

/** A docstring as Markdown. */
function prose(comment: string, link: (name: string) => string): string {
  const lines = comment.split('\n').map((line) => line.replace(/^\s*\* ?/, '')).join('\n').trim();
  const [text, ...tagged] = lines.replace(/\{@link ([\w.]+)\}/g, (_, name: string) => link(name)).split(tags);
  const parts = [text!.trim()];
  for (let i = 0; i < tagged.length; i += 2) parts.push(`*${tagNames[tagged[i]!]!}* ${tagged[i + 1]!.trim().replace(/^(\w+)(?= )/, tagged[i] === 'param' ? '`$1`:' : '$1')}`);
  return parts.filter((part) => part !== '').join('\n\n');
}

const importName = (entry: string): string => (entry === 'index' ? 'clada' : `clada/${entry}`);
const pageName = (entry: string): string => (entry === 'index' ? 'clada' : entry);

/**
 * @param files name in dist/types → its text; @param about entry → what it is
 * @returns pages by their paths in docs
 */
export function renderReference(files: ReadonlyMap<string, string>, about: ReadonlyMap<string, string>): Map<string, string> {
  const modules = new Map([...files].map(([file, text]) => [file, readModule(file, text)]));
  const resolve = (file: string, name: string): Declared | undefined => {
    const entry = [...about.keys()].find((one) => importName(one) === file), module = modules.get(entry === undefined ? file : `${entry}.d.ts`);
    const found = entry === undefined ? module?.declared.get(name) : undefined;
    if (found || !module) return found;
    const origin = (entry === undefined ? module.imported.get(name) : undefined) ?? module.exported.get(name);
    return origin && (origin[0] === file && origin[1] === name ? undefined : resolve(...origin));
  };
  const entries = [...about.keys()].map((entry) => {
    const all = [...modules.get(`${entry}.d.ts`)!.exported].map(([name, origin]) => {
      const declaration = resolve(...origin);
      if (!declaration) throw new Error(`${importName(entry)}: no declaration of ${name}`);
      return { name, declaration };
    });
    const groups = ['Functions', 'Classes', 'Constants', 'Types'].map((kind) => [
      kind, all.filter(({ declaration }) => declaration.kind === kind).sort((a, b) => (a.name < b.name ? -1 : 1))] as const).filter(([, group]) => group.length > 0);
    const headings = groups.flatMap(([kind, group]) => [kind, ...group.map(({ name }) => name)]), marks = anchors(headings);
    return { entry, groups, anchorOf: new Map(groups.flatMap(([, group]) => group).map((one) => [one.declaration, marks[headings.indexOf(one.name)]!])) };
  });
  /** Where a declaration is described: on this page, else on the first that has it. */
  const address = (from: string, declaration: Declared): string | undefined => {
    const own = entries.find(({ entry, anchorOf }) => entry === from && anchorOf.has(declaration)) ?? entries.find(({ anchorOf }) => anchorOf.has(declaration));
    return own && `${own.entry === from ? '' : `${pageName(own.entry)}.md`}#${own.anchorOf.get(declaration)!}`;
  };
  const linked = (from: string, { file, name: own }: Declared, name: string): string | undefined => {
    const declaration = resolve(file, name), to = name === own ? undefined : declaration && address(from, declaration);
    return to && `[\`${name}\`](${to})`;
  };
  const pages = new Map(entries.map(({ entry, groups }) => {
    const section = (name: string, declaration: Declared): string => {
      const named = [...new Set(declaration.code.replace(/\/\*\*[^]*?\*\//g, '').match(/\b[A-Z]\w*/g))].flatMap((word) => linked(entry, declaration, word) ?? []);
      const text = prose(declaration.comment, (word) => linked(entry, declaration, word) ?? `\`${word}\``);
      return [`### ${name}`, text, `\`\`\`ts\n${declaration.code}\n\`\`\``, named.join(' · ')].filter((part) => part !== '').join('\n\n');
    };
    const body = groups.map(([kind, group]) => [`## ${kind}`, ...group.map(({ name, declaration }) => section(name, declaration))].join('\n\n'));
    return [`reference/${pageName(entry)}.md`, `${[`# \`${importName(entry)}\``, prose(about.get(entry)!, (name) => `\`${name}\``), generated, ...body].join('\n\n')}\n`];
  }));
  const list = entries.map(({ entry, groups, anchorOf }) => {
    const names = groups.flatMap(([, group]) => group.map(({ name, declaration }) => `[${name}](reference/${pageName(entry)}.md#${anchorOf.get(declaration)!})`));
    return `## [\`${importName(entry)}\`](reference/${pageName(entry)}.md)\n\n${names.join(' · ')}`;
  });
  return pages.set('reference.md', `${['# API reference', 'Everything that the entries export, with its docstring and declaration; in short: [api.md](api.md).', generated, ...list].join('\n\n')}\n`);
}

const generated = '<!-- Made by scripts/reference-page.ts from dist/types: change docstrings, not this page. -->';

/** The pages that are there. */
export function existing(docs: string): Map<string, string> {
  const folder = join(docs, 'reference'), names = existsSync(folder) ? readdirSync(folder).map((name) => `reference/${name}`) : [];
  return new Map([...names, 'reference.md'].filter((path) => existsSync(join(docs, path))).map((path) => [path, readFileSync(join(docs, path), 'utf8')]));
}

/** The pages of this checkout's dist/types. */
export function reference(root: string): Map<string, string> {
  const types = join(root, 'dist/types'), entries = { ...core, ...alone, ...users };
  const files = new Map(readdirSync(types).filter((name) => name !== 'wasm.d.ts').map((name) => [name, readFileSync(join(types, name), 'utf8')]));
  return renderReference(files, new Map(Object.entries(entries).map(([name, source]) => [name, /^\/\*\*([^]*?)\*\//.exec(readFileSync(join(root, source), 'utf8'))?.[1] ?? ''])));
}

function main(): void {
  const root = fileURLToPath(new URL('..', import.meta.url)), { values: { check } } = parseArgs({ options: { check: { type: 'boolean' } } });
  const docs = join(root, 'docs'), pages = reference(root), before = existing(docs);
  const stale = [...new Set([...pages.keys(), ...before.keys()])].filter((path) => pages.get(path) !== before.get(path));
  if (check) {
    for (const path of stale) console.error(`docs/${path} is not what the declarations say: run tsx scripts/reference-page.ts`);
    process.exitCode = stale.length > 0 ? 1 : 0;
    return;
  }
  mkdirSync(join(docs, 'reference'), { recursive: true });
  for (const path of stale) {
    const text = pages.get(path);
    if (text === undefined) rmSync(join(docs, path));
    else writeFileSync(join(docs, path), text);
  }
  console.error(`${pages.size} pages, ${stale.length} changed`);
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) main();
