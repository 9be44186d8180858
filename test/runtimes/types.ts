/** The declarations as users' compilers read them: every TypeScript since 5.0, libraries checked too; nothing unexported in a signature, nothing undocumented. */
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Report } from './support/check.ts';
import { ok } from './support/check.ts';
import { bundlers, installBundlers, root } from './support/install.ts';
import { run } from './support/process.ts';
import { project } from './support/project.ts';
import { surface, type TypeScript } from './support/surface.ts';

const versions = ['5.0', '5.1', '5.2', '5.3', '5.4', '5.5', '5.6', '5.7', '5.8', '5.9', '6.0'];

export async function checkTypes(report: Report, tarball: string): Promise<void> {
  let folder = '';
  await report.check('types: TypeScript of every minor version', async () => {
    await installBundlers();
    ({ folder } = await project('declarations', tarball, ['test/runtimes/apps/declarations.ts']));
    return '';
  });
  const compilers = [...versions.map((version) => [version, join(bundlers, `node_modules/ts${version}/lib/tsc.js`)]), ['7', join(root, 'node_modules/typescript/bin/tsc')]] as [string, string][];
  for (const [version, compiler] of compilers) {
    await report.check(`types: compile with TypeScript ${version}, skipLibCheck off`, async () => {
      const ends = version === '5.0' || version === '7';
      for (const [module, moduleResolution] of [['es2022', 'bundler'], ...(ends ? [['node16', 'node16']] : [])]) {
        writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({
          compilerOptions: {
            noEmit: true, strict: true, exactOptionalPropertyTypes: true, skipLibCheck: false, target: 'es2022', lib: ['es2022', 'dom', 'dom.iterable'], types: [], module, moduleResolution,
          }, files: ['declarations.ts'],
        }));
        await run(process.execPath, [compiler, '-p', folder]);
      }
      return '';
    });
  }
  await report.check('types: what a signature names can be imported, every member says what it is', () => {
    const { unexported, undocumented, members } = surface(createRequire(join(bundlers, 'package.json'))('ts5.9') as TypeScript, join(folder, 'node_modules/clada'));
    ok(unexported.length + undocumented.length === 0, `not exported: ${unexported.join(', ')}; not documented: ${undocumented.join(', ')}`);
    return `${members} members`;
  });
}
