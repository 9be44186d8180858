/** The files that a model lies in: one, or the parts of a split model. */
import type { SourceInput } from '../../bytes/open.ts';
import { located, openSource } from '../../bytes/open.ts';
import type { ByteSource } from '../../bytes/source.ts';
import { InputError } from '../../errors.ts';
import { fileName, isRemote, sibling } from '../../net/address.ts';
import type { OpenOptions } from '../../net/open.ts';
import type { NetworkOptions } from '../../net/options.ts';
import { splitNames } from './split.ts';

/**
 * A model's bytes: a path, URL, `hf:` address, bytes, Blob, stream or Response; of a split model all parts (a path or address of the first
 * is enough).
 */
export type ModelSource = SourceInput | readonly SourceInput[];

/**
 * Opens every part of a source. The caller closes them ({@link closeParts}). `onArrival` hears how many bytes of a part are here, for parts
 * that are being fetched.
 */
export async function openParts(
  source: ModelSource, network: NetworkOptions = {}, mode: OpenOptions['mode'] = 'whole', onArrival?: (part: number, bytes: number) => void,
): Promise<ByteSource[]> {
  if (Array.isArray(source) && source.length === 0) {
    throw new InputError('E_OPTION', {
      subject: 'model source', found: 'an empty list', expected: 'at least one part',
      remedy: 'Pass all parts of the model, in order.',
    });
  }
  const inputs = Array.isArray(source) ? inOrder(source as readonly SourceInput[]) : partsOf(source as SourceInput);
  const parts: ByteSource[] = [];
  try {
    for (const [part, input] of inputs.entries()) {
      const opened = openSource(input, network, { mode, part, onProgress: (loaded) => onArrival?.(part, loaded) });
      parts.push(await opened.catch((error: unknown) => { throw missing(error, part, inputs.length); }));
    }
    return parts;
  } catch (error) {
    await closeParts(parts);
    throw error;
  }
}

/** All parts of the split model that an address or path names one of. */
export function partsOf(given: SourceInput): readonly SourceInput[] {
  const source = located(given);
  if (isRemote(source)) return splitNames(fileName(source))?.map((name) => sibling(source, name)) ?? [source];
  return (typeof source === 'string' && splitNames(source)) || [source];
}

/** Files come from a picker in any order: those that are the parts of one model are put into theirs. */
function inOrder(inputs: readonly SourceInput[]): readonly SourceInput[] {
  const names = inputs.map((input) => (input as { name?: unknown } | null)?.name);
  const wanted = typeof names[0] === 'string' ? splitNames(names[0]) : undefined;
  if (wanted?.length !== inputs.length || !wanted.every((name) => names.includes(name))) return inputs;
  return wanted.map((name) => inputs[names.indexOf(name)]!);
}

/** A part that is not there is told as one: its name was found from another's. */
function missing(error: unknown, part: number, count: number): unknown {
  if (count === 1 || !(error instanceof InputError) || error.code !== 'E_NOT_FOUND') return error;
  return new InputError('E_NOT_FOUND', {
    subject: error.subject, found: `${error.found}: part ${part + 1} of ${count} of a split model`, expected: 'all its parts side by side',
    remedy: 'Fetch the parts that are missing (clada pull fetches all of them), and keep their names.', cause: error,
  });
}

export async function closeParts(parts: readonly ByteSource[]): Promise<void> {
  for (const part of parts) await part.close();
}
