/** Models of the embedded one's shape with random weights in other types, in build/models: what a type costs, apart from what a model says. */
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { dtypes, type GgufDtype } from '../src/format/gguf/types.ts';
import { Random } from '../src/sampler/random.ts';
import { rewritten } from '../test/helpers/twin.ts';

export const embedded = fileURLToPath(new URL('../models/smollm2-135m-instruct-q4_1.gguf', import.meta.url));
export type ShapeType = 'q4_0' | 'q8_0' | 'f16';

/** Scale of a block whose weights shall spread by some 1/32, as f16 with some of its last bits random. */
const scales: Readonly<Record<ShapeType, number>> = { q4_0: 0x1e00, q8_0: 0x0e00, f16: 0x2800 };

/** Bytes of `count` random weights. */
function randomWeights(dtype: ShapeType, count: number, random: Random): Uint8Array {
  const { blockSize, typeSize } = dtypes[dtype], bytes = new Uint8Array((count / blockSize) * typeSize);
  const words = new Uint32Array(bytes.buffer, 0, bytes.length >> 2), view = new DataView(bytes.buffer);
  for (let i = 0; i < words.length; i++) words[i] = random.uint32();
  for (let at = 0; at < bytes.length; at += typeSize) view.setUint16(at, (view.getUint16(at, true) & (dtype === 'f16' ? 0x83ff : 0xff)) | scales[dtype], true);
  return bytes;
}

/** Path of the model; made where it is not there yet, the same bytes every time. */
export async function shapeModel(dtype: ShapeType): Promise<string> {
  const path = fileURLToPath(new URL(`../build/models/shape-135m-${dtype}.gguf`, import.meta.url));
  if (existsSync(path)) return path;
  const random = new Random(1);
  const bytes = await rewritten(readFileSync(embedded), ({ metadata, tensors }) => {
    metadata['general.name'] = { type: 'string', value: `SmolLM2 135M's shape, random ${dtype.toUpperCase()}` };
    for (const tensor of tensors) {
      if (tensor.dims.length < 2) continue;
      tensor.data = randomWeights(dtype, tensor.dims.reduce((a, b) => a * b, 1), random);
      tensor.dtype = dtype satisfies GgufDtype;
    }
  });
  writeFileSync(`${path}.part`, bytes);
  renameSync(`${path}.part`, path);
  return path;
}
