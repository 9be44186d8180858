/** An embedding model of the AI SDK. */
import type { EmbedOptions, Model } from 'clada';
import { InputError } from '../errors.ts';
import { checkNames } from '../options.ts';
import type { CladaEmbeddingModel, Specification } from './types.ts';

/** `providerOptions.clada` of an embedding model; names and meanings are those of `model.embed`, but every text has one vector. */
export interface CladaEmbeddingOptions extends Pick<EmbedOptions, 'normalize' | 'dimensions'> {
  /** What stands for a text. Default: what the file says, else 'last'. */
  pooling?: 'last' | 'mean' | 'cls' | undefined;
}

const ownNames = ['pooling', 'normalize', 'dimensions'] as const satisfies readonly (keyof CladaEmbeddingOptions)[];

/** `model` as the AI SDK takes embedding models. */
export function embeddingModel<S extends Specification>(model: Model, specificationVersion: S): CladaEmbeddingModel<S> {
  return {
    specificationVersion, provider: 'clada.embedding', modelId: model.info.name,
    // passes are shared by the texts of a call, however many there are
    maxEmbeddingsPerCall: Infinity, supportsParallelCalls: false,
    async doEmbed({ values, dimensions, abortSignal, providerOptions }) {
      const { clada = {} } = providerOptions ?? {};
      checkNames('providerOptions.clada', clada, ownNames);
      if (clada['pooling'] === 'none') {
        throw new InputError('E_OPTION', {
          subject: 'providerOptions.clada.pooling', found: "'none'", expected: 'one vector for each text',
          remedy: 'Call model.embed for the states of all tokens.',
        });
      }
      const { embeddings, tokens } = await model.embed(values, {
        ...(clada as CladaEmbeddingOptions), ...(dimensions === undefined ? {} : { dimensions }), signal: abortSignal,
      });
      return { embeddings: embeddings.map((vector) => Array.from(vector)), usage: { tokens }, warnings: [] };
    },
  };
}
