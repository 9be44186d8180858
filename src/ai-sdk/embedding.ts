/** An embedding model of the AI SDK. */
import type { Model } from 'clada';
import { checkNames } from '../options.ts';
import type { CladaEmbeddingModel, Specification } from './types.ts';

/** `providerOptions.clada` of an embedding model; names and meanings are those of `model.embed`. */
export interface CladaEmbeddingOptions {
  /** What of a text's states becomes its vector. Default: the model's own way. */
  readonly pooling?: 'last' | 'mean' | 'cls';
  /** To length 1. Default true. */
  readonly normalize?: boolean;
  /** The first so many numbers. Default: all. */
  readonly dimensions?: number;
}

type EmbedOptions = CladaEmbeddingOptions & { signal?: AbortSignal };
type Embed = (texts: readonly string[], options: EmbedOptions) => Promise<{ embeddings: Float32Array[]; tokens: number }>;

const ownNames = ['pooling', 'normalize', 'dimensions'] as const satisfies readonly (keyof CladaEmbeddingOptions)[];

/** `model` as the AI SDK takes embedding models. */
export function embeddingModel<S extends Specification>(model: Model, specificationVersion: S): CladaEmbeddingModel<S> {
  return {
    specificationVersion, provider: 'clada.embedding', modelId: model.info.name,
    // a model computes one batch after the other, and cuts lists into batches itself
    maxEmbeddingsPerCall: Infinity, supportsParallelCalls: false,
    async doEmbed({ values, dimensions, abortSignal, providerOptions }) {
      const { clada = {} } = providerOptions ?? {};
      checkNames('providerOptions.clada', clada, ownNames);
      const { embeddings, tokens } = await (model as unknown as { embed: Embed }).embed(values, {
        ...(clada as CladaEmbeddingOptions),
        ...(dimensions === undefined ? {} : { dimensions }), ...(abortSignal ? { signal: abortSignal } : {}),
      });
      return { embeddings: embeddings.map((vector) => Array.from(vector)), usage: { tokens }, warnings: [] };
    },
  };
}
