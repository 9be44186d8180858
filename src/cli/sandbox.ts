/**
 * Python that a model wrote, run where it can do no harm: namespaces of its own (no network, no other process in sight), a file system that
 * holds the interpreter, read-only, and an empty directory in memory, no capabilities, little memory and time. When its time is over, or
 * this process ends, the kernel ends all that it started. Linux with unprivileged user namespaces and util-linux; elsewhere it is refused
 * with the reason: code is never run unguarded. Test: test/cli/sandbox.test.ts.
 */
import { execFile, spawn } from 'node:child_process';
import { mkdtemp, rmdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { InputError } from 'clada';

export interface SandboxLimits {
  /** Of the clock, and of the processor. Default 10. */
  readonly seconds?: number;
  /** Of address space a process. Default 1024. */
  readonly megabytes?: number;
}

export interface SandboxRun {
  /** It ran to its end and left with code 0. */
  readonly ok: boolean;
  /** What ended it otherwise. */
  readonly ended: 'code' | 'time' | 'output' | 'signal';
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program given as text. */
export type Sandbox = (program: string, limits?: SandboxLimits) => Promise<SandboxRun>;

const mostOutput = 65_536, diskMegabytes = 16, mostProcesses = 64;

/**
 * $1: an empty directory, $2: the interpreter, $3: the folder it is installed in; then limits of prlimit. The first process of its process
 * namespace: when it ends, everything does. After pivot_root the old file system is gone, not hidden.
 */
const script = `
root=$1; python=$2; home=$3; shift 3
mount --make-rprivate /
mount -t tmpfs -o size=${diskMegabytes}m,mode=755,nosuid,nodev tmpfs "$root"
for dir in /usr /bin /sbin /lib /lib32 /lib64 "$home"; do
  if [ -L "$dir" ]; then ln -s "$(readlink "$dir")" "$root$dir"
  elif [ -d "$dir" ] && [ ! -e "$root$dir" ]; then
    mkdir -p "$root$dir"; mount --rbind "$dir" "$root$dir"; mount -o remount,bind,ro,nosuid "$root$dir"
  fi
done
mkdir "$root/dev" "$root/proc" "$root/tmp" "$root/old" "$root/work"
for file in null zero urandom; do : > "$root/dev/$file"; mount --bind "/dev/$file" "$root/dev/$file"; done
mount -t tmpfs -o size=${diskMegabytes}m,nosuid,nodev tmpfs "$root/work"; mount -o remount,bind,ro "$root"
mount -t proc proc "$root/proc" # umount wants to read there
cd "$root"; pivot_root . old; umount -l /old; umount -l /proc; cd /work
exec prlimit "$@" setpriv --no-new-privs --inh-caps=-all --bounding-set=-all "$python" -I -S -B -
`;

interface Interpreter { readonly python: string; /** Folder of its libraries. */ readonly home: string }

/** @throws Error where a tool is missing; where the kernel does not allow it, the run says so on stderr */
async function runIn(
  { python, home }: Interpreter, program: string, { seconds = 10, megabytes = 1024 }: SandboxLimits = {},
): Promise<SandboxRun> {
  const root = await mkdtemp(join(tmpdir(), 'clada-sandbox-'));
  const limits = [
    `--as=${megabytes * 2 ** 20}`, `--cpu=${Math.ceil(seconds)}`, `--fsize=${diskMegabytes * 2 ** 20}`, '--core=0', '--nofile=64',
    `--nproc=${mostProcesses}`,
  ];
  // timeout stands outside, so that the end comes although this process may be gone
  const child = spawn('timeout', [
    '--signal=KILL', String(seconds + 1),
    'unshare', '--user', '--map-root-user', '--net', '--mount', '--pid', '--ipc', '--uts', '--fork', '--kill-child',
    'sh', '-euc', script, 'sh', root, python, home, ...limits,
  ], { env: { PATH: '/usr/bin:/bin:/usr/sbin:/sbin', LC_ALL: 'C.UTF-8' }, cwd: '/', stdio: ['pipe', 'pipe', 'pipe'], detached: true });
  let ended: SandboxRun['ended'] = 'code';
  const kill = (why: SandboxRun['ended']): void => {
    if (ended === 'code') ended = why;
    if (child.pid !== undefined) try { process.kill(-child.pid, 'SIGKILL'); } catch { /* it has ended by itself */ }
  };
  const timer = setTimeout(kill, seconds * 1000, 'time');
  const read = (stream: NodeJS.ReadableStream): { text: string } => {
    const kept = { text: '' };
    stream.setEncoding('utf8').on('data', (part: string) => {
      if (kept.text.length + part.length > mostOutput) kill('output');
      else kept.text += part;
    });
    return kept;
  };
  const stdout = read(child.stdout), stderr = read(child.stderr);
  child.stdin.on('error', () => undefined); // it may end without reading
  child.stdin.end(program);
  try {
    const code = await new Promise<number | null>((resolve, reject) => { child.on('error', reject).on('close', resolve); });
    if (ended === 'code' && code !== 0 && (code === null || code >= 128)) ended = 'signal';
    return { ok: code === 0 && ended === 'code', ended, stdout: stdout.text, stderr: stderr.text };
  } finally {
    clearTimeout(timer);
    await rmdir(root).catch(() => undefined);
  }
}

/** The interpreter behind a name, which may be a shim. */
async function locate(name: string): Promise<Interpreter> {
  const ask = 'import os, sys; print(os.path.realpath(sys.executable)); print(sys.base_prefix)';
  const { stdout } = await promisify(execFile)(name, ['-I', '-S', '-c', ask], { timeout: 10_000 });
  const [python, home] = stdout.trim().split('\n') as [string, string];
  return { python, home: python.startsWith(`${home}/`) ? home : dirname(python) };
}

/**
 * The sandbox of this machine, tried out.
 * @throws InputError `E_OPTION` with the reason, where there is none
 */
export async function openSandbox(names: readonly string[] = ['python3', '/usr/bin/python3']): Promise<Sandbox> {
  const reasons: string[] = [];
  for (const name of names) {
    try {
      const interpreter = await locate(name), sandbox: Sandbox = (program, limits) => runIn(interpreter, program, limits);
      const { ok, stdout, stderr } = await sandbox('import math, collections, typing\nprint(6 * 7)');
      if (ok && stdout === '42\n') return sandbox;
      reasons.push(`${name}: ${stderr.trim().split('\n').at(-1) ?? 'it said nothing'}`);
    } catch (error) {
      reasons.push(`${name}: ${(error as Error).message.split('\n')[0]}`);
    }
  }
  throw new InputError('E_OPTION', {
    subject: 'sandbox for generated code', found: reasons.join('; '),
    expected: 'Python 3, unshare, prlimit and setpriv, and user namespaces that a user may make',
    remedy: 'Leave the task humaneval out, or run it on a Linux that allows them: generated code is not run unguarded.',
  });
}
