/** The conformance script in every runtime, from the installed tarball. */
import { copyFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { logitsDigest } from '../helpers/expected.ts';
import { launch } from '../helpers/browser.ts';
import type { Report } from './support/check.ts';
import { equal, ok } from './support/check.ts';
import { cache, chromium, root, runtime, type RuntimeName } from './support/install.ts';
import { run } from './support/process.ts';
import { bundle, project } from './support/project.ts';
import { serve } from './support/serve.ts';
import { configure, serveWorker } from './support/workerd.ts';

/** What conformance.mjs resolves to. Rates are tokens a second. */
export interface Conformance {
  dense: { tokens: number[]; logits: string };
  sparse: { tokens: number[]; density: number };
  base: number;
  memoryBytes: number;
  loadMs: number;
  auto: { tier: string; tierReason: string; perSecond: number };
}

interface Speeds { base: number; auto: number }
/** `reference`: Node 20 right before and right after, their mean; this machine's memory is a third faster one minute than the next. */
export interface Row extends Conformance { name: string; version: string; reference: Speeds }

export const model = join(root, 'models/smollm2-135m-instruct-q4_1.gguf');
export const calibration = join(root, 'models/smollm2-135m-instruct-q4_1.clada.gguf');

/** What is run: paths of a model, and of its calibration in the same folder. Another than the embedded one has no digest to be held against but that of Node 20. */
export interface Subject { model: string; calibration?: string }
const embedded: Subject = { model, calibration };
const queryOf = ({ model, calibration }: Subject, prefix = ''): string =>
  `?model=${prefix}${basename(model)}${calibration === undefined ? '' : `&calibration=${prefix}${basename(calibration)}`}`;
const shared = 'test/runtimes/conformance.mjs', app = (name: string): string => `test/runtimes/apps/${name}`;

const installed = (printed: string): string => {
  ok(!/\bwarn|deprecat|vulnerab/i.test(printed), `the installer warns: ${printed}`);
  return 'installed without a warning';
};

/** One runtime: installs, runs, and how to ask for its version. `run` resolves to the result's JSON. */
interface Host { name: string; prepare: (tarball: string) => Promise<{ folder: string; printed: string }>; run: (folder: string, subject: Subject) => Promise<string>; version: () => Promise<string> }

const versionOf = async (command: string): Promise<string> => /\d+(\.\d+)+|\d{4}-\d\d-\d\d/.exec((await run(command, ['--version'])).stdout)?.[0] ?? '?';

function withFiles(name: RuntimeName, label: string, args: readonly string[], install?: () => readonly string[]): Host {
  return {
    name: label, version: () => versionOf(runtime(name)),
    prepare: (tarball) => { runtime(name); return project(name, tarball, [shared, app('path.mjs')], install?.()); },
    run: async (folder, subject) => (await run(runtime(name), [...args, 'path.mjs', subject.model, subject.calibration ?? 'none'], { cwd: folder })).stdout,
  };
}

const workerd: Host = {
  name: 'workerd', version: () => versionOf(runtime('workerd')),
  prepare: (tarball) => { runtime('workerd'); return project('workerd', tarball, [shared, app('workerd.mjs')]); },
  run: (folder, subject) => askWorker(folder, 'workerd.mjs', {}, subject),
};

/** Bundles `entry`, serves it in workerd with the models as assets, and sends it one request. @returns the body */
export async function askWorker(folder: string, entry: string, request: RequestInit = {}, subject = embedded): Promise<string> {
  const server = await serveWorker(configure(folder, 'worker.js', await bundle(folder, entry, 'worker.js', 'workerd'), dirname(subject.model)));
  try {
    const response = await fetch(`${server.origin}/${queryOf(subject)}`, { ...request, signal: AbortSignal.timeout(300_000) }), text = await response.text();
    ok(response.ok, text);
    return text;
  } finally {
    await server.stop();
  }
}

const edge: Host = {
  name: 'edge-light', version: () => Promise.resolve('@edge-runtime/vm 5.0.0'),
  prepare: (tarball) => project('edge', tarball, [shared, app('edge.mjs')]),
  run: async (folder, subject) => {
    await bundle(folder, 'edge.mjs', 'edge.js', 'edge-light');
    const server = await serve({ '/models/': dirname(subject.model) });
    try {
      return await dispatch(join(folder, 'edge.js'), join(folder, 'wasm'), `http://edge.test/${queryOf(subject, `${server.origin}/models/`)}`);
    } finally {
      server.close();
    }
  },
};

/** One request to an edge-light bundle. @returns the body */
export async function dispatch(bundled: string, wasm: string, url: string, env: Readonly<Record<string, string>> = {}): Promise<string> {
  const host = join(cache, 'edge-host.mjs');
  copyFileSync(join(root, app('edge-host.mjs')), host); // beside the VM that it imports
  return (await run(runtime('node22'), [host, bundled, wasm, url], { env: { ...process.env, ...env } })).stdout;
}

const browser: Host = {
  name: 'Chromium',
  version: async () => { const opened = await launch(await chromium()); try { return opened.version(); } finally { await opened.close(); } },
  prepare: async (tarball) => { await chromium(); return project('browser', tarball, [shared, app('browser.html'), app('browser.mjs')]); },
  run: async (folder, subject) => JSON.stringify(await resultOf(folder, `browser.html${queryOf(subject)}`, undefined, dirname(subject.model))),
};

/** Opens a page of `folder`, served with the models, in Chromium. @returns what it left in `globalThis.result` */
export async function resultOf(folder: string, name: string, policy?: string, models = dirname(model)): Promise<unknown> {
  const server = await serve({ '/': folder, '/models/': models }, policy), opened = await launch(await chromium());
  try {
    const page = await opened.newPage(), problems: string[] = [];
    page.on('pageerror', (error) => problems.push(error.message));
    await page.goto(`${server.origin}/${name}`);
    const seconds = models === dirname(model) ? 30 : 300, until = performance.now() + 1000 * seconds, look = (): Promise<{ value?: unknown; error?: string } | undefined> => page.evaluate('globalThis.result');
    let found = await look();
    while (!found) { // not waitForFunction: it evaluates texts in the page, which the policy forbids
      ok(performance.now() < until, `no result after ${seconds} s ${problems.join('; ')}`);
      await new Promise((resolve) => { setTimeout(resolve, 100); });
      found = await look();
    }
    const { value, error } = found;
    ok(value, error ?? 'no result');
    return value;
  } finally {
    await opened.close();
    server.close();
  }
}

/** In the order of the table; the first is what the others are held against. */
export const hosts: readonly Host[] = [
  withFiles('node20', 'Node 20', []), withFiles('node22', 'Node 22', []), withFiles('node24', 'Node 24', []), withFiles('node26', 'Node 26', []),
  withFiles('deno', 'Deno', ['run', '--allow-read']),
  withFiles('bun', 'Bun', [], () => [runtime('bun'), 'add']),
  browser, workerd, edge,
];

/** Runs the hosts whose name begins with one of `names` (none: all), and Node 20 in any case. */
export async function runHosts(report: Report, tarball: string, names: readonly string[], subject = embedded): Promise<Row[]> {
  const rows: Row[] = [];
  let nodeFolder = '', before: Speeds | undefined;
  for (const [index, host] of hosts.entries()) {
    if (index > 0 && names.length > 0 && !names.some((name) => host.name.toLowerCase().startsWith(name.toLowerCase()))) continue;
    let folder = '', row: Row | undefined;
    const first = rows[0];
    await report.check(`${host.name}: npm package`, async () => {
      const { folder: made, printed } = await host.prepare(tarball);
      folder = made;
      return installed(printed);
    });
    if (!folder) continue;
    await report.check(`${host.name}: the same logits, bit for bit`, async () => {
      const result = JSON.parse(await host.run(folder, subject)) as Conformance;
      if (index === 0) nodeFolder = folder;
      const own = { base: result.base, auto: result.auto.perSecond };
      const after = index > 0 && nodeFolder ? (JSON.parse((await run(runtime('node20'), ['path.mjs', subject.model], { cwd: nodeFolder })).stdout) as Speeds) : own;
      const reference = before ? { base: (before.base + after.base) / 2, auto: (before.auto + after.auto) / 2 } : after;
      before = after;
      row = { ...result, name: host.name, version: await host.version(), reference };
      equal(result.dense.tokens.length, 64, 'tokens');
      equal(result.dense.logits, subject === embedded ? logitsDigest : (first ?? row).dense.logits, 'SHA-256 of the logits');
      return `${host.name} ${row.version}, ${result.auto.tier}: ${result.auto.tierReason}`;
    });
    if (!row) continue;
    const { dense, sparse } = row;
    rows.push(row);
    await report.check(`${host.name}: the same 64 tokens`, () => { equal(dense.tokens, (first ?? row)!.dense.tokens, 'greedy tokens'); return ''; });
    await report.check(`${host.name}: the same 64 sparse tokens`, () => {
      equal(sparse.tokens, (first ?? row)!.sparse.tokens, 'sparse tokens');
      ok(sparse.density < 0.8, `density ${sparse.density}: nothing was skipped`);
      return `${(100 * sparse.density).toFixed(0)} % of the feed-forward weights`;
    });
  }
  return rows;
}

/** The figures, as a table for people. */
export function table(rows: readonly Row[]): string[] {
  if (rows.length === 0) return [];
  const ratio = (value: number, to: number): string => (value / to).toFixed(2);
  return [
    '| runtime | version | base tok/s | to Node 20 | own choice | tok/s | to Node 20 | load s |', '| --- | --- | ---: | ---: | --- | ---: | ---: | ---: |',
    ...rows.map(({ name, version, base, auto, loadMs, reference }) =>
      `| ${name} | ${version} | ${base.toFixed(1)} | ${ratio(base, reference.base)} | ${auto.tier} | ${auto.perSecond.toFixed(1)} | ${ratio(auto.perSecond, reference.auto)} | ${(loadMs / 1000).toFixed(2)} |`),
  ];
}
