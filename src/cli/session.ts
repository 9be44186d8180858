/** --load-session and --save-session: what was said goes on in another run. */
import { access, constants, readFile, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Chat, GenerateOptions, Generation, Model, SnapshotInfo } from 'clada';
import { InputError, snapshotInfo } from 'clada';
import type { Values } from './commands.ts';
import { note, unwritable } from './output.ts';

export interface Saved { readonly bytes: Uint8Array; readonly info: SnapshotInfo }

export async function readSession(path: string | undefined): Promise<Saved | undefined> {
  if (path === undefined) return undefined;
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw new InputError('E_NOT_FOUND', {
      subject: path, found: (cause as { code?: string }).code ?? String(cause), expected: 'a session that --save-session wrote',
      remedy: 'Check the path.', cause,
    });
  });
  return { bytes, info: snapshotInfo(bytes) };
}

/** Flags with which the session was computed, where the command line does not say otherwise. */
export function likeSession<T extends Pick<Values<'run'>, 'kv' | 'tier'>>(values: T, saved: Saved | undefined): T {
  return saved ? { ...values, kv: values.kv ?? saved.info.build.kv, tier: values.tier ?? saved.info.build.tier } : values;
}

/** The saved chat, or a new one. @throws InputError `E_USAGE` where the session is a text */
export async function chatOf(
  model: Model, saved: Saved | undefined, system: string | undefined, { sparsity }: GenerateOptions,
): Promise<Chat> {
  if (!saved) return model.chat(system === undefined ? {} : { system });
  if (saved.info.kind === 'chat') return model.restore(saved.bytes, sparsity ? { sparsity } : {});
  throw new InputError('E_USAGE', { subject: '--load-session', found: 'a continued text', expected: 'a chat', remedy: 'Use clada run.' });
}

/** A saved text goes on: after `more`, or from where it stood. */
export async function continued(
  model: Model, { bytes }: Saved, more: string | undefined, options: GenerateOptions, parseSpecial = false,
): Promise<Generation> {
  if (more === undefined) return model.resume(bytes, options);
  const { ids } = await model.resume(bytes);
  return model.generate([...ids, ...model.tokenizer.encode(more, { after: ids, parseSpecial })], options);
}

/** That --save-session cannot write is found out before anything is computed. @throws InputError `E_NOT_FOUND` */
export async function checkSessionPath(path: string | undefined): Promise<void> {
  if (path === undefined) return;
  try {
    const found = await stat(path).catch(() => undefined);
    if (found?.isDirectory()) throw Object.assign(new Error(path), { code: 'EISDIR' });
    await access(found && !found.isFile() ? path : dirname(path), constants.W_OK);
  } catch (cause) {
    throw unwritable(path, cause);
  }
}

/** Does `work`, and saves however it ends; of two failures the first is told. */
export async function savingAfter(path: string | undefined, from: () => Chat | Generation, work: () => Promise<void>): Promise<void> {
  const failures: unknown[] = [];
  await work().catch((error: unknown) => { failures.push(error); });
  await writeSession(path, from()).catch((error: unknown) => { failures.push(error); });
  if (failures.length > 0) throw failures[0];
}

export async function writeSession(path: string | undefined, from: Chat | Generation): Promise<void> {
  if (path === undefined) return;
  const bytes = await from.save();
  await replaceFile(path, bytes).catch((cause: unknown) => { throw unwritable(path, cause); });
  note(`session saved: ${path}, ${(bytes.length / 1e6).toFixed(1)} MB`);
}

/**
 * Writes a file whole or not at all: what stood there before is lost only when the new one is complete. Devices and pipes are written as
 * they are.
 */
export async function replaceFile(path: string, bytes: Uint8Array): Promise<void> {
  const target = await realpath(path).catch(() => path), before = await stat(target).catch(() => undefined);
  if (before && !before.isFile()) { await writeFile(target, bytes); return; }
  const temporary = `${target}.${process.pid}.tmp`;
  try {
    await writeFile(temporary, bytes, { mode: (before?.mode ?? 0o666) & 0o7777, flush: true });
    await rename(temporary, target);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw error;
  }
}
