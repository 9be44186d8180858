/**
 * A folder as a cache (Node, Deno, Bun). Files of the Hugging Face hub lie as its own tools lay them, shared with them:
 *
 *   models--OWNER--REPO/blobs/HASH, snapshots/COMMIT/FILE → ../../blobs/HASH, refs/REVISION
 *
 * Others in a folder for each address: HOST/ID/NAME. While a file arrives, it is `.part` in that folder, with `.part.json` saying what of
 * it is sound; only a whole one gets its name.
 */
import type { NodeModules } from '../node.ts';
import { nodeModule } from '../node.ts';
import { redacted } from '../redact.ts';
import { fileName } from './address.ts';
import type { CacheEntry, FileInfo, Hasher, ModelCache, Stretch } from './cache.ts';
import type { Target } from './target.ts';
import { Ranges } from './ranges.ts';

type Node = NodeModules['node:fs/promises'] & Pick<NodeModules['node:path'], 'basename' | 'dirname' | 'join' | 'relative'>
  & Pick<NodeModules['node:os'], 'homedir'> & Pick<NodeModules['node:crypto'], 'createHash'>;
type FileHandle = Awaited<ReturnType<Node['open']>>;
let node!: Node;

/** Bytes between two writes of `.part.json`: what a process that dies may lose. */
const syncBytes = 16 * 1024 * 1024;

const { process } = globalThis; // a free name makes Parcel look for a polyfill
const env = (name: string): string | undefined => process.env[name] || undefined;
const cacheHome = (): string =>
  env('XDG_CACHE_HOME') ?? (process.platform === 'win32' ? env('LOCALAPPDATA') : undefined) ?? node.join(node.homedir(), '.cache');

/** `HF_HUB_CACHE`, `HF_HOME`/hub, or the place under the user's cache folder where the hub's own tools keep models. */
const hubFolder = (): string => env('HF_HUB_CACHE') ?? node.join(env('HF_HOME') ?? node.join(cacheHome(), 'huggingface'), 'hub');

/**
 * A cache in `folder`; by default the hub's for its files, and `clada` in the user's cache folder for others. Rejects where there is no
 * disk.
 */
export async function directoryCache(folder?: string): Promise<ModelCache> {
  const names = ['node:crypto', 'node:os', 'node:path', 'node:fs/promises'] as const;
  node ??= Object.assign({}, ...await Promise.all(names.map((name) => nodeModule(name, 'a folder as a cache')))) as Node;
  return {
    async open(target) {
      const entry = new DirectoryEntry(target, folder);
      await entry.look();
      return entry;
    },
    sha256(): Hasher {
      const hash = node.createHash('sha256');
      return { update: (bytes) => hash.update(bytes), hex: () => hash.digest('hex') };
    },
  };
}

/** Folders that this process writes to. */
const writing = new Set<string>();
let privateCopies = 0;

class DirectoryEntry implements CacheEntry {
  whole: FileInfo | undefined;
  part: { info: FileInfo; held: readonly Stretch[] } | undefined;
  path: string | undefined;
  /** The repository's folder, of a file of the hub. */
  readonly #repo: string | undefined;
  /** Where the copy arrives. */
  readonly #home: string;
  readonly #name: string;
  #partPath: string;
  #locked = false;
  #private = false;
  #info: FileInfo | undefined;
  #held = new Ranges();
  #handle: FileHandle | undefined;
  #unsynced = 0;

