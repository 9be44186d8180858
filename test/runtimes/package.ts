/** The package itself: what is in it, how large, and whether tools that read packages find it sound. */
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Report } from './support/check.ts';
import { equal, ok } from './support/check.ts';
import { root, runtime, tool } from './support/install.ts';
import { run } from './support/process.ts';
import { project } from './support/project.ts';

const limit = 1_710_000;

/** Conditions in the order in which the runtimes were found to resolve right: Deno and Bun match `node` too, workerd and edge-light must come first. */
const order = ['types', 'workerd', 'edge-light', 'deno', 'bun', 'browser', 'node', 'default'];

export async function checkPackage(report: Report, tarball: string): Promise<void> {
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { exports: Record<string, Record<string, string>>; scripts: Record<string, string>; sideEffects: string[] };

  await report.check('package: at most 1.71 MB, without models', async () => {
    const { size } = statSync(tarball);
    ok(size <= limit, `${size} bytes; at most ${limit}`);
    const { stdout } = await run('tar', ['-tzf', tarball]);
    ok(!/\.gguf$/m.test(stdout), 'a model is in it');
    return `${(size / 1024).toFixed(0)} KiB, ${stdout.trim().split('\n').length} files`;
  });
  await report.check('package: exports by condition, no install scripts', () => {
    equal(Object.keys(manifest.exports['.']!), order, 'conditions of "."');
    for (const script of ['preinstall', 'install', 'postinstall', 'prepare']) ok(!(script in manifest.scripts), `a ${script} script`);
    equal(manifest.sideEffects, ['./dist/worker-main.js', './dist/node/worker-main.js'], 'sideEffects'); // a script that a worker runs
    return '';
  });
  await report.check('package: every exported file is there', async () => {
    const { folder } = await project('exports', tarball, []), packed = join(folder, 'node_modules/clada');
    const files = Object.values(manifest.exports).flatMap((entry) => (typeof entry === 'string' ? [entry] : Object.values(entry)));
    for (const file of files) {
      if (file.includes('*')) ok(readdirSync(join(packed, 'dist/wasm')).filter((name) => name.endsWith('.wasm')).length >= 2, `nothing matches ${file}`);
      else ok(statSync(join(packed, file)).isFile(), file);
    }
    const { stdout } = await run(process.execPath, ['--input-type=module', '-e', "console.log(import.meta.resolve('clada/wasm/base.wasm'))"], { cwd: folder });
    ok(statSync(new URL(stdout.trim())).isFile(), stdout);
    return `${files.length} files`;
  });
  await report.check('package: publint', async () => {
    await run(process.execPath, [tool('publint/src/cli.js'), tarball, '--strict'], { cwd: root });
    return 'no findings';
  });
  await report.check('package: are the types wrong?', async () => {
    // an ESM package: what CommonJS would find is not its business; a binary is no JavaScript entry
    await run(process.execPath, [tool('@arethetypeswrong/cli/dist/index.js'), tarball, '--profile', 'esm-only', '--no-color', '--exclude-entrypoints', './wasm/*.wasm'], { cwd: root });
    return 'no';
  });
  await report.check('package: ready for JSR', async () => {
    await run(runtime('deno'), ['publish', '--dry-run', '--allow-dirty'], { cwd: root });
    return 'deno publish --dry-run';
  });
  await report.check('package: gzipped size of what a page loads', async () => {
    const { stdout } = await run(process.execPath, ['--import', 'tsx', 'scripts/size.ts'], { cwd: root });
    return stdout.trim().split('\n').filter((line) => line.startsWith('JavaScript')).join('; ');
  });
}
