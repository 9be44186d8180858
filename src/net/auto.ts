/** Which cache a runtime has. */
import { InputError, TransferError } from '../errors.ts';
import { blockCache } from './blocks.ts';
import type { BlockStore, ModelCache } from './cache.ts';
import type { NetworkOptions } from './options.ts';
import { cacheApiStore, opfsStore } from './stores.ts';

interface Platform {
  process?: { versions?: { node?: string } };
  Deno?: unknown;
  navigator?: {
    userAgent?: string;
    storage?: { getDirectory?(): Promise<FileSystemDirectoryHandle>; estimate?(): Promise<{ quota?: number; usage?: number }> };
  };
  caches?: { open(name: string): Promise<Cache> };
}
const platform = (): Platform => globalThis as unknown as Platform;

/** Node, Deno and Bun. Workers' runtime has a `process` for compatibility, and no disk behind it. */
function hasDisk(): boolean {
  const { process, Deno, navigator } = platform();
  return (Deno !== undefined || process?.versions?.node !== undefined) && navigator?.userAgent !== 'Cloudflare-Workers';
}

async function opfs(): Promise<ModelCache> {
  const root = await platform().navigator!.storage!.getDirectory!();
  return blockCache(opfsStore(await root.getDirectoryHandle('clada', { create: true })));
}

const cacheApi = async (): Promise<ModelCache> => blockCache(cacheApiStore(await platform().caches!.open('clada')));
const directory = async (folder?: string): Promise<ModelCache> => (await import('./directory.ts')).directoryCache(folder);

/**
 * The cache of the options; undefined where none is wanted, or 'auto' finds none that works (a private window, say).
 * @throws InputError `E_OPTION`; TransferError `E_CACHE`
 */
export async function chooseCache(choice: NetworkOptions['cache'] = 'auto'): Promise<ModelCache | undefined> {
  if (choice === false) return undefined;
  if (choice === 'auto') {
    const { navigator, caches } = platform();
    const candidates = hasDisk() ? [directory] : [...(navigator?.storage?.getDirectory ? [opfs] : []), ...(caches ? [cacheApi] : [])];
    for (const make of candidates) {
      const cache = await make().catch(() => undefined);
      if (cache) return cache;
    }
    return undefined;
  }
  if (choice === 'directory' || choice === 'opfs' || choice === 'cache-api') {
    return { directory, opfs, 'cache-api': cacheApi }[choice]().catch((cause: unknown) => {
      throw new TransferError('E_CACHE', {
        subject: `cache ${choice}`, found: String(cause), expected: 'a runtime and a page that have it',
        remedy: "Use 'auto', which takes what there is, or false.", cause,
      });
    });
  }
  if (typeof choice === 'object' && choice !== null) {
    if ('directory' in choice && typeof choice.directory === 'string' && choice.directory !== '') return directory(choice.directory);
    if ('open' in choice && typeof choice.open === 'function') return choice;
    const isStore = 'get' in choice && [choice.get, choice.put, choice.delete].every((method) => typeof method === 'function');
    if (isStore) return blockCache(choice as BlockStore);
  }
  throw new InputError('E_OPTION', {
    subject: 'option cache',
    found: typeof choice === 'object' ? 'an object without get, put and delete' : JSON.stringify(choice) ?? String(choice),
    expected: "'auto', 'directory', 'opfs', 'cache-api', false, { directory }, a BlockStore or a ModelCache",
    remedy: 'Leave it out for auto.',
  });
}

/** Whether a file of so many bytes has room, as far as anybody can tell. */
export async function hasRoom(bytes: number | undefined): Promise<boolean> {
  const { storage } = platform().navigator ?? {};
  if (hasDisk() || bytes === undefined || !storage?.estimate) return true;
  const { quota, usage = 0 } = await storage.estimate().catch(() => ({ quota: undefined, usage: 0 }));
  return quota === undefined || quota - usage > bytes;
}
