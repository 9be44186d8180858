/**
 * clada/gguf: GGUF files read and written, without an engine. An entry of its own, a few KB.
 *
 * ```ts
 * import { openSource, readGguf, writeGguf } from 'clada/gguf';
 * const { metadata, tensors } = await readGguf(await openSource('model.gguf'));
 * ```
 */
export { readGguf } from './format/gguf/read.ts';
export { StringArray, dtypeBytes, dtypeOfId, dtypes } from './format/gguf/types.ts';
export type { DtypeInfo, GgufDtype, GgufFile, GgufTensor, GgufValue, NumberArray } from './format/gguf/types.ts';
export { writeGguf } from './format/gguf/write.ts';
export type { WriteNumberType, WriteOptions, WriteTensor, WriteValue } from './format/gguf/write.ts';
export { splitName, splitNames } from './format/gguf/split.ts';
export { splitGguf } from './format/gguf/split-model.ts';
export type { GgufPart } from './format/gguf/split-model.ts';
export { openSource } from './bytes/open.ts';
export type { SourceInput } from './bytes/open.ts';
export type { ByteSource } from './bytes/source.ts';
