/**
 * The output of a batch as files: what an earlier run left is read, results are appended one line at a time. The output is the only record
 * of what is done; the file of errors repeats lines of it, and is made again when a batch goes on.
 */
import {
  closeSync, createReadStream, existsSync, fdatasync, fstatSync, fsyncSync, ftruncateSync, openSync, readFileSync, renameSync, rmSync,
  statSync, writeFileSync, writeSync,
} from 'node:fs';
import { hostname } from 'node:os';
import { FormatError, InputError, TransferError } from '../errors.ts';
import { hasFailed, type BatchResult } from '../batch/answer.ts';
import { Ledger, readId, resultStart } from '../batch/ledger.ts';
import { Hash, readLines, type Line } from '../batch/lines.ts';
import { unwritable } from './output.ts';

/** An answer can be as long as a context, and hold the log-probabilities of it. */
const longestResult = 2 ** 30;
/** Milliseconds after which what was written is on the disk: a power cut costs no more than the results of this time. */
const syncEvery = 1000;

/** Where results go. */
export interface BatchOutput {
  readonly ledger: Ledger;
  /** The batch that earlier results belong to. */
  readonly batch: string | undefined;
  /** Tells this file from others, 16 hexadecimal digits. */
  readonly place: string;
  /** Whether an earlier result has this id. */
  has(id: string): boolean;
  /** How many of the earlier results say that their line failed. */
  readonly failed: number;
  /** @throws TransferError `E_WRITE`; the file ends with the result before this one then */
  write(result: BatchResult): void;
  /** Everything is on the disk when it returns. */
  close(): void;
}

/**
 * @throws FormatError `E_DATA` for a file of something else, which is left as it is; InputError `E_NOT_FOUND`, `E_OPTION` where it cannot
 * be written or another run writes it
 */
export async function openOutput(path: string, errorsPath: string | undefined, input: string): Promise<BatchOutput> {
  const fd = openFile(path, 'a+');
  let unlock = (): void => undefined, errorsFd: number | undefined;
  try {
    checkApart([input, path, ...(errorsPath === undefined ? [] : [errorsPath])]);
    unlock = lock(path);
    if (errorsPath !== undefined) {
      const old = openFile(errorsPath, 'a+');
      await readResults(old, errorsPath).finally(() => { closeSync(old); }); // what is something else stays as it is
      errorsFd = openFile(`${errorsPath}.new`, 'w');
    }
    const before = await readResults(fd, path, (line) => { if (errorsFd !== undefined) append(errorsFd, errorsPath!, line); });
    if (errorsPath !== undefined) renameSync(`${errorsPath}.new`, errorsPath);
    const { dev, ino, birthtimeMs } = fstatSync(fd), place = new Hash();
    place.update(Buffer.from([hostname(), dev, ino, birthtimeMs].join()));
    return { ...before, place: place.digits(), ...writer(fd, path, errorsFd, errorsPath, unlock) };
  } catch (error) {
    closeSync(fd);
    if (errorsFd !== undefined) { closeSync(errorsFd); rmSync(`${errorsPath}.new`, { force: true }); }
    unlock();
    throw error;
  }
}

function openFile(path: string, flags: string): number {
  let fd: number;
  try {
    fd = openSync(path, flags);
  } catch (cause) {
    throw unwritable(path, cause);
  }
  if (fstatSync(fd).isFile()) return fd;
  closeSync(fd);
  throw new InputError('E_OPTION', {
    subject: path, found: 'a pipe or device', expected: 'a file, which can be gone on with', remedy: 'Name a file.',
  });
}

/** One file in two places would eat itself. */
function checkApart(paths: readonly string[]): void {
  const seen = new Map<string, string>();
  for (const path of paths) {
    if (path === '-' || !existsSync(path)) continue;
    const { dev, ino } = statSync(path), key = `${dev} ${ino}`, same = seen.get(key);
    if (same !== undefined) throw new InputError('E_OPTION', {
      subject: path, found: `the same file as ${same}`, expected: 'a file of its own', remedy: 'Name another.',
    });
    seen.set(key, path);
  }
}

