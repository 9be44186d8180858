/** Child processes: run to the end, or kept as a service until stopped. */
import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';

/** @returns what it printed. @throws Error with both streams where it fails or takes longer than `seconds` */
export async function run(command: string, args: readonly string[], { seconds = 300, ...options }: SpawnOptions & { seconds?: number } = {}): Promise<{ stdout: string; stderr: string }> {
  const child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) child[name]!.on('data', (chunk: Buffer) => { output[name] += chunk.toString(); });
  let late = false;
  const timer = setTimeout(() => { late = true; child.kill('SIGKILL'); }, 1000 * seconds);
  const code = await new Promise<number | null>((resolve, reject) => { child.on('error', reject); child.on('close', resolve); });
  clearTimeout(timer);
  if (code !== 0) throw new Error(`${command} ${args.join(' ')}: ${late ? `no end after ${seconds} s` : `exit code ${code}`}\n${output.stdout.slice(-4000)}\n${output.stderr.slice(-4000)}`);
  return output;
}

/** Ends a service of ours and waits until it has. */
export async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('close', resolve));
  child.kill('SIGKILL');
  await ended;
}
