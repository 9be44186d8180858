/** Who can be measured: how each is started in a process (or browser) of its own, for one task. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { runtime, type RuntimeName } from '../test/runtimes/support/install.ts';
import { chromiumMissing, inChromium } from './chromium.ts';
import type { Asked, Outcome } from './records.ts';

export interface Task extends Asked { model: string; threads: number; seed: number; tier?: 'base' | 'relaxed' | 'auto' }

export interface Engine {
  /** As results name it. */
  readonly name: string;
  /** Why it cannot run here; undefined where it can. */
  readonly missing: () => string | undefined;
  /** @throws Error with what it says when it fails */
  readonly run: (task: Task, seconds: number) => Promise<Outcome>;
}

const path = (url: string): string => fileURLToPath(new URL(url, import.meta.url)), root = path('..');

/** A script that prints a line of JSON after its first token, and its outcome at the end. */
function inProcess(command: string, args: readonly string[], task: Task, seconds: number): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const started = performance.now(), child = spawn(command, [...args, JSON.stringify(task)], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
    let firstMs: number | undefined, outcome: Outcome | undefined, reason: string | undefined, said = '', late = false;
    const timer = setTimeout(() => { late = true; child.kill('SIGKILL'); }, 1000 * seconds);
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (!line.startsWith('{')) return;
      const value = JSON.parse(line) as { first?: true; error?: string };
      if (value.first) firstMs = performance.now() - started;
      else if (value.error !== undefined) reason = value.error;
      else outcome = value as Outcome;
    });
    child.stderr.on('data', (chunk: Buffer) => { said += chunk.toString(); });
    child.on('error', (error) => { clearTimeout(timer); reject(error); });
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      if (outcome && firstMs !== undefined) { resolve({ ...outcome, firstMs }); return; }
      reject(new Error(late ? `no result after ${seconds} s` : (reason ?? `exit code ${code ?? signal}: ${said.trim().split('\n').at(-1)}`)));
    });
  });
}

const native: Engine = {
  name: 'llama.cpp',
  missing: () => (existsSync(path('peers/node_modules/node-llama-cpp')) ? undefined : 'npm install --prefix bench/peers --ignore-scripts'),
  run: (task, seconds) => inProcess(process.execPath, ['bench/peers/native.mjs'], task, seconds),
};

/** clada in the Node that runs this, on one of its builds. */
const ours = (tier: 'base' | 'relaxed'): Engine => ({
  name: `clada ${tier}`, missing: () => undefined,
  run: (task, seconds) => inProcess(process.execPath, ['bench/peers/clada.mjs'], { ...task, tier }, seconds),
});

/** clada in a runtime of scripts/runtimes.ts, on the build that it takes by itself. */
const inRuntime = (name: RuntimeName, label: string, args: readonly string[] = []): Engine => ({
  name: label,
  missing: () => { try { runtime(name); return undefined; } catch (error) { return (error as Error).message; } },
  run: (task, seconds) => inProcess(runtime(name), [...args, 'bench/peers/clada.mjs'], task, seconds),
});

const inPage = (engine: 'clada' | 'wllama', label: string): Engine => ({
  name: label,
  missing: () => chromiumMissing() ?? (engine === 'clada' || existsSync(path('peers/node_modules/@wllama/wllama')) ? undefined : 'npm install --prefix bench/peers --ignore-scripts'),
  run: async (task, seconds) => (await inChromium(engine, task, seconds)) as Outcome,
});

export const engines = {
  native, relaxed: ours('relaxed'), base: ours('base'),
  node20: inRuntime('node20', 'Node 20'), node26: inRuntime('node26', 'Node 26'), deno: inRuntime('deno', 'Deno', ['run', '-A', '--no-config']), bun: inRuntime('bun', 'Bun'),
  chromium: inPage('clada', 'Chromium'), wllama: inPage('wllama', 'wllama in Chromium'),
} as const;
