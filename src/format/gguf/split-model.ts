/**
 * Cuts a model into parts as llama.cpp's gguf-split does: the first keeps all metadata, every part says which of how many it is, a tensor
 * is never cut. Hosts that limit the size of a file (Cloudflare's assets: 25 MiB) can then carry a larger model.
 */
import { FormatError, InputError } from '../../errors.ts';
import { limits } from './limits.ts';
import type { GgufFile, GgufTensor } from './types.ts';
import { dtypes } from './types.ts';
import { Bytes, typeIds } from './write.ts';

/** A part of a model that was cut. */
export interface GgufPart {
  /** Size of the part. */
  readonly bytes: number;
  /** Its bytes from the first to the last, in pieces of at most 1 MiB; tensors are read when they are asked for. */
  read(signal?: AbortSignal): AsyncGenerator<Uint8Array<ArrayBuffer>, void, undefined>;
}

const pieceBytes = 1024 * 1024, headerBytes = 24;
const up = (bytes: number, alignment: number): number => Math.ceil(bytes / alignment) * alignment;

/** Bytes of a tensor's line in the header. */
const infoBytes = ({ name, dims }: GgufTensor): number => 8 + new TextEncoder().encode(name).length + 4 + 8 * dims.length + 4 + 8;

function splitKeys(number: number, count: number, nTensors: number): Uint8Array {
  const out = new Bytes();
  const keys = [['split.no', 'u16', number], ['split.count', 'u16', count], ['split.tensors.count', 'i32', nTensors]] as const;
  for (const [key, type, value] of keys) {
    out.string(key);
    out.u32(typeIds[type]);
    out.scalar(type, value);
  }
  return out.done();
}

/**
 * The parts of a model, each of at most `maxBytes`, tensors in file order. Nothing but the header has been read until a part is.
 * @throws InputError `E_OPTION` where a tensor or the metadata alone is larger, or the model is in parts already
 */
export function splitGguf(file: GgufFile, maxBytes: number): GgufPart[] {
  if (file.parts.length !== 1 || file.metadata.has('split.count')) {
    const isJoined = file.parts.length === 1;
    throw new InputError('E_OPTION', {
      subject: file.parts[0]!.name, expected: 'one file',
      found: isJoined ? 'a model that was in parts, with their keys (split.count)' : 'a model in parts',
      remedy: isJoined ? 'Cut it by bytes: clada split --by bytes.' : 'Join it first: llama-gguf-split --merge.',
    });
  }
  const source = file.parts[0]!, own = Number(file.metadata.get('general.alignment') ?? 32);
  const tensors = [...file.tensors.values()].sort((a, b) => a.offset - b.offset);
  const keysBytes = splitKeys(0, 1, 1).length;
  const alignmentOf = (index: number): number => (index === 0 ? own : 32); // the key is in the first part alone
  const before = (index: number): number => (index === 0 ? file.metadataEnd : headerBytes) + keysBytes;
  const groups: GgufTensor[][] = [[]];
  let infos = 0, data = 0;
  for (const tensor of tensors) {
    const place = (index: number): number => {
      const alignment = alignmentOf(index);
      return up(before(index) + infos + infoBytes(tensor), alignment) + up(data, alignment) + tensor.bytes;
    };
    if (groups.at(-1)!.length > 0 && place(groups.length - 1) > maxBytes) {
      groups.push([]);
      infos = data = 0;
    }
    const index = groups.length - 1, bytes = place(index);
    if (bytes > maxBytes) {
      throw new InputError('E_OPTION', {
        subject: `${source.name}, tensor ${tensor.name}`, found: `a part of ${bytes} bytes with it alone`, expected: `at most ${maxBytes}`,
        remedy: 'Allow larger parts: a tensor is never cut (clada split --by bytes cuts anywhere).',
      });
    }
    groups.at(-1)!.push(tensor);
    infos += infoBytes(tensor);
    data = up(data, alignmentOf(index)) + tensor.bytes;
  }
  if (groups.length > limits.parts) {
    throw new InputError('E_OPTION', {
      subject: source.name, found: `${groups.length} parts`, expected: `at most ${limits.parts}`,
      remedy: 'Allow larger parts.',
    });
  }

  return groups.map((group, index) => {
    const alignment = alignmentOf(index), keys = splitKeys(index, groups.length, tensors.length), out = new Bytes();
    const offsets: number[] = [];
    let end = 0;
    for (const { bytes } of group) {
      offsets.push(up(end, alignment));
      end = offsets.at(-1)! + bytes;
    }
    for (const [i, { name, dims, dtype }] of group.entries()) {
      out.string(name);
      out.u32(dims.length);
      for (const dim of dims) out.u64(dim);
      out.u32(dtypes[dtype].id);
      out.u64(offsets[i]!);
    }
    const list = out.done(), dataStart = up(before(index) + list.length, alignment);

    async function* piecewise(
      offset: number, bytes: number, signal: AbortSignal | undefined,
    ): AsyncGenerator<Uint8Array<ArrayBuffer>, void, undefined> {
      for (let done = 0; done < bytes; done += pieceBytes) {
        const piece = new Uint8Array(Math.min(pieceBytes, bytes - done)), read = await source.read(offset + done, piece, signal);
        if (read < piece.length) throw new FormatError('E_SOURCE_READ', {
          subject: source.name, found: `the end at byte ${offset + done + read}`, expected: `${bytes - done - read} bytes more`,
          remedy: 'The file has changed; open it again.',
        });
        yield piece;
      }
    }

    return {
      bytes: dataStart + end,
      async *read(signal) {
        const head = new Bytes();
        head.raw(new TextEncoder().encode('GGUF'));
        head.u32(file.version);
        head.u64(group.length);
        head.u64((index === 0 ? file.metadata.size : 0) + 3);
        yield head.done();
        if (index === 0) yield* piecewise(headerBytes, file.metadataEnd - headerBytes, signal);
        yield keys as Uint8Array<ArrayBuffer>;
        yield list;
        let at = before(index) + list.length;
        for (const [i, tensor] of group.entries()) {
          const start = dataStart + offsets[i]!;
          if (start > at) yield new Uint8Array(start - at);
          yield* piecewise(tensor.offset, tensor.bytes, signal);
          at = start + tensor.bytes;
        }
      },
    };
  });
}