  constructor(private readonly target: Target, folder: string | undefined) {
    const id = node.createHash('sha256').update(target.url).digest('hex').slice(0, 16), { hub, url } = target;
    this.#repo = hub && node.join(folder ?? hubFolder(), `models--${hub.repo.replace('/', '--')}`);
    this.#home = this.#repo === undefined
      ? node.join(folder ?? node.join(cacheHome(), 'clada'), new URL(url).host.replace(/[^\w.-]/g, '_'), id)
      : node.join(this.#repo, '.clada', id);
    this.#name = fileName(url).replace(/[^\w.-]/g, '_').replace(/^\.+/, '') || 'model';
    this.#partPath = node.join(this.#home, '.part');
  }

  /** What is there. Nothing is made before it is needed. */
  async look(): Promise<void> {
    await this.#findSnapshot();
    if (!this.whole) await this.#findOwn();
    const text = await node.readFile(`${this.#partPath}.json`, 'utf8').catch(() => undefined);
    if (text === undefined || !await this.#lock()) return;
    try {
      const { info, held } = JSON.parse(text) as { info: FileInfo; held: Stretch[] };
      const { size } = await node.stat(this.#partPath);
      if (held.every(([, end]) => end <= size)) this.part = { info, held };
    } catch { /* damaged, or without its file: as good as nothing */ }
  }

  async start(info: FileInfo, keep: boolean): Promise<void> {
    await node.mkdir(this.#home, { recursive: true });
    if (!await this.#lock()) { // another process fetches the same: this one keeps out of its way
      this.#private = true;
      this.#partPath = node.join(this.#home, `.part-${process.pid}-${privateCopies++}`);
    }
    await this.#handle?.close();
    this.#info = info;
    this.#held = new Ranges(keep ? this.part?.held : []);
    if (!keep) await node.rm(`${this.#partPath}.json`, { force: true }); // before the bytes that it vouches for
    this.#handle = await node.open(this.#partPath, keep ? 'r+' : 'w+');
    await this.#sync();
  }

  async write(offset: number, bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.length;) {
      done += (await this.#handle!.write(bytes, done, bytes.length - done, offset + done)).bytesWritten;
    }
    this.#held.add(offset, offset + bytes.length);
    this.#unsynced += bytes.length;
    if (this.#unsynced >= syncBytes) await this.#sync();
  }

  async read(offset: number, target: Uint8Array): Promise<number> {
    this.#handle ??= await node.open(this.path!, 'r');
    let done = 0;
    while (done < target.length) {
      const { bytesRead } = await this.#handle.read(target, done, target.length - done, offset + done);
      if (bytesRead === 0) break;
      done += bytesRead;
    }
    return done;
  }

  async finish(info: FileInfo): Promise<void> {
    await this.#handle!.sync();
    await node.rm(this.#notePath, { force: true }); // a crash from here on leaves a file that nothing vouches for
    const placed = this.target.hub && info.commit !== undefined ? await this.#placeInSnapshot(info, info.commit) : await this.#placeOwn();
    await this.note(info);
    if (!this.#private) await node.rm(node.join(this.#home, '.part.json'), { force: true });
    this.path = placed;
    this.whole = info;
    this.#info = this.part = undefined; // the handle stays: it reads the same file under its new name
  }

  async note(info: FileInfo): Promise<void> {
    await node.mkdir(this.#home, { recursive: true });
    await replace(this.#notePath, JSON.stringify({ url: redacted(this.target.url), ...info }));
  }

  async remove(): Promise<void> {
    const begun = this.#info !== undefined;
    await this.#handle?.close();
    this.#handle = this.#info = this.part = undefined;
    this.#held = new Ranges();
    if (begun) {
      await node.rm(`${this.#partPath}.json`, { force: true });
      await node.rm(this.#partPath, { force: true });
    } else if (this.path !== undefined) {
      const file = await node.realpath(this.path).catch(() => this.path!);
      await node.rm(this.#notePath, { force: true });
      await node.rm(this.path, { force: true });
      await node.rm(file, { force: true });
      this.whole = this.path = undefined;
    }
  }

  async close(): Promise<void> {
    try {
      if (this.#info && !this.#private) await this.#sync();
    } finally {
      await this.#handle?.close();
      this.#handle = undefined;
      if (this.#info && this.#private) await node.rm(this.#partPath, { force: true });
      this.#info = undefined;
      if (this.#locked) {
        this.#locked = false;
        writing.delete(this.#home);
        await node.unlink(node.join(this.#home, '.lock')).catch(() => undefined);
      }
    }
  }

  /** Bytes first, then what vouches for them: a machine that loses power loses no truth. */
  async #sync(): Promise<void> {
    this.#unsynced = 0;
    if (this.#private) return;
    const held = this.#held.list.map(([start, end]) => [start, end]);
    await this.#handle!.datasync();
    await replace(`${this.#partPath}.json`, JSON.stringify({ url: redacted(this.target.url), info: this.#info, held }));
  }

  /** False if another live process, or another load of this one, writes here. */
  async #lock(): Promise<boolean> {
    if (this.#locked) return true;
    if (writing.has(this.#home)) return false;
    writing.add(this.#home);
    const path = node.join(this.#home, '.lock');
    for (let tries = 0; tries < 2; tries++) {
      try {
        await node.writeFile(path, String(process.pid), { flag: 'wx' });
        return this.#locked = true;
      } catch (error) {
        if ((error as { code?: string }).code !== 'EEXIST') break; // nothing can be written here: start() will say so
        const pid = Number(await node.readFile(path, 'utf8').catch(() => ''));
        if (pid > 0 && pid !== process.pid && alive(pid)) break;
        await node.unlink(path).catch(() => undefined); // of a process that died
      }
    }
    writing.delete(this.#home);
    return false;
  }

  async #findSnapshot(): Promise<void> {
    const { hub } = this.target;
    if (!hub || this.#repo === undefined) return;
    const ref = node.join(this.#repo, 'refs', hub.revision);
    const commit = /^[0-9a-f]{40}$/.test(hub.revision) ? hub.revision : (await node.readFile(ref, 'utf8').catch(() => '')).trim();
    if (!/^[0-9a-f]{40}$/.test(commit)) return;
    const path = node.join(this.#repo, 'snapshots', commit, ...hub.file.split('/'));
    try {
      const real = await node.realpath(path), { size } = await node.stat(real);
      const blob = /^([0-9a-f]{40}|[0-9a-f]{64})$/.exec(node.basename(real))?.[0];
      const note = await this.#readNote(), ours = blob === undefined ? note.commit === commit : note.blob === blob;
      const sha256 = blob?.length === 64 ? blob : ours ? note.sha256 : undefined;
      this.whole = { size, commit, blob, sha256, sample: ours ? note.sample : undefined };
      this.path = path;
    } catch { /* not there */ }
  }

  async #findOwn(): Promise<void> {
    const path = node.join(this.#home, this.#name);
    try {
      const info = await this.#readNote();
      if ((await node.stat(path)).size !== info.size) return; // cut or changed by somebody
      this.whole = info;
      this.path = path;
    } catch { /* not there */ }
  }

  /** What is known of the finished copy: that of a hub's file lies beside its layout, where its tools do not look. */
  get #notePath(): string { return node.join(this.#home, '.info.json'); }

  async #readNote(): Promise<FileInfo> {
    try { return JSON.parse(await node.readFile(this.#notePath, 'utf8')) as FileInfo; } catch { return {}; }
  }

  async #placeOwn(): Promise<string> {
    const path = node.join(this.#home, this.#name);
    await node.rename(this.#partPath, path);
    return path;
  }

  async #placeInSnapshot(info: FileInfo, commit: string): Promise<string> {
    const repo = this.#repo!, { file, revision } = this.target.hub!, path = node.join(repo, 'snapshots', commit, ...file.split('/'));
    const name = info.blob ?? info.sha256;
    await node.mkdir(node.dirname(path), { recursive: true });
    if (name === undefined) await node.rename(this.#partPath, path);
    else {
      const blob = node.join(repo, 'blobs', name);
      await node.mkdir(node.dirname(blob), { recursive: true });
      await node.rename(this.#partPath, blob);
      await node.rm(path, { force: true });
      // Windows lets few users make symbolic links.
      await node.symlink(node.relative(node.dirname(path), blob), path).catch(() => node.link(blob, path));
    }
    if (revision !== commit) {
      const ref = node.join(repo, 'refs', ...revision.split('/'));
      await node.mkdir(node.dirname(ref), { recursive: true });
      await replace(ref, commit);
    }
    return path;
  }
}

async function replace(path: string, text: string): Promise<void> {
  await node.writeFile(`${path}.new`, text);
  await node.rename(`${path}.new`, path);
}

function alive(pid: number): boolean {
  try { process.kill(pid, 0); return true; } catch (error) { return (error as { code?: string }).code === 'EPERM'; }
}
