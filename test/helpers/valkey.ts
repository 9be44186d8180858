/**
 * A real Valkey (or Redis) of one's own, on a port of its own, with nothing on the disk but what a test wants there. Debian's package brings the
 * server where there is none and we are root: of its tools alone, since the program that checks dumps is the server under another name, and
 * nothing is started as a service.
 */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Program, and the name that it is to find itself under. */
interface Program { readonly path: string; readonly name: string }

const candidates: readonly Program[] = ['valkey', 'redis'].flatMap((name) => ['server', 'check-rdb'].map((tool) => ({ path: `/usr/bin/${name}-${tool}`, name: `${name}-server` })));
const find = (): Program | undefined => candidates.find(({ path }) => existsSync(path));

/** Why there is none, or the server. */
export function valkeyProgram(): Program | string {
  const found = find();
  if (found) return found;
  if (!existsSync('/usr/bin/apt-get') || process.getuid?.() !== 0) return 'no Valkey or Redis here, and not root on Debian to install one';
  try {
    install();
  } catch (error) {
    return `no Valkey or Redis here, and apt-get failed: ${String(error).slice(0, 300)}`;
  }
  return find() ?? 'apt-get brought neither Valkey nor Redis';
}

function install(): void {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const apt = (args: readonly string[]): string => execFileSync('apt-get', args, { env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], timeout: 600_000 });
  const bring = (options: readonly string[], name: string): boolean => {
    try { apt([...options, 'install', '-y', '-qq', '--no-install-recommends', name]); return true; } catch { return false; }
  };
  apt(['update', '-qq']);
  if (bring([], 'valkey-tools')) return;
  // older Debians have it among their backports; lists of our own leave the system's sources as they are
  const own = mkdtempSync(join(tmpdir(), 'apt-'));
  try {
    for (const folder of ['lists/partial', 'cache/archives/partial']) mkdirSync(join(own, folder), { recursive: true });
    const main = apt(['indextargets', '--format', '$(REPO_URI) $(RELEASE)', 'Identifier: Packages', 'Component: main']).split('\n').map((row) => row.split(' '));
    const [uri, release] = main.find(([, suite]) => suite !== undefined && !suite.includes('-')) ?? [];
    writeFileSync(join(own, 'sources.list'), ['', '-backports'].map((suffix) => `deb ${uri} ${release}${suffix} main\n`).join(''));
    const options = [
      `Dir::Etc::sourcelist=${own}/sources.list`, 'Dir::Etc::sourceparts=-', `Dir::State::lists=${own}/lists`, `Dir::Cache=${own}/cache`,
    ].flatMap((option) => ['-o', option]);
    try { apt([...options, 'update', '-qq']); } catch { /* no backports */ }
    if (bring(options, `valkey-tools/${release}-backports`)) return;
  } finally {
    rmSync(own, { recursive: true, force: true });
  }
  apt(['install', '-y', '-qq', '--no-install-recommends', 'redis-tools']);
}

export class Valkey {
  readonly folder = mkdtempSync(join(tmpdir(), 'valkey-'));
  #child: ChildProcess | undefined;
  private constructor(readonly program: Program, readonly port: number, readonly password: string | undefined) {}

  static async start(program: Program, password?: string): Promise<Valkey> {
    const server = new Valkey(program, await freePort(), password);
    await server.start();
    return server;
  }

  get url(): string { return `redis://${this.password === undefined ? '' : `:${this.password}@`}127.0.0.1:${this.port}`; }

  /** With what it held, if `persist`: every write is on the disk. */
  async start(): Promise<void> {
    const args = ['--port', String(this.port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'yes', '--appendfsync', 'always', '--dir', this.folder];
    if (this.password !== undefined) args.push('--requirepass', this.password);
    this.#child = spawn(this.program.path, args, { argv0: this.program.name, stdio: 'ignore' });
    for (let tries = 0; !(await answers(this.port)); tries++) {
      if (tries > 1200 || this.#child.exitCode !== null) throw new Error(`${this.program.path} does not answer on port ${this.port}`);
      await new Promise((resolve) => { setTimeout(resolve, 50); });
    }
  }

  /** As a power cut would. */
  async kill(): Promise<void> {
    const child = this.#child!;
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }

  /** Everything that it held is gone. */
  forget(): void { rmSync(join(this.folder, 'appendonlydir'), { recursive: true, force: true }); }

  async close(): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => { socket.destroy(); resolve(true); });
    socket.on('error', () => { resolve(false); });
  });
}
