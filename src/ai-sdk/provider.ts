/** The provider: models by name. */
import type { Model } from 'clada';
import { checkNames, show } from '../options.ts';
import { InputError } from '../errors.ts';
import { embeddingModel } from './embedding.ts';
import { languageModel } from './language.ts';
import { NoSuchModelError } from './refusals.ts';
import type { CladaEmbeddingModel, CladaLanguageModel, Specification } from './types.ts';

/** Loaded models by name. Without a name the language model is `chat`, the embedding model `embedding`, else `chat`. */
export type CladaModels = Readonly<Record<string, Model>>;

/** How the provider speaks. */
export interface CladaSettings<S extends Specification = Specification> {
  /** 'v4' for `ai` 7, 'v3' for `ai` 6. Default 'v4'. */
  readonly specification?: S | undefined;
}

/** A provider of the AI SDK; called as a function it gives a language model. */
export interface Clada<S extends Specification = 'v4'> {
  /** As `languageModel`. */
  (id?: string): CladaLanguageModel<S>;
  /** Which interface its models have. */
  readonly specificationVersion: S;
  /** The model of this name (of {@link CladaModels}, or the model's own); without one `chat`. @throws NoSuchModelError */
  languageModel(id?: string): CladaLanguageModel<S>;
  /** The model of this name; without one `embedding`, else `chat`. @throws NoSuchModelError */
  embeddingModel(id?: string): CladaEmbeddingModel<S>;
  /** As `embeddingModel`: its older name. */
  textEmbeddingModel(id?: string): CladaEmbeddingModel<S>;
  /** There is none. @throws NoSuchModelError always */
  imageModel(id: string): never;
}

const isModel = (value: unknown): value is Model => typeof (value as Partial<Model> | null)?.encodeChat === 'function';

/**
 * A provider over models that are loaded: one, or several by name. They stay the caller's, who closes them.
 *
 * ```ts
 * const clada = createClada(await load('model.gguf'));
 * const { text } = await generateText({ model: clada(), prompt: 'Hello' });
 * ```
 * @throws InputError `E_OPTION` where something else than models is given
 */
export function createClada<S extends Specification = 'v4'>(models: Model | CladaModels, settings: CladaSettings<S> = {}): Clada<S> {
  checkNames('createClada settings', settings, ['specification']);
  const specification = (settings.specification ?? 'v4') as S;
  if (specification !== 'v3' && specification !== 'v4') {
    throw new InputError('E_OPTION', {
      subject: 'createClada specification', found: show(specification), expected: "'v4' or 'v3'", remedy: "'v4' for ai 7, 'v3' for ai 6.",
    });
  }
  const byName = new Map(Object.entries(isModel(models) ? { chat: models } : (models ?? {})));
  const wrong = [...byName].find(([, model]) => !isModel(model));
  if (wrong || byName.size === 0) {
    throw new InputError('E_OPTION', {
      subject: wrong ? `model ${wrong[0]}` : 'models', found: wrong ? show(wrong[1]) : 'none', expected: 'what load() of clada gives',
      remedy: 'Load the models first: createClada({ chat: await load(…) }).',
    });
  }
  const find = (modelType: string, id: string): Model => {
    const model = byName.get(id) ?? [...byName.values()].find(({ info }) => info.name === id);
    if (model) return model;
    throw new NoSuchModelError(modelType, id, [...byName.keys()]);
  };
  const language = (id = 'chat'): CladaLanguageModel<S> => languageModel(find('languageModel', id), specification);
  const embedding = (id = byName.has('embedding') ? 'embedding' : 'chat'): CladaEmbeddingModel<S> =>
    embeddingModel(find('embeddingModel', id), specification);
  return Object.assign((id?: string) => language(id), {
    specificationVersion: specification, languageModel: language, embeddingModel: embedding, textEmbeddingModel: embedding,
    imageModel: (id: string): never => { throw new NoSuchModelError('imageModel', id, []); },
  });
}
