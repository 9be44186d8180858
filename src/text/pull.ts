/** Fetching a model into the cache without loading it. */
import { CladaError, InputError } from '../errors.ts';
import { located } from '../bytes/open.ts';
import { partsOf } from '../format/gguf/parts.ts';
import { fileName, isRemote } from '../net/address.ts';
import type { NetworkOptions } from '../net/options.ts';
import { networkNames } from '../net/options.ts';
import { checkNames } from '../options.ts';
import { redacted } from '../redact.ts';
import { calibrationPath } from './sparsity.ts';

/** How a model is fetched. */
export interface PullOptions extends NetworkOptions {
  /** Fetch the calibration beside the model too, if there is one. Default true. */
  calibration?: boolean;
  /** Hears how far it is. */
  onProgress?: (progress: PullProgress) => void;
}

/** How far fetching a file is. */
export interface PullProgress {
  /** The address. */
  file: string;
  /** Bytes here, and in all if the server says; what an earlier pull left counts as here. */
  loaded: number;
  /** Bytes in all, if the server says. */
  total: number | undefined;
}

/** A file that was fetched. */
export interface Pulled {
  /** The address that it was fetched from. */
  readonly url: string;
  /** Where it lies, of a cache that is a folder. */
  readonly path: string | undefined;
  /** Its size. */
  readonly bytes: number;
  /** Hexadecimal, where it was computed or is known. */
  readonly sha256: string | undefined;
  /** True if it was there already: then it was hashed again, if its hash is known. */
  readonly cached: boolean;
}

/**
 * Fetches all parts of a model, verifies and keeps them; goes on where an earlier one was cut. `load` of the same address then reads the
 * cache.
 *
 * ```ts
 * const [{ path }] = await pull('hf:owner/repo/model.gguf', { onProgress: ({ loaded, total }) => console.log(loaded, total) });
 * ```
 * @throws InputError `E_OPTION`, `E_NOT_FOUND`; TransferError; AbortedError: what has arrived is kept
 */
export async function pull(from: string | URL, options: PullOptions = {}): Promise<Pulled[]> {
  const source = located(from);
  checkNames('pull options', options, [...networkNames, 'calibration', 'onProgress']);
  if (!isRemote(source)) {
    throw new InputError('E_OPTION', {
      subject: 'pull', found: String(source), expected: 'a URL or hf:owner/repo/file', remedy: 'A file that is here already needs no pull.',
    });
  }
  const { calibration = true, onProgress, ...network } = options, { openRemote } = await import('../net/open.ts');
  const fetchOne = async (address: string | URL, part: number, options: NetworkOptions): Promise<Pulled> => {
    const file = await openRemote(address, options, {
      mode: 'whole', part, recheck: true, mustKeep: true,
      onProgress: (loaded, total) => onProgress?.({ file: redacted(String(address)), loaded, total }),
    });
    try {
      await file.verified();
      return { url: file.name, path: file.path, bytes: file.size ?? 0, sha256: file.sha256, cached: file.cached };
    } finally {
      await file.close();
    }
  };
  const pulled: Pulled[] = [];
  for (const [part, address] of partsOf(source).entries()) pulled.push(await fetchOne(address as string | URL, part, network));
  if (calibration && /\.gguf$/i.test(fileName(source))) {
    const { sha256: _ofTheModel, ...rest } = network;
    const beside = await fetchOne(calibrationPath(String(source)), 0, rest).catch((error: unknown) => {
      if (error instanceof CladaError && (error.code === 'E_NOT_FOUND' || error.code === 'E_ACCESS')) return undefined;
      throw error;
    });
    if (beside) pulled.push(beside);
  }
  return pulled;
}
