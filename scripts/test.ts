/**
 * Runs the tests: every file in a process of its own, two at a time.
 *
 *   tsx scripts/test.ts [--slow | --all] [--root DIR] [NAME …]
 *
 * NAME filters by path. Slow tests (`*.slow.test.ts`) run only where asked for. A file fails that crashes, hangs, prints no totals or runs no
 * test: uvu adds nothing for a suite that forgot `.run()`. Skipped tests are counted and named. Closes with `N passed, N failed[, N skipped]`.
 */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { cpus } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { transpile } from './test-files.ts';

const project = fileURLToPath(new URL('..', import.meta.url));
const { values: flags, positionals: names } = parseArgs({
  options: { slow: { type: 'boolean' }, all: { type: 'boolean' }, root: { type: 'string', default: join(project, 'test') }, timeout: { type: 'string' } },
  allowPositionals: true,
});
const timeoutSeconds = (file: string): number => Number(flags.timeout ?? (file.includes('.slow.') ? 1200 : 120));

interface Result { passed: number; failed: number; skipped: number; output: string; reason: string; seconds: number }

function find(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? find(path) : /\.test\.ts$/.test(entry.name) ? [path] : [];
  });
}

function wanted(file: string): boolean {
  const isSlow = file.includes('.slow.');
  return (flags.all === true || isSlow === (flags.slow === true)) && (names.length === 0 || names.some((name) => file.includes(name)));
}

/** uvu's closing figures; of a file that runs several suites they are the sum. */
function total(output: string, name: string): number | undefined {
  const match = new RegExp(`^\\s*${name}:\\s+(\\d+)`, 'm').exec(output.replace(/\x1b\[[0-9;]*m/g, ''));
  return match ? Number(match[1]) : undefined;
}

function run(file: string, program: string): Promise<Result> {
  return new Promise((resolve) => {
    const started = performance.now();
    const child = spawn(process.execPath, ['--enable-source-maps', program], { cwd: project, env: { ...process.env, NO_COLOR: '1', FORCE_COLOR: '0' }, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '', timedOut = false;
    child.stdout.on('data', (chunk: Buffer) => { output += chunk.toString(); });
    child.stderr.on('data', (chunk: Buffer) => { output += chunk.toString(); });
    const timer = setTimeout(() => { timedOut = true; child.kill('SIGKILL'); }, 1000 * timeoutSeconds(file));
    child.on('close', (code) => {
      clearTimeout(timer);
      const all = total(output, 'Total'), passed = total(output, 'Passed') ?? 0, skipped = total(output, 'Skipped') ?? 0;
      const missing = (all ?? 0) - passed - skipped;
      const reason = timedOut ? `no end after ${timeoutSeconds(file)} s`
        : all === undefined ? `no totals (exit code ${code}): did it crash, or forget .run()?`
        : all + skipped === 0 ? 'no test in it'
        : missing > 0 ? `${missing} failed`
        : code !== 0 ? `exit code ${code}` : '';
      resolve({ passed, failed: reason === '' ? 0 : Math.max(1, missing), skipped, output, reason, seconds: (performance.now() - started) / 1000 });
    });
  });
}

/** Names of the skipped tests, as the source gives them. */
function skippedNames(file: string): string[] {
  return [...readFileSync(file, 'utf8').matchAll(/\.skip\)?\(\s*[`'"](.+?)[`'"]\s*[,)]/g)].map((match) => match[1]!);
}

const files = existsSync(flags.root) ? find(flags.root).sort().filter(wanted) : [];
const programs = await transpile(project, files), results = new Map<string, Result>();
const queue = [...files];
await Promise.all(Array.from({ length: Math.min(2, cpus().length) }, async () => {
  for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
    const result = await run(file, programs.get(file)!);
    results.set(file, result);
    const { passed, skipped, reason, seconds } = result;
    console.log(`${reason ? 'FAIL' : 'ok  '} ${relative(project, file)}  ${passed} passed${skipped ? `, ${skipped} skipped` : ''}${reason ? `, ${reason}` : ''}  ${seconds.toFixed(1)} s`);
  }
}));

for (const [file, { reason, output }] of results) if (reason) console.log(`\n──── ${relative(project, file)}: ${reason}\n${output}`);
for (const [file, { skipped }] of results) if (skipped) console.log(`skipped in ${relative(project, file)}: ${skippedNames(file).join('; ')}`);
const sum = (field: 'passed' | 'failed' | 'skipped'): number => [...results.values()].reduce((n, result) => n + result[field], 0);
const failed = sum('failed') + (sum('passed') + sum('failed') + sum('skipped') === 0 ? 1 : 0);
if (files.length === 0) console.log('no test file found');
console.log(`${sum('passed')} passed, ${failed} failed${sum('skipped') ? `, ${sum('skipped')} skipped` : ''}`);
process.exitCode = failed > 0 ? 1 : 0;
