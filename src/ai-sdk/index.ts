/** clada/ai-sdk: loaded models as a provider of the AI SDK, for its current major (`ai` 7) and the one before (`ai` 6). */
export { createClada } from './provider.ts';
export type { Clada, CladaModels, CladaSettings } from './provider.ts';
export type { CladaEmbeddingOptions } from './embedding.ts';
export type { CladaLanguageOptions } from './request.ts';
export { NoSuchModelError, UnsupportedInputError } from './refusals.ts';
export type {
  AnswerContent, ByProvider, CallOptions, CallTool, CallWarning, CladaEmbeddingModel, CladaLanguageModel, EmbedOptions, Finish,
  GenerateAnswer,
  JsonObject, JsonValue, PromptMessage, PromptPart, ResponseIdentity, Specification, StreamPart, ToolOutput, UnreadPiece, Usage,
} from './types.ts';
