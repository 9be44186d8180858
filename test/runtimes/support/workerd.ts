/** Cloudflare's open-source runtime, configured with a bundle, its binaries and a folder of assets. */
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { runtime } from './install.ts';
import { stop } from './process.ts';

const quoted = (text: string): string => JSON.stringify(text);

/** Writes a configuration: one Worker with its imported binaries, and `assets` as the binding ASSETS. */
export function configure(folder: string, script: string, binaries: readonly string[], assets: string): string {
  const modules = [`(name = ${quoted(script)}, esModule = embed ${quoted(script)})`, ...binaries.map((name) => `(name = "wasm/${name}", wasm = embed "wasm/${name}")`)];
  const path = join(folder, 'config.capnp');
  writeFileSync(path, `using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [(name = "main", worker = .worker), (name = "assets", disk = (path = ${quoted(assets)}))],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
);

const worker :Workerd.Worker = (
  modules = [${modules.join(', ')}],
  bindings = [(name = "ASSETS", service = "assets")],
  compatibilityDate = "2026-11-01",
);
`);
  return path;
}

interface Served { origin: string; inspector: string; startedAt: number; stop: () => Promise<void> }

/** Starts workerd with an inspector; resolves when it listens. @throws Skip, or Error with what it printed */
export async function serveWorker(config: string): Promise<Served> {
  const startedAt = performance.now();
  const child = spawn(runtime('workerd'), ['serve', config, '--socket-addr=http=127.0.0.1:0', '--inspector-addr=127.0.0.1:0', '--control-fd=3'], { cwd: dirname(config), stdio: ['ignore', 'pipe', 'pipe', 'pipe'] });
  let printed = '', control = '';
  for (const stream of [child.stdout!, child.stderr!]) stream.on('data', (chunk: Buffer) => { printed += chunk.toString(); });
  const ports = new Map<string, number>();
  await new Promise<void>((resolve, reject) => {
    const late = setTimeout(() => { reject(new Error(`workerd does not listen after 30 s\n${printed}`)); }, 30_000);
    child.once('close', (code) => { clearTimeout(late); reject(new Error(`workerd ended with ${code}\n${printed}`)); });
    child.stdio[3]!.on('data', (chunk: Buffer) => {
      control += chunk.toString();
      for (const line of control.split('\n').slice(0, -1)) {
        const event = JSON.parse(line) as { event: string; socket?: string; port?: number };
        if (event.port !== undefined) ports.set(event.event === 'listen-inspector' ? 'inspector' : event.socket!, event.port);
      }
      control = control.slice(control.lastIndexOf('\n') + 1);
      if (ports.has('http') && ports.has('inspector')) { clearTimeout(late); resolve(); }
    });
  }).catch(async (error: unknown) => { await stop(child); throw error; });
  return { origin: `http://127.0.0.1:${ports.get('http')}`, inspector: `http://127.0.0.1:${ports.get('inspector')}`, startedAt, stop: () => stop(child) };
}
