/** --load-session and --save-session: what was said goes on in another run. */
import { readFile, writeFile } from 'node:fs/promises';
import type { Chat, GenerateOptions, Generation, Model, SnapshotInfo } from 'clada';
import { InputError, snapshotInfo } from 'clada';
import type { Values } from './commands.ts';
import { note } from './model.ts';

export interface Saved { readonly bytes: Uint8Array; readonly info: SnapshotInfo }

const inaccessible = (path: string, expected: string) => (cause: unknown): never => {
  throw new InputError('E_NOT_FOUND', { subject: path, found: (cause as { code?: string }).code ?? String(cause), expected, remedy: 'Check the path.', cause });
};

export async function readSession(path: string | undefined): Promise<Saved | undefined> {
  if (path === undefined) return undefined;
  const bytes = await readFile(path).catch(inaccessible(path, 'a session that --save-session wrote'));
  return { bytes, info: snapshotInfo(bytes) };
}

/** Flags with which the session was computed, where the command line does not say otherwise. */
export function likeSession<T extends Pick<Values<'run'>, 'kv' | 'tier'>>(values: T, saved: Saved | undefined): T {
  return saved ? { ...values, kv: values.kv ?? saved.info.build.kv, tier: values.tier ?? saved.info.build.tier } : values;
}

/** The saved chat, or a new one. @throws InputError `E_USAGE` where the session is a text */
export async function chatOf(model: Model, saved: Saved | undefined, system: string | undefined, { sparsity }: GenerateOptions): Promise<Chat> {
  if (!saved) return model.chat(system === undefined ? {} : { system });
  if (saved.info.kind === 'chat') return model.restore(saved.bytes, sparsity ? { sparsity } : {});
  throw new InputError('E_USAGE', { subject: '--load-session', found: 'a continued text', expected: 'a chat', remedy: 'Use clada run.' });
}

/** A saved text goes on: after `more`, or from where it stood. */
export async function continued(model: Model, { bytes }: Saved, more: string | undefined, options: GenerateOptions): Promise<Generation> {
  if (more === undefined) return model.resume(bytes, options);
  const { ids } = await model.resume(bytes);
  return model.generate([...ids, ...model.tokenizer.encode(more, { after: ids })], options);
}

export async function writeSession(path: string | undefined, from: Chat | Generation): Promise<void> {
  if (path === undefined) return;
  const bytes = await from.save();
  await writeFile(path, bytes).catch(inaccessible(path, 'a file that can be written'));
  note(`session saved: ${path}, ${(bytes.length / 1e6).toFixed(1)} MB`);
}
