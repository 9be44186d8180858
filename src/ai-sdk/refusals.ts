/** Errors of this library that the AI SDK's own tests (`UnsupportedFunctionalityError.isInstance` …) know, too: they go by marks. */
import type { ErrorCode, ErrorParts } from '../errors.ts';
import { InputError } from '../errors.ts';

/** `error` with the marks that the AI SDK's error of this name has. */
function marked(error: object, name: string): void {
  for (const mark of ['vercel.ai.error', `vercel.ai.error.${name}`]) Object.defineProperty(error, Symbol.for(mark), { value: true });
}

/** Something that the AI SDK can ask of models, and clada does not do; also an `UnsupportedFunctionalityError` of the AI SDK. */
export class UnsupportedInputError extends InputError {
  /** The class, as the AI SDK names it. */
  override name: string = 'AI_UnsupportedFunctionalityError';
  /** What was asked for. */
  readonly functionality: string;

  constructor(functionality: string, parts: Omit<ErrorParts, 'found'>) {
    super('E_OPTION' satisfies ErrorCode, { found: functionality, ...parts });
    this.functionality = functionality;
    marked(this, this.name);
  }
}

/** A name that no model was given; also a `NoSuchModelError` of the AI SDK. */
export class NoSuchModelError extends InputError {
  /** The class, as the AI SDK names it. */
  override name: string = 'AI_NoSuchModelError';
  /** The name. */
  readonly modelId: string;
  /** What was looked for: 'languageModel', 'embeddingModel' … */
  readonly modelType: string;

  constructor(modelType: string, modelId: string, known: readonly string[]) {
    const kind = modelType.replace('Model', '');
    super('E_NOT_FOUND' satisfies ErrorCode, {
      subject: `${kind} model`, found: JSON.stringify(modelId),
      expected: known.length > 0 ? `one of ${known.join(', ')}` : `no ${kind} model`,
      remedy: known.length > 0 ? 'Name one of those that createClada was given.' : 'clada has language and embedding models.',
    });
    this.modelId = modelId;
    this.modelType = modelType;
    marked(this, this.name);
  }
}
