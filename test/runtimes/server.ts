/** The same server, from the installed tarball, in the runtimes that serve. */
import type { Report } from './support/check.ts';
import { equal, ok } from './support/check.ts';
import { runtime, type RuntimeName } from './support/install.ts';
import { run } from './support/process.ts';
import { project } from './support/project.ts';
import { askWorker, model } from './runtimes.ts';

interface Answers { text: string; streamed: string; last: string; pieces: boolean; busy: number; refused: [number, string] }
const shared = 'test/runtimes/server.mjs', app = (name: string): string => `test/runtimes/apps/server-${name}`;

/** What Node 20 answers, the others answer. */
export async function runServer(report: Report, tarball: string): Promise<void> {
  let first: Answers | undefined;
  const check = (where: string, ask: () => Promise<string>): Promise<void> => report.check(`server: the same answers in ${where}`, async () => {
    const answers = JSON.parse(await ask()) as Answers;
    ok(answers.text.length > 5, answers.text);
    equal([answers.streamed, answers.last, answers.pieces], [answers.text, 'data: [DONE]', true], 'the stream');
    equal([answers.busy, answers.refused], [0, [404, 'model_not_found']], 'slots after a cancelled stream, and an unknown model');
    equal(answers, first ??= answers, 'answers');
    return JSON.stringify(answers.text);
  });
  const withFiles = (name: RuntimeName, where: string, args: readonly string[], install?: () => readonly string[]): Promise<void> => check(where, async () => {
    const command = runtime(name), { folder } = await project(`server-${name}`, tarball, [shared, app('path.mjs')], install?.());
    return (await run(command, [...args, 'server-path.mjs', model], { cwd: folder })).stdout;
  });
  await withFiles('node20', 'Node 20', []);
  await withFiles('node26', 'Node 26', []);
  await withFiles('deno', 'Deno', ['run', '--allow-read', '--allow-net=127.0.0.1']);
  await withFiles('bun', 'Bun', [], () => [runtime('bun'), 'add']);
  await check('workerd', async () => {
    runtime('workerd');
    const { folder } = await project('server-workerd', tarball, [shared, app('worker.mjs')]);
    return askWorker(folder, 'server-worker.mjs', { method: 'POST', body: '{}' });
  });
}
