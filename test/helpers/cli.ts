/** The built command line, run as a shell runs it: in a folder that is not the project, without colours. */
import { spawn, spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';

export const cli = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));

export interface Outcome { status: number | null; signal: NodeJS.Signals | null; stdout: string; stderr: string }

const environment = { ...process.env, NO_COLOR: '1' };

/** Runs it to its end; `input` is all of standard input. */
export function clada(args: readonly string[], input: string | Uint8Array = ''): Outcome {
  return spawnSync(process.execPath, [cli, ...args], { encoding: 'utf8', input, cwd: tmpdir(), timeout: 60_000, env: environment });
}

export interface Running {
  readonly pid: number;
  /** So far. */
  readonly stdout: string;
  readonly stderr: string;
  write(text: string): void;
  endInput(): void;
  /** Nobody reads its output any more. */
  closeOutput(): void;
  kill(signal: NodeJS.Signals): void;
  /** Once standard output holds this. */
  said(text: string | RegExp): Promise<void>;
  ended: Promise<Outcome>;
}

/** Starts it, with pipes that stay open until they are closed, for a minute at most; `limits`: what a shell sets beforehand (`ulimit -f 12`). */
export function start(args: readonly string[], env: Record<string, string> = {}, timeout = 60_000, limits?: string): Running {
  const [program, ...rest] = limits === undefined ? [process.execPath, cli, ...args]
    : ['bash', '-c', `trap "" XFSZ; ${limits}; exec "$0" "$@"`, process.execPath, cli, ...args];
  const child = spawn(program!, rest, { cwd: tmpdir(), timeout, env: { ...environment, ...env } });
  let stdout = '', stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => { stdout += text; });
  child.stderr.setEncoding('utf8').on('data', (text: string) => { stderr += text; });
  child.stdin.on('error', () => undefined); // it has ended
  const ended = new Promise<Outcome>((resolve) => { child.on('close', (status, signal) => { resolve({ status, signal, stdout, stderr }); }); });
  return {
    pid: child.pid!, ended,
    get stdout() { return stdout; },
    get stderr() { return stderr; },
    write: (text) => { child.stdin.write(text); },
    endInput: () => { child.stdin.end(); },
    closeOutput: () => { child.stdout.destroy(); },
    kill: (signal) => { child.kill(signal); },
    said: async (text) => {
      const holds = (): boolean => (typeof text === 'string' ? stdout.includes(text) : text.test(stdout));
      while (!holds()) {
        if (child.exitCode !== null) throw new Error(`it ended without saying ${String(text)}: ${stdout} ${stderr}`);
        await Promise.race([new Promise((resolve) => child.stdout.once('data', resolve)), ended]);
      }
    },
  };
}
