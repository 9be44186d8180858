/** A conversation that begins in Chromium and goes on elsewhere, from the installed tarball. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Report } from './support/check.ts';
import { equal, ok } from './support/check.ts';
import { chromium, runtime, type RuntimeName } from './support/install.ts';
import { run } from './support/process.ts';
import { project } from './support/project.ts';
import { askWorker, calibration, model, resultOf } from './runtimes.ts';

const shared = 'test/runtimes/conversation.mjs', app = (name: string): string => `test/runtimes/apps/conversation-${name}`;

async function beginInBrowser(tarball: string): Promise<{ snapshot: Buffer; rest: number[] }> {
  await chromium();
  const { folder } = await project('conversation-browser', tarball, [shared, app('browser.html'), app('browser.mjs')]);
  const { snapshot, rest } = (await resultOf(folder, 'conversation-browser.html')) as { snapshot: string; rest: number[] };
  return { snapshot: Buffer.from(snapshot, 'base64'), rest };
}

async function goOnInWorkerd(tarball: string, snapshot: Buffer): Promise<string> {
  runtime('workerd');
  const { folder } = await project('conversation-workerd', tarball, [shared, app('worker.mjs')]);
  return askWorker(folder, 'conversation-worker.mjs', { method: 'POST', body: new Uint8Array(snapshot) });
}

/** The same tokens in every runtime that the conversation moves to. */
export async function runConversation(report: Report, tarball: string): Promise<void> {
  let begun: { snapshot: Buffer; rest: number[] } | undefined;
  await report.check('conversation: begins in Chromium, saved within an answer', async () => {
    begun = await beginInBrowser(tarball);
    equal(begun.rest.length, 32, 'tokens after the snapshot');
    return `${begun.snapshot.length} bytes`;
  });
  const same = (where: string, goOn: (snapshot: Buffer) => Promise<string>): Promise<void> => report.check(`conversation: goes on in ${where} with the same tokens`, async () => {
    ok(begun, 'it did not begin');
    equal(JSON.parse(await goOn(begun.snapshot)), begun.rest, 'token ids');
    return '';
  });
  const withFiles = (name: RuntimeName, where: string, args: readonly string[], install?: () => readonly string[]): Promise<void> => same(where, async (snapshot) => {
    const command = runtime(name), { folder } = await project(`conversation-${name}`, tarball, [shared, app('path.mjs')], install?.()), file = join(folder, 'snapshot');
    writeFileSync(file, snapshot);
    return (await run(command, [...args, 'conversation-path.mjs', model, calibration, file], { cwd: folder })).stdout;
  });
  await withFiles('node20', 'Node 20', []);
  await withFiles('node26', 'Node 26', []);
  await withFiles('deno', 'Deno', ['run', '--allow-read']);
  await withFiles('bun', 'Bun', [], () => [runtime('bun'), 'add']);
  await same('workerd', (snapshot) => goOnInWorkerd(tarball, snapshot));
}
