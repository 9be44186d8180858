/**
 * What the AI SDK and its providers say to each other, as far as clada has part in it. Written out instead of imported, so that these
 * declarations need no package: they fit `LanguageModelV4`, `EmbeddingModelV4` and `ProviderV4` of `@ai-sdk/provider` 4 (`ai` 7), and
 * those named V3 of its major 3 (`ai` 6).
 */

/** Of the AI SDK's provider interface: 'v4' is what `ai` 7 takes, 'v3' what `ai` 6 takes. */
export type Specification = 'v3' | 'v4';

/** A value as JSON has it. */
export type JsonValue = null | string | number | boolean | JsonValue[] | JsonObject;

/** An object as JSON has it. */
export type JsonObject = { [key: string]: JsonValue | undefined };

/** Figures by the names of providers: clada's are under `clada`. */
export type ByProvider = Record<string, JsonObject>;

/** Something that was asked for and is not done. */
export type CallWarning = { type: 'unsupported'; feature: string; details?: string } | { type: 'other'; message: string };

/** What a tool gave back. */
export type ToolOutput =
  | { type: 'text' | 'error-text'; value: string }
  | { type: 'json' | 'error-json'; value: unknown }
  | { type: 'execution-denied'; reason?: string | undefined }
  | { type: 'content'; value: readonly ({ type: 'text'; text: string } | { type: UnreadPiece })[] };

/** Pieces of a tool's output that are no text. */
export type UnreadPiece = 'custom' | 'file' | 'file-data' | 'file-url' | 'file-id' | 'image-data' | 'image-url' | 'image-file-id';

/** A part of a message. */
export type PromptPart =
  | { type: 'text' | 'reasoning'; text: string }
  | { type: 'tool-call'; toolCallId: string; toolName: string; input: unknown }
  | { type: 'tool-result'; toolCallId: string; toolName: string; output: ToolOutput }
  | { type: 'file' | 'custom' | 'reasoning-file' | 'tool-approval-response' };

/** A message of the prompt. */
export type PromptMessage =
  | { role: 'system'; content: string }
  | { role: 'user' | 'assistant' | 'tool'; content: readonly PromptPart[] };

/** A tool that the model may call; those of type 'provider' are run by a provider, which clada does not. */
export type CallTool =
  | {
    type: 'function'; name: string; description?: string | undefined; inputSchema: unknown; inputExamples?: readonly unknown[] | undefined;
  }
  | { type: 'provider'; id: `${string}.${string}`; name: string };

/** What a language model is called with. */
export type CallOptions = {
  prompt: readonly PromptMessage[];
  maxOutputTokens?: number | undefined;
  temperature?: number | undefined;
  stopSequences?: string[] | undefined;
  topP?: number | undefined;
  topK?: number | undefined;
  presencePenalty?: number | undefined;
  frequencyPenalty?: number | undefined;
  responseFormat?: { type: 'text' } | { type: 'json'; schema?: unknown } | undefined;
  seed?: number | undefined;
  tools?: readonly CallTool[] | undefined;
  toolChoice?: { type: 'auto' | 'none' | 'required' } | { type: 'tool'; toolName: string } | undefined;
  includeRawChunks?: boolean | undefined;
  abortSignal?: AbortSignal | undefined;
  /** Of specification v4 alone. */
  reasoning?: string | undefined;
  providerOptions?: Readonly<Record<string, Readonly<Record<string, unknown>>>> | undefined;
};

/** Tokens read and written. */
export type Usage = {
  inputTokens: { total: number | undefined; noCache: number | undefined; cacheRead: number | undefined; cacheWrite: number | undefined };
  outputTokens: { total: number | undefined; text: number | undefined; reasoning: number | undefined };
};

/** Why an answer ended: in the SDK's words, and in clada's (`stats().stopReason`, or the code of an error). */
export type Finish = {
  unified: 'stop' | 'length' | 'content-filter' | 'tool-calls' | 'error' | 'other';
  raw: string | undefined;
};

/** A piece of an answer. */
export type AnswerContent =
  | { type: 'text' | 'reasoning'; text: string }
  | { type: 'tool-call'; toolCallId: string; toolName: string; input: string };

/** Which answer it is. */
export type ResponseIdentity = { id: string; timestamp: Date; modelId: string };

/** A piece of an answer in the making. */
export type StreamPart =
  | { type: 'stream-start'; warnings: CallWarning[] }
  | { type: 'response-metadata' } & ResponseIdentity
  | { type: 'text-start' | 'text-end' | 'reasoning-start' | 'reasoning-end' | 'tool-input-end'; id: string }
  | { type: 'text-delta' | 'reasoning-delta' | 'tool-input-delta'; id: string; delta: string }
  | { type: 'tool-input-start'; id: string; toolName: string }
  | { type: 'tool-call'; toolCallId: string; toolName: string; input: string }
  | { type: 'raw'; rawValue: unknown }
  | { type: 'error'; error: unknown }
  | { type: 'finish'; usage: Usage; finishReason: Finish; providerMetadata?: ByProvider };

/** A whole answer. */
export type GenerateAnswer = {
  content: AnswerContent[];
  finishReason: Finish;
  usage: Usage;
  providerMetadata?: ByProvider;
  response: ResponseIdentity;
  warnings: CallWarning[];
};

/** A language model of the AI SDK, over one of clada. */
export type CladaLanguageModel<S extends Specification = 'v4'> = {
  readonly specificationVersion: S;
  readonly provider: string;
  readonly modelId: string;
  /** None: files are not read. */
  readonly supportedUrls: Record<string, RegExp[]>;
  /** The whole answer. @throws InputError for what clada does not do; else as `respond` of clada/chat */
  doGenerate(options: CallOptions): Promise<GenerateAnswer>;
  /** The answer piece by piece; it is computed as it is read. @throws as doGenerate; errors of the computation are a piece */
  doStream(options: CallOptions): Promise<{ stream: ReadableStream<StreamPart> }>;
};

/** What an embedding model is called with. */
export type EmbedOptions = {
  values: string[];
  /** Of specification v4 alone. */
  dimensions?: number | undefined;
  abortSignal?: AbortSignal | undefined;
  providerOptions?: Readonly<Record<string, Readonly<Record<string, unknown>>>> | undefined;
};

/** An embedding model of the AI SDK, over one of clada. */
export type CladaEmbeddingModel<S extends Specification = 'v4'> = {
  readonly specificationVersion: S;
  readonly provider: string;
  readonly modelId: string;
  readonly maxEmbeddingsPerCall: number;
  readonly supportsParallelCalls: boolean;
  /** One vector for each text. @throws as `model.embed` */
  doEmbed(options: EmbedOptions): Promise<{ embeddings: number[][]; usage: { tokens: number }; warnings: CallWarning[] }>;
};
