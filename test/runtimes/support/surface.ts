/** The public surface of the packed declarations, walked with the compiler of TypeScript 5.9 (7 has no interface for programs). */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

interface TsNode {
  kind: number; name?: TsNode; members?: TsNode[]; modifiers?: TsNode[]; heritageClauses?: { types: { expression: TsNode }[] }[]; jsDoc?: unknown[]; parent?: TsNode;
  getSourceFile(): { fileName: string }; getText(): string;
}
interface TsSymbol { name: string; flags: number; declarations?: TsNode[] }
interface Checker {
  getSymbolAtLocation(node: unknown): TsSymbol | undefined; getExportsOfModule(symbol: TsSymbol): TsSymbol[]; getAliasedSymbol(symbol: TsSymbol): TsSymbol;
}
/** What is used of the compiler, which is no dependency of the project. */
export interface TypeScript {
  createProgram(files: string[], options: object): { getTypeChecker(): Checker; getSourceFile(name: string): unknown };
  forEachChild(node: TsNode, each: (child: TsNode) => void): void;
  isTypeReferenceNode(node: TsNode): boolean;
  isExpressionWithTypeArguments(node: TsNode): boolean;
  ScriptTarget: { ES2022: number };
  ModuleResolutionKind: { Bundler: number };
  ModuleKind: { ES2022: number };
  SymbolFlags: { Alias: number; TypeParameter: number };
  SyntaxKind: { PrivateKeyword: number; Constructor: number; PropertySignature: number; PropertyDeclaration: number; MethodSignature: number; MethodDeclaration: number; GetAccessor: number };
}

/** @returns names that declarations use and no entry exports, members of exported types without a comment, and how many members there are */
export function surface(ts: TypeScript, folder: string): { unexported: string[]; undocumented: string[]; members: number } {
  const { exports } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { exports: Record<string, { types?: string }> };
  const entries = Object.values(exports).flatMap(({ types }) => (types?.includes('wasm') === false ? [join(folder, types)] : []));
  const program = ts.createProgram(entries, {
    target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ES2022, moduleResolution: ts.ModuleResolutionKind.Bundler, types: [],
    lib: ['lib.es2022.d.ts', 'lib.dom.d.ts', 'lib.dom.iterable.d.ts', 'lib.esnext.disposable.d.ts'],
  });
  const checker = program.getTypeChecker(), { SyntaxKind: kinds, SymbolFlags: flags } = ts;
  const resolved = (symbol: TsSymbol): TsSymbol => (symbol.flags & flags.Alias ? checker.getAliasedSymbol(symbol) : symbol);
  const exported = new Set(entries.flatMap((entry) => checker.getExportsOfModule(checker.getSymbolAtLocation(program.getSourceFile(entry))!)).map(resolved));
  const unexported = new Set<string>(), undocumented: string[] = [];
  const own = [kinds.PropertySignature, kinds.PropertyDeclaration, kinds.MethodSignature, kinds.MethodDeclaration, kinds.GetAccessor];
  const isPrivate = (node: TsNode): boolean => node.modifiers?.some(({ kind }) => kind === kinds.PrivateKeyword) === true || node.name?.getText().startsWith('#') === true;
  /** A member that a class says again has its comment where it was said first. */
  const inherited = ({ heritageClauses }: TsNode, name: string): boolean => heritageClauses?.some(({ types }) => types.some(({ expression }) => {
    const base = checker.getSymbolAtLocation(expression), of = base && resolved(base).declarations?.[0];
    return of !== undefined && (of.members?.some((member) => member.name?.getText() === name && member.jsDoc !== undefined) === true || inherited(of, name));
  })) === true;
  let members = 0;
  const visit = (node: TsNode, of: string): void => {
    if (isPrivate(node)) return;
    if (ts.isTypeReferenceNode(node) || ts.isExpressionWithTypeArguments(node)) {
      const { typeName, expression } = node as TsNode & { typeName?: TsNode; expression?: TsNode };
      const found = checker.getSymbolAtLocation(typeName ?? expression), symbol = found && resolved(found);
      const ours = symbol?.declarations?.every((declaration) => declaration.getSourceFile().fileName.startsWith(folder));
      if (symbol && ours && !(symbol.flags & flags.TypeParameter) && !exported.has(symbol)) unexported.add(`${symbol.name} (${of})`);
    }
    ts.forEachChild(node, (child) => { visit(child, of); });
  };
  for (const symbol of exported) {
    for (const declaration of symbol.declarations ?? []) { // the comment of a constant is its statement's
      visit(declaration, symbol.name);
      if (!(declaration.jsDoc ?? declaration.parent?.parent?.jsDoc) && symbol.declarations![0] === declaration) undocumented.push(symbol.name);
      for (const member of declaration.members ?? []) {
        if (!own.includes(member.kind) || isPrivate(member) || member.name?.getText().startsWith('[')) continue;
        members++;
        if (!member.jsDoc && !inherited(declaration, member.name!.getText())) undocumented.push(`${symbol.name}.${member.name!.getText()}`);
      }
    }
  }
  return { unexported: [...unexported].sort(), undocumented, members };
}
