import { FormatError, InputError, throwIfAborted } from '../errors.ts';
import { nodeModule } from '../node.ts';
import type { ByteSource } from './source.ts';

/**
 * Opens a file (Node, Deno, Bun), by its path or the text of its `file:` URL. Reads go straight into the target, which may be WebAssembly
 * memory: no second copy exists.
 * @throws InputError `E_NOT_FOUND` where it does not exist or may not be read.
 */
export async function openFile(from: string): Promise<ByteSource> {
  const { open } = await nodeModule('node:fs/promises', from);
  const path = /^file:/i.test(from) ? await pathOf(from) : from;
  const handle = await open(path, 'r').catch((cause: unknown) => {
    throw new InputError('E_NOT_FOUND', {
      subject: path, found: (cause as { code?: string }).code ?? String(cause), expected: 'a file that can be read',
      remedy: 'Check the path and its permissions.', cause,
    });
  });
  const stat = await handle.stat();
  if (!stat.isFile()) {
    await handle.close();
    throw new InputError('E_NOT_FOUND', {
      subject: path, found: stat.isDirectory() ? 'a directory' : 'not a regular file', expected: 'a file',
      remedy: 'Name the .gguf file itself.',
    });
  }
  let open_ = true;
  return {
    name: path, size: stat.size, sequential: false,
    async read(offset, target, signal) {
      let done = 0;
      while (done < target.length) {
        throwIfAborted(signal, path);
        const { bytesRead } = await handle.read(target, done, target.length - done, offset + done).catch((cause: unknown) => {
          throw new FormatError('E_SOURCE_READ', {
            subject: path, found: String(cause), expected: `bytes ${offset} to ${offset + target.length}`,
            remedy: 'Check the disk and that the file is still there.', cause,
          });
        });
        if (bytesRead === 0) break;
        done += bytesRead;
      }
      return done;
    },
    async close() {
      if (!open_) return;
      open_ = false;
      await handle.close();
    },
  };
}

async function pathOf(url: string): Promise<string> {
  const { fileURLToPath } = await nodeModule('node:url', url);
  try {
    return fileURLToPath(url);
  } catch (cause) { // another host's, or an encoded slash
    throw new InputError('E_NOT_FOUND', {
      subject: url, found: String(cause), expected: 'the file: URL of a file of this machine',
      remedy: 'Write file:///folder/model.gguf, or pass the path.', cause,
    });
  }
}
