/** What the program says: results on stdout, everything else on stderr, credentials nowhere. */
import { CladaError, InputError } from 'clada';
import { styleFor, wrap } from './style.ts';
import { redacted } from '../redact.ts';

export const print = (line: string): void => { process.stdout.write(`${line}\n`); };
export const printJson = (value: unknown): void => { print(JSON.stringify(value)); };
/** A line on stderr; in a terminal broken between words. */
export function note(line: string): void {
  const { stderr } = process, { dim } = styleFor(stderr, process.env), width = (stderr.isTTY && stderr.columns) || Infinity;
  const lines = redact(line).split('\n').flatMap((text) => (text.length > width ? wrap(text, width) : [text]));
  stderr.write(`${dim(lines.join('\n'))}\n`);
}

/** Says what went wrong, below whatever progress stood on the line. */
export function complain(error: unknown): void {
  const { red } = styleFor(process.stderr, process.env);
  process.stderr.write(`${process.stderr.isTTY ? '\r\x1b[K' : ''}${red('error')} ${describe(error)}\n`);
}

/**
 * One line for what is understood, also of the system (a full disk, a folder that is not writable); the stack of what is a mistake of this
 * program.
 */
export function describe(error: unknown): string {
  if (error instanceof CladaError || isSystemError(error)) return redact(error.message);
  return redact(error instanceof Error ? (error.stack ?? error.message) : String(error));
}

/** The error for a path that cannot be written: the place is not there or closed, or it takes no more (a full disk). */
export function unwritable(path: string, cause: unknown): Error {
  const { code, message } = cause as NodeJS.ErrnoException;
  if (code === undefined || ['ENOENT', 'ENOTDIR', 'EISDIR', 'EACCES', 'EPERM', 'EROFS'].includes(code)) {
    return new InputError('E_NOT_FOUND', {
      subject: path, found: code ?? String(cause), expected: 'a file that can be written',
      remedy: 'Check its folder and permissions.', cause,
    });
  }
  return Object.assign(new Error(`${path}: ${message}`, { cause }), { syscall: 'write' });
}

const isSystemError = (error: unknown): error is NodeJS.ErrnoException =>
  error instanceof Error && typeof (error as NodeJS.ErrnoException).syscall === 'string';

/** The text without credentials: those of addresses, and this environment's own. Of what the model said nothing passes through here. */
export function redact(text: string, env: Readonly<Record<string, string | undefined>> = process.env): string {
  const secrets = [env['HF_TOKEN'] ?? '', env['HUGGING_FACE_HUB_TOKEN'] ?? ''].filter((secret) => secret.length >= 8);
  return secrets.reduce((result, secret) => result.replaceAll(secret, '…'), redacted(text));
}
