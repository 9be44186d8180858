/**
 * A digest of spread stretches of a file: a cached copy that lost a part, or was written over, is noticed before it is used, at the price
 * of a megabyte read.
 */
import type { Hasher } from './cache.ts';

const stretches = 16, stretchBytes = 64 * 1024;

/** Of `size` bytes, the first and the last among those looked at; all of a file that is no larger. Undefined where bytes are missing. */
export async function sampleOf(
  read: (offset: number, target: Uint8Array) => Promise<number>, size: number, hasher: Hasher,
): Promise<string | undefined> {
  const length = Math.min(stretchBytes, Math.ceil(size / stretches)), target = new Uint8Array(length);
  for (let i = 0; i < stretches && length > 0; i++) {
    if (await read(Math.floor(((size - length) * i) / (stretches - 1)), target) !== length) return undefined;
    hasher.update(target);
  }
  return hasher.hex();
}
