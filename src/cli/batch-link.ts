/** The way to a queue: BullMQ over Valkey or Redis, packages that whoever wants a queue brings. */
import type { Redis } from 'ioredis';
import { InputError, TransferError } from '../errors.ts';
import { sleep } from '../net/sleep.ts';

type Bull = typeof import('bullmq');

/** What names a model in the queue. */
export interface ModelName {
  /** Of its weights. */
  readonly fingerprint: string;
  readonly name: string;
  readonly file: string;
}

export interface Link {
  readonly bull: Bull;
  /** For commands that do not block. */
  readonly redis: Redis;
  /** For BullMQ: a connection, and where its keys lie. */
  options(): { connection: Redis; prefix: string };
  /** Rejects once the queue has been away for too long, or does not let us in. */
  readonly lost: Promise<never>;
  close(): void;
}

/** Braces keep all keys on one node of a cluster. */
const prefix = '{clada}';
/** Models that have workers, by when one was last seen, in seconds of the queue's clock. */
const modelsKey = `${prefix}:models`;
/** Seconds for which a worker that says nothing counts as there. */
const seenFor = 30;
/** Milliseconds between two signs of life. */
const signEvery = 5000;

/** Looks within the patience, each of which finds the queue away: a process that was too busy to look has missed nothing else. */
const looks = 20;

/** The queue of one model: what is in it can be answered by every worker that reads from it. */
export const queueOf = ({ fingerprint }: ModelName): string => `batch-${fingerprint.slice(0, 16)}`;

/**
 * @param patience seconds that the queue may be away
 * @throws InputError `E_USAGE`, `E_NOT_FOUND` (packages); TransferError `E_QUEUE`
 */
export async function openLink(address: string, patience: number): Promise<Link> {
  const url = address.replace(/^valkey/, 'redis');
  if (!/^rediss?:$/.test(URL.canParse(url) ? new URL(url).protocol : '')) throw new InputError('E_USAGE', {
    subject: 'clada batch --queue', found: JSON.stringify(address), expected: 'redis://HOST:PORT, or rediss:// with TLS',
    remedy: 'Change the address.',
  });
  const bull = await bring('bullmq', () => import('bullmq')), { Redis: Client } = await bring('ioredis', () => import('ioredis'));
  const clients: Redis[] = [], away = new Set<Redis>();
  let fail: (error: Error) => void = () => undefined, timer: NodeJS.Timeout | undefined, missed = 0, last = '';
  const lost = new Promise<never>((_, reject) => { fail = reject; });
  lost.catch(() => undefined); // whoever waits for it hears of it
  const refuse = (found: string): void => {
    fail(new TransferError('E_QUEUE', {
      subject: `queue ${address}`, found, expected: 'a Valkey or Redis that answers',
      remedy: 'Start it, or name another; then run the same command again.',
    }));
  };
  const isAway = (client: Redis, is: boolean): void => {
    if (is) away.add(client); else away.delete(client);
    if (away.size === 0) { clearInterval(timer); timer = undefined; missed = 0; }
    else timer ??= setInterval(() => {
      if (++missed === looks) refuse(`nothing for ${patience} s${last && `: ${last}`}`);
    }, 1000 * patience / looks);
  };
  const connect = (): Redis => {
    const client = new Client(url, { maxRetriesPerRequest: null, retryStrategy: (times) => Math.min(100 * 2 ** times, 2000) });
    clients.push(client);
    isAway(client, true);
    client.on('ready', () => { isAway(client, false); });
    client.on('close', () => { isAway(client, true); });
    client.on('error', (error: Error) => {
      last = error.message;
      if (/WRONGPASS|NOAUTH|NOPERM|ERR AUTH/.test(last)) refuse(last);
    });
    return client;
  };
  return {
    bull, redis: connect(), lost,
    options: () => ({ connection: connect(), prefix }),
    close: () => {
      clearInterval(timer);
      for (const client of clients) { client.removeAllListeners('close'); client.disconnect(); }
    },
  };
}

/** Brings a package that is none of clada's own. */
async function bring<T>(name: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (cause) {
    if ((cause as { code?: string }).code !== 'ERR_MODULE_NOT_FOUND') throw cause;
    throw new InputError('E_NOT_FOUND', {
      subject: 'clada batch --queue', found: `no package ${name}`, expected: 'bullmq and ioredis beside clada',
      remedy: 'npm install bullmq ioredis, with -g where clada was installed so.', cause,
    });
  }
}

/** Says that a worker of this model is there, until it is stopped. */
export function signOn({ redis }: Link, { fingerprint, name, file }: ModelName): () => void {
  const member = JSON.stringify([fingerprint, name, lastOf(file)]);
  const sign = async (): Promise<void> => {
    const [seconds] = await redis.time();
    await redis.zadd(modelsKey, Number(seconds), member);
  };
  const tell = (): void => { sign().catch(() => undefined); }; // one that is missed is made up for by the next
  tell();
  const timer = setInterval(tell, signEvery);
  return () => { clearInterval(timer); };
}

/** Models that have workers now. */
export async function modelsOf({ redis }: Link): Promise<ModelName[]> {
  const [seconds] = await redis.time();
  await redis.zremrangebyscore(modelsKey, '-inf', String(Number(seconds) - seenFor));
  return (await redis.zrange(modelsKey, '0', '-1')).map((member) => {
    const [fingerprint, name, file] = JSON.parse(member) as [string, string, string];
    return { fingerprint, name, file };
  });
}

/** The last part of a path or address. */
const lastOf = (path: string): string => path.replace(/[?#].*$/, '').split(/[\\/]/).pop()!;

function isNamed({ name, file, fingerprint }: ModelName, wanted: string): boolean {
  return name === wanted || file === lastOf(wanted) || (wanted.length >= 8 && fingerprint.startsWith(wanted));
}

/**
 * The model that a batch is for: the one that `wanted` names, or the only one that has workers. Waits for the first worker.
 * @throws InputError `E_OPTION` where workers have other models, or several; AbortedError
 */
export async function findModel(link: Link, wanted: string | undefined, signal: AbortSignal, onWait: () => void): Promise<ModelName> {
  for (let waited = 0; ; waited++) {
    const models = await Promise.race([modelsOf(link), link.lost]);
    const fitting = wanted === undefined ? models : models.filter((model) => isNamed(model, wanted));
    if (fitting.length === 1) return fitting[0]!;
    if (models.length > 0) {
      const listed = models.map(({ name, file, fingerprint }) => `${name} (${file}, ${fingerprint.slice(0, 8)})`).join(', ');
      throw new InputError('E_OPTION', {
        subject: 'model of the batch', found: `workers with ${listed}`, expected: wanted ?? 'one model, or -m',
        remedy: 'Name one of them with -m, or start workers with the model that you mean.',
      });
    }
    if (waited === 1) onWait();
    await Promise.race([link.lost, sleep(500, signal, 'batch')]);
  }
}
