/**
 * The package in the real runtimes: packs it, installs it in an empty project for each, and compares what they compute, bit by bit.
 *
 *   tsx scripts/runtimes.ts [--model FILE.gguf] [NAME …]      NAME: package, types, bundlers, conversation, server, examples, recipes, or the beginning of a runtime's name
 *
 * With --model (a real model, say), only the runtimes run, and agree with each other rather than with a digest that is known.
 * Runtimes come from npm into build/runtimes (1.2 GB once), bundlers into build/bundlers (0.9 GB), Chromium from Debian. What cannot run here is skipped with its reason. Closes with
 * the table of measured figures and `N passed, N failed[, N skipped]`.
 */
import { rmSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { Report } from '../test/runtimes/support/check.ts';
import { installTools } from '../test/runtimes/support/install.ts';
import { pack, projects } from '../test/runtimes/support/project.ts';
import { runBundlers } from '../test/runtimes/bundlers.ts';
import { runConversation } from '../test/runtimes/conversation.ts';
import { runExamples, runRecipes } from '../test/runtimes/examples.ts';
import { checkPackage } from '../test/runtimes/package.ts';
import { checkTypes } from '../test/runtimes/types.ts';
import { runServer } from '../test/runtimes/server.ts';
import { hosts, runHosts, table } from '../test/runtimes/runtimes.ts';

const { values: { model }, positionals } = parseArgs({ options: { model: { type: 'string' } }, allowPositionals: true });
const names = positionals.map((name) => name.toLowerCase()), report = new Report();
const wanted = (name: string): boolean => model === undefined && (names.length === 0 || names.includes(name));
let tarball = '', lines: string[] = [];
try {
  await report.check('install: runtimes and tools', async () => { await installTools(); return ''; });
  await report.check('install: npm pack', async () => { tarball = await pack(); return ''; });
  if (tarball) {
    if (wanted('package')) await checkPackage(report, tarball);
    const chosen = names.filter((name) => hosts.some((host) => host.name.toLowerCase().startsWith(name)));
    if (names.length === 0 || chosen.length > 0) lines = table(await runHosts(report, tarball, chosen, model === undefined ? undefined : { model: resolve(model) }));
    if (wanted('types')) await checkTypes(report, tarball);
    if (wanted('bundlers')) await runBundlers(report, tarball);
    if (wanted('conversation')) await runConversation(report, tarball);
    if (wanted('server')) await runServer(report, tarball);
    if (wanted('examples')) await runExamples(report, tarball);
    if (wanted('recipes')) await runRecipes(report, tarball);
  }
} finally {
  rmSync(projects, { recursive: true, force: true });
}
if (lines.length > 0) console.log(`\n${lines.join('\n')}\n`);
for (const { name, status, detail } of report.outcomes) if (status !== 'passed') console.log(`${status}: ${name}: ${detail}`);
const skipped = report.count('skipped'), failed = report.count('failed');
console.log(`${report.count('passed')} passed, ${failed} failed${skipped ? `, ${skipped} skipped` : ''}`);
process.exitCode = failed > 0 ? 1 : 0;
