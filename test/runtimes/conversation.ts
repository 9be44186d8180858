/** A conversation that begins in Chromium and goes on elsewhere, from the installed tarball. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { launch } from '../helpers/browser.ts';
import type { Report } from './support/check.ts';
import { equal, ok } from './support/check.ts';
import { chromium, root, runtime, type RuntimeName } from './support/install.ts';
import { run } from './support/process.ts';
import { bundle, project } from './support/project.ts';
import { serve } from './support/serve.ts';
import { configure, serveWorker } from './support/workerd.ts';
import { calibration, model } from './runtimes.ts';

const shared = 'test/runtimes/conversation.mjs', app = (name: string): string => `test/runtimes/apps/conversation-${name}`;

async function beginInBrowser(tarball: string): Promise<{ snapshot: Buffer; rest: number[] }> {
  await chromium();
  const { folder } = await project('conversation-browser', tarball, [shared, app('browser.html'), app('browser.mjs')]);
  const server = await serve({ '/': folder, '/models/': join(root, 'models') }), browser = await launch(await chromium());
  try {
    const page = await browser.newPage();
    await page.goto(`${server.origin}/conversation-browser.html`);
    await page.waitForFunction('globalThis.result', undefined, { timeout: 30_000 });
    const { value, error } = (await page.evaluate('globalThis.result')) as { value?: { snapshot: string; rest: number[] }; error?: string };
    ok(value, error ?? 'no result');
    return { snapshot: Buffer.from(value.snapshot, 'base64'), rest: value.rest };
  } finally {
    await browser.close();
    server.close();
  }
}

async function goOnInWorkerd(tarball: string, snapshot: Buffer): Promise<string> {
  runtime('workerd');
  const { folder } = await project('conversation-workerd', tarball, [shared, app('worker.mjs')]);
  const server = await serveWorker(configure(folder, 'worker.js', await bundle(folder, 'conversation-worker.mjs', 'worker.js', 'workerd'), join(root, 'models')));
  try {
    const response = await fetch(server.origin, { method: 'POST', body: new Uint8Array(snapshot), signal: AbortSignal.timeout(120_000) }), text = await response.text();
    ok(response.ok, text);
    return text;
  } finally {
    await server.stop();
  }
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
