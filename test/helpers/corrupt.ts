/** Damage to GGUF files: to bytes, as a broken disk or download does it, and to what they mean, as a broken converter does. */
import type { WriteTensor, WriteValue } from '../../src/format/gguf/write.ts';
import { writeGguf } from '../../src/format/gguf/write.ts';
import type { Random } from '../../src/sampler/random.ts';
import type { GgufParts } from './twin.ts';

const pick = <T>(random: Random, from: readonly T[]): T => from[random.uint32() % from.length]!;

/** One to four changes: bits, bytes, runs, 64-bit extremes, cuts, moved blocks; half of them in the first `header` bytes. */
export function corruptBytes(random: Random, original: Uint8Array, header: number): Uint8Array {
  const bytes = original.slice(), view = new DataView(bytes.buffer);
  const place = (room: number): number => random.uint32() % ((random.uint32() % 2 ? header : bytes.length) - room);
  if (random.uint32() % 3 === 0) { // a single flipped bit: often survivable
    bytes[place(1)]! ^= 1 << (random.uint32() % 8);
    return bytes;
  }
  for (let n = 1 + random.uint32() % 3; n > 0; n--) {
    switch (random.uint32() % 6) {
      case 0: { const at = place(1); bytes[at]! ^= 1 << (random.uint32() % 8); break; }
      case 1: bytes[place(1)] = random.uint32() & 255; break;
      case 2: { const at = place(64); bytes.fill(random.uint32() % 2 ? 0xff : 0, at, at + 16); break; }
      case 3: view.setBigUint64(place(8), pick(random, [0n, 2n ** 31n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n]), true); break;
      case 4: return bytes.slice(0, bytes.length - (random.uint32() % bytes.length));
      default: { const from = place(256); bytes.copyWithin(place(256), from, from + 200); }
    }
  }
  return bytes;
}

const numbers = [0, 1, 2, 3, 5, 7, 8, 63, 64, 96, 255, 256, 4096, 65_535, 2 ** 20, 2 ** 31 - 1];
const floats = [0, -1, 1e-30, 1e-5, 0.5, 1, 2, 1e4, 1e30, NaN, Infinity, -Infinity];
const words = ['', 'yarn', 'longrope', 'none', 'gelu', 'relu', 'llama', 'constructor', '__proto__', '\u{1f600}'];

function value(random: Random): WriteValue {
  switch (random.uint32() % 6) {
    case 0: return { type: 'f32', value: pick(random, floats) };
    case 1: return { type: 'string', value: pick(random, words) };
    case 2: return { type: 'bool', value: random.uint32() % 2 === 0 };
    case 3: return { type: 'i32s', value: Array.from({ length: random.uint32() % 4 }, () => pick(random, numbers)) };
    case 4: return { type: 'i32', value: -pick(random, numbers) };
    default: return { type: 'u32', value: pick(random, numbers) };
  }
}

/** Another value of the same type, where it is a number. */
function moved(random: Random, old: WriteValue): WriteValue {
  if (old.type === 'u32' || old.type === 'i32') return { type: old.type, value: Math.max(0, pick(random, [...numbers, old.value + 1, old.value - 1, 2 * old.value, old.value >> 1])) };
  if (old.type === 'f32') return { type: 'f32', value: pick(random, floats) };
  return value(random);
}

function corruptMetadata(random: Random, metadata: Record<string, WriteValue>): void {
  const own = Object.keys(metadata).filter((key) => !/^(tokenizer|general)\./.test(key)), all = Object.keys(metadata);
  const key = pick(random, random.uint32() % 4 ? own : all);
  switch (random.uint32() % 5) {
    case 0: delete metadata[key]; break;
    case 1: metadata[key] = value(random); break;
    case 2: metadata[`${key}${pick(random, ['_', 's', '.x'])}`] = metadata[key]!; delete metadata[key]; break;
    default: metadata[key] = moved(random, metadata[key]!);
  }
}

const product = (dims: readonly number[]): number => dims.reduce((a, b) => a * b, 1);

function reshaped({ name, data }: WriteTensor, dims: readonly number[], dtype: 'f32' | 'f16' = 'f32'): WriteTensor {
  const size = product(dims) * (dtype === 'f32' ? 4 : 2), bytes = new Uint8Array(size);
  bytes.set(data.subarray(0, size));
  return { name, dims, dtype, data: bytes };
}

function corruptTensors(random: Random, tensors: WriteTensor[]): void {
  const i = random.uint32() % tensors.length, tensor = tensors[i]!, { dims } = tensor;
  const at = random.uint32() % dims.length, with_ = (size: number): number[] => dims.map((dim, j) => (j === at ? size : dim));
  switch (random.uint32() % 8) {
    case 0: tensors.splice(i, 1); break;
    case 1: tensors[i] = { ...tensor, name: `${tensor.name}${pick(random, ['_', '.bias', '2'])}` }; break;
    case 2: tensors.push({ ...tensor, name: pick(random, ['blk.0.attn_q.bias', 'blk.7.attn_q.weight', 'rope_freqs.weight', 'rope_factors_long.weight', 'extra']) }); break;
    case 3: { const other = pick(random, tensors); tensors[i] = { ...other, name: tensor.name }; break; }
    case 4: tensors[i] = reshaped(tensor, dims.toReversed()); break;
    case 5: tensors[i] = reshaped(tensor, with_(pick(random, [1, 2, 31, 33, 64, dims[at]! + 1, dims[at]! - 1 || 1]))); break;
    case 6: tensors[i] = reshaped(tensor, dims, 'f16'); break;
    default: {
      const data = tensor.data.slice();
      new DataView(data.buffer).setFloat32(4 * (random.uint32() % (data.length >> 2)), pick(random, [NaN, Infinity, -Infinity, 3e38, 1e20, 0]), true);
      tensors[i] = { ...tensor, data };
    }
  }
}

/** One to three changes of keys and tensors, in a file that is sound by itself. */
export function corruptMeaning(random: Random, { metadata, tensors }: GgufParts): Uint8Array {
  const parts = { metadata: { ...metadata }, tensors: [...tensors] };
  for (let n = 1 + random.uint32() % 3; n > 0; n--) {
    if (random.uint32() % 2) corruptMetadata(random, parts.metadata);
    else corruptTensors(random, parts.tensors);
  }
  return writeGguf(parts.metadata, parts.tensors);
}
