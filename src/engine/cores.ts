/** How many threads can run at once: what the system says, or less where a container may use less. */
import { nodeModule } from '../node.ts';

/** Whole cores that a quota of the container allows; undefined where there is none. Linux, cgroup 2 and 1. */
async function quota(): Promise<number | undefined> {
  const { readFile } = await nodeModule('node:fs/promises', 'cores');
  const read = (path: string): Promise<string | undefined> => readFile(path, 'utf8').catch(() => undefined);
  const two = await read('/sys/fs/cgroup/cpu.max');
  const [most, period] = two?.trim().split(/\s+/) ?? [
    await read('/sys/fs/cgroup/cpu/cpu.cfs_quota_us'), await read('/sys/fs/cgroup/cpu/cpu.cfs_period_us'),
  ];
  const cores = Number(most) / Number(period);
  return cores > 0 && Number.isFinite(cores) ? Math.max(1, Math.floor(cores)) : undefined;
}

/** At least 1. */
export async function countCores(): Promise<number> {
  const { navigator, process } = globalThis as {
    navigator?: { hardwareConcurrency?: number }; process?: { versions?: { node?: string } };
  };
  if (process?.versions?.node === undefined) return Math.max(1, navigator?.hardwareConcurrency ?? 1);
  const { availableParallelism } = await nodeModule('node:os', 'cores');
  return Math.max(1, Math.min(availableParallelism(), (await quota().catch(() => undefined)) ?? Infinity));
}
