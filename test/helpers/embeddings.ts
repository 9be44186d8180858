/**
 * Hidden states of the tiny models as native llama.cpp pools them (scripts/embeddings.ts asks it): for each model and pooling a vector of
 * `asked`, not normalised, in fixtures/families/embeddings.f32, one behind the other.
 */
import { readFileSync } from 'node:fs';
import { asked, tinyModels, u32, type TinyModel } from './tiny-models.ts';

export const truthUrl = new URL('../fixtures/families/embeddings.f32', import.meta.url);
/** By their numbers in files. */
export const pooled = { mean: 1, cls: 2, last: 3 } as const;
export type Pooled = keyof typeof pooled;

/** A tiny model whose file says how it pools. */
export const poolingModel = (name: string, pooling: Pooled): TinyModel =>
  ({ ...tinyModels[name], keys: { ...tinyModels[name]!.keys, pooling_type: u32(pooled[pooling]) } });

/** The width of a model of the table. */
export const widthOf = (name: string): number => (tinyModels[name]!.keys?.['embedding_length']?.value as number | undefined) ?? 64;

export function cosine(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let ab = 0, aa = 0, bb = 0;
  for (let i = 0; i < a.length; i++) { ab += a[i]! * b[i]!; aa += a[i]! ** 2; bb += b[i]! ** 2; }
  return ab / Math.sqrt(aa * bb);
}

/** Model → pooling → vector. */
export function readEmbeddings(): Map<string, Record<Pooled, Float32Array>> {
  const all = new Float32Array(new Uint8Array(readFileSync(truthUrl)).buffer);
  let at = 0;
  const next = (width: number): Float32Array => all.subarray(at, at += width);
  return new Map(Object.keys(tinyModels).map((name) => {
    const width = widthOf(name);
    return [name, { mean: next(width), cls: next(width), last: next(width) }];
  }));
}

export { asked };