/** Reads what is there, and cuts off a last line that is torn. */
async function readResults(fd: number, path: string, onFailed: (line: string) => void = () => undefined) {
  const ledger = new Ledger(), stream = createReadStream(path);
  let batch: string | undefined, failed = 0, length = 0;
  const foreign = (line: Line, found: string): FormatError => new FormatError('E_DATA', {
    subject: `${path}, line ${line.number}`, found, expected: 'a result of clada batch', remedy: 'Name a new output.',
  });
  for await (const line of readLines(stream, longestResult)) {
    if (!line.whole) {
      const begun = line.text ?? resultStart; // cut inside a character it is not UTF-8
      if (!begun.startsWith(resultStart) && !resultStart.startsWith(begun)) throw foreign(line, 'a line without an end that is no result');
      break;
    }
    let result: BatchResult;
    try { result = JSON.parse(line.text ?? '') as BatchResult; } catch { throw foreign(line, 'a line that is not JSON'); }
    if (typeof result !== 'object' || result === null || !('response' in result)) throw foreign(line, 'a line that is no result');
    const own = ledger.read(result.id);
    if (batch !== undefined && own.slice(0, 8) !== batch.slice(0, 8)) throw foreign(line, 'a result of another model than those before');
    batch = own;
    length += line.bytes + 1;
    if (!hasFailed(result)) continue;
    failed++;
    onFailed(`${line.text!}\n`);
  }
  if (fstatSync(fd).size > length) ftruncateSync(fd, length);
  return { ledger, batch, failed, has: (id: string) => readId(id)?.batch === batch && ledger.knows(id) };
}

/** All of it, or an error. */
function append(fd: number, path: string, text: string): void {
  const bytes = Buffer.from(text), { size } = fstatSync(fd);
  try {
    for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at);
  } catch (cause) {
    try { ftruncateSync(fd, size); } catch { /* who goes on cuts it off */ }
    throw unwritten(path, cause);
  }
}

function writer(fd: number, path: string, errorsFd: number | undefined, errorsPath: string | undefined, unlock: () => void) {
  const files = errorsFd === undefined ? [fd] : [fd, errorsFd];
  let timer: NodeJS.Timeout | undefined, failure: Error | undefined;
  return {
    write: (result: BatchResult): void => {
      if (failure) throw unwritten(path, failure);
      const line = `${JSON.stringify(result)}\n`;
      append(fd, path, line);
      if (errorsFd !== undefined && hasFailed(result)) append(errorsFd, errorsPath!, line);
      timer ??= setTimeout(() => {
        timer = undefined;
        for (const file of files) fdatasync(file, (error) => { failure ??= error ?? undefined; });
      }, syncEvery);
    },
    close: (): void => {
      clearTimeout(timer);
      try {
        for (const file of files) fsyncSync(file);
      } catch (cause) {
        failure ??= cause as Error;
      }
      for (const file of files) closeSync(file);
      unlock();
      if (failure) throw unwritten(path, failure);
    },
  };
}

function unwritten(path: string, cause: unknown): TransferError {
  return new TransferError('E_WRITE', {
    subject: path, found: (cause as NodeJS.ErrnoException).code ?? String(cause), expected: 'room for a result',
    remedy: 'Make room and run the same command: it goes on behind the last result.', cause,
  });
}

/** `PATH.lock` names the process that writes; that of a process which is gone counts for nothing. @throws InputError `E_OPTION` */
function lock(path: string): () => void {
  const file = `${path}.lock`, own = JSON.stringify({ pid: process.pid, host: hostname() });
  for (let tries = 0; ; tries++) {
    try {
      writeFileSync(file, own, { flag: 'wx' });
      return () => { rmSync(file, { force: true }); };
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw unwritable(file, cause);
    }
    const holder = holderOf(file);
    if (tries > 0 || (holder && !isGone(holder))) throw new InputError('E_OPTION', {
      subject: path, found: holder ? `process ${holder.pid} on ${holder.host}, which writes it` : 'another process that writes it',
      expected: 'one run at a time',
      remedy: `Wait for it, or name another output; if it is gone, remove ${file}.`,
    });
    rmSync(file, { force: true });
  }
}

interface Holder { readonly pid: number; readonly host: string }

/** Undefined where nobody is named: it was cut while writing. */
function holderOf(file: string): Holder | undefined {
  try { return JSON.parse(readFileSync(file, 'utf8')) as Holder; } catch { return undefined; }
}

function isGone({ pid, host }: Holder): boolean {
  if (host !== hostname() || pid === process.pid) return pid === process.pid && host === hostname();
  try { process.kill(pid, 0); return false; } catch (error) { return (error as NodeJS.ErrnoException).code === 'ESRCH'; }
}
