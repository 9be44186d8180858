/** What can go wrong with a file on its way, in words. */
import { TransferError } from '../errors.ts';
import { RetryableTransferError } from './request.ts';

/** The file changed under way, or may have. */
const another = 'another version of the file than the one begun';
export const changed = (subject: string, found = another): TransferError => new TransferError('E_CHANGED', {
  subject, found, expected: 'the same to the end',
  remedy: 'Load again: the new version is fetched from its beginning, and nothing of the old one is mixed in.',
});

export const cut = (subject: string, at: number, end: number): TransferError => new RetryableTransferError('E_INCOMPLETE', {
  subject, found: `the end of the answer at byte ${at}`, expected: `bytes up to ${end}`,
  remedy: 'Try again: what has arrived is kept. If it ends there every time, the server lacks the rest of the file.',
});

export const lie = (subject: string, found: string, asked = 'the whole'): TransferError => new TransferError('E_RANGE', {
  subject, found, expected: `an answer to what was asked for (${asked})`,
  remedy: 'The server does not keep to HTTP ranges. Fetch the file by other means and load it from disk, or from another server.',
});

export const mismatch = (subject: string, found: string, expected: string): TransferError => new TransferError('E_HASH', {
  subject, found: `sha256 ${found}`, expected,
  remedy: 'The bytes are not those of the model and were deleted. Load again; if it stays so, the server or the given hash is wrong.',
});

export function cacheFailure(subject: string, found: string, cause?: unknown): TransferError {
  const quota = /quota|ENOSPC|no space/i.test(found);
  return new TransferError('E_CACHE', {
    subject, found: quota ? `no room in the cache (${found})` : `a cache that failed: ${found}`,
    expected: 'a cache that keeps what it is given',
    remedy: `${quota ? 'Make room' : 'Check its folder and permissions'}, or load with cache: false, which keeps nothing.`,
    cause,
  });
}
