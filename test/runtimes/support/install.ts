/**
 * The runtimes and tools, pinned by ../tools/package-lock.json and ../bundlers/package-lock.json, in folders that no commit sees. Binaries come inside npm packages, so nothing is
 * run or fetched by an install script; the browser is the system's chromium, which apt brings where this is Debian and we are root.
 */
import { copyFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findChromium } from '../../helpers/browser.ts';
import { Skip } from './check.ts';
import { run } from './process.ts';

export const root = fileURLToPath(new URL('../../..', import.meta.url));
export const cache = join(root, 'build/runtimes');
/** Bundlers, and every TypeScript that the declarations are for. */
export const bundlers = join(root, 'build/bundlers');
const tools = join(root, 'test/runtimes/tools');

/** Executables of optional packages, from node_modules on. */
const executables = {
  node20: 'node20/bin/node', node22: 'node22/bin/node', node24: 'node24/bin/node', node26: 'node26/bin/node',
  deno: '@deno/linux-x64-glibc/deno', bun: '@oven/bun-linux-x64/bin/bun', workerd: '@cloudflare/workerd-linux-64/bin/workerd',
} as const;
export type RuntimeName = keyof typeof executables;

/** Installs what the lock file of `from` names into `to`, unless it is there. */
async function install(from: string, to: string): Promise<void> {
  const lock = readFileSync(join(from, 'package-lock.json'), 'utf8'), copy = join(to, 'package-lock.json');
  if (existsSync(join(to, 'node_modules/.package-lock.json')) && existsSync(copy) && readFileSync(copy, 'utf8') === lock) return;
  mkdirSync(to, { recursive: true });
  copyFileSync(join(from, 'package.json'), join(to, 'package.json'));
  copyFileSync(join(from, 'package-lock.json'), copy);
  await run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: to, seconds: 900 });
}

export const installTools = (): Promise<void> => install(tools, cache);
export const installBundlers = (): Promise<void> => install(join(root, 'test/runtimes/bundlers'), bundlers);

/** Path of a runtime. @throws Skip where the pinned packages have no binary for this kind of machine, Error where one ought to be there */
export function runtime(name: RuntimeName): string {
  const path = join(cache, 'node_modules', executables[name]), kind = `${process.platform} ${process.arch}`;
  if (existsSync(path)) return path;
  if (kind !== 'linux x64') throw new Skip(`${name}: the pinned package is for linux x64, this is ${kind}`);
  throw new Error(`${path} is missing: remove ${cache} and run again`);
}

/** A script of an installed tool. */
export const tool = (path: string): string => join(cache, 'node_modules', path);

/** Path of a Chromium. @throws Skip where there is none and none can be installed */
export async function chromium(): Promise<string> {
  if (!findChromium() && existsSync('/usr/bin/apt-get') && process.getuid?.() === 0) {
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    try {
      await run('apt-get', ['update', '-qq'], { env, seconds: 600 });
      await run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', 'chromium'], { env, seconds: 900 });
    } catch (error) {
      throw new Skip(`no Chromium, and apt-get failed: ${String(error).slice(0, 300)}`);
    }
  }
  const path = findChromium();
  if (!path) throw new Skip('no Chromium on this machine, and not root on Debian to install one');
  return path;
}
