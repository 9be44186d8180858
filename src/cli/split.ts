/** `clada split`: a model cut into files, streamed from one to the other. */
import { mkdir, open } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { ByteSource, GgufPart } from 'clada';
import { FormatError, InputError, openSource, readGguf, splitGguf, splitName } from 'clada';
import type { Values } from './commands.ts';
import { modelPath, networkOf } from './model.ts';
import { note, print, printJson } from './output.ts';

const units = { '': 1, M: 1e6, G: 1e9 } as const;
const copyBytes = 1024 * 1024;

function parseSize(text: string): number {
  const [, digits, unit] = /^(\d+(?:\.\d+)?)([MG]?)$/.exec(text) ?? [];
  const bytes = Math.floor(Number(digits) * units[(unit ?? '') as keyof typeof units]);
  if (digits !== undefined && bytes >= 1) return bytes;
  throw new InputError('E_USAGE', {
    subject: 'clada split --split-max-size', found: JSON.stringify(text), expected: 'bytes, or a number with M or G: 25M',
    remedy: 'Change the value.',
  });
}

/** The file cut wherever a part is full: for tensors that are larger than a part may be. */
function cut(source: ByteSource, size: number, maxBytes: number): GgufPart[] {
  return Array.from({ length: Math.ceil(size / maxBytes) }, (_, index) => {
    const start = index * maxBytes, bytes = Math.min(maxBytes, size - start);
    return {
      bytes,
      async *read(signal) {
        for (let done = 0; done < bytes; done += copyBytes) {
          const piece = new Uint8Array(Math.min(copyBytes, bytes - done)), read = await source.read(start + done, piece, signal);
          if (read < piece.length) throw new FormatError('E_SOURCE_READ', {
            subject: source.name, found: `the end at byte ${start + done + read}`, expected: `${size} bytes`,
            remedy: 'The file has changed; try again.',
          });
          yield piece;
        }
      },
    };
  });
}

export async function split(values: Values<'split'>, signal: AbortSignal): Promise<void> {
  const maxBytes = parseSize(values.maxSize ?? '25M'), path = modelPath(values.model), byBytes = values.by === 'bytes';
  const folder = values.out ?? dirname(path), stem = basename(path).replace(/\.gguf$/i, '');
  const source = await openSource(path, networkOf(values, signal));
  try {
    const file = await readGguf(source, signal); // a file that is no model is found out here, cut or not
    const parts = byBytes ? cut(source, source.size ?? file.size, maxBytes) : splitGguf(file, maxBytes);
    const written: { path: string; bytes: number }[] = [];
    await mkdir(folder, { recursive: true });
    for (const [index, part] of parts.entries()) {
      const name = splitName(stem, index, parts.length);
      const target = join(folder, byBytes ? name.replace(/-(\d{5}-of-\d{5})\.gguf$/, '.gguf.$1') : name);
      const out = await open(target, 'w');
      try {
        for await (const piece of part.read(signal)) await out.writeFile(piece);
      } finally {
        await out.close();
      }
      written.push({ path: target, bytes: part.bytes });
      if (!values.json) print(`${target}  ${(part.bytes / 1e6).toFixed(1)} MB`);
    }
    if (values.json) printJson({ parts: written });
    else note(byBytes ? 'pieces of one file: join their streams, then load'
      : 'load all parts: the first path in Node, Deno and Bun; elsewhere a list, in order');
  } finally {
    await source.close();
  }
}
