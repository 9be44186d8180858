/**
 * clada: GGUF language models in WebAssembly SIMD, the same bytes in every JavaScript runtime.
 *
 * ```ts
 * import { load } from 'clada';
 * await using model = await load('model.gguf');
 * for await (const { text } of model.chat().send('Hello!')) process.stdout.write(text);
 * ```
 */
export { load, plan } from './text/load.ts';
export type { LoadOptions, Plan, PlanOptions, Progress } from './text/load.ts';
export { Model } from './text/model.ts';
export type { LoadTimes, ModelInfo } from './text/model.ts';
export type { RestoreOptions } from './text/restoring.ts';
export type { HeadOption } from './model/head.ts';
export type { ModelSource } from './format/gguf/parts.ts';
export { snapshotInfo } from './text/snapshot.ts';
export type { SnapshotInfo, SnapshotKind } from './text/snapshot.ts';
export { pull } from './text/pull.ts';
export type { Pulled, PullOptions, PullProgress } from './text/pull.ts';
export type { NetworkOptions } from './net/options.ts';
export type { Target } from './net/target.ts';
export type { BlockStore, CacheEntry, FileInfo, Hasher, ModelCache, Stretch } from './net/cache.ts';
export type { Generation } from './text/generate.ts';
export type { FollowOptions, GenerateOptions, GeneratedToken, GenerationStats, StepTelemetry, StopReason } from './text/types.ts';
export type { Chat, ChatOptions } from './text/chat.ts';
export { methodNames } from './adapt/methods.ts';
export type { MethodName, SparsityOptions } from './adapt/methods.ts';
export type { Level } from './adapt/levels.ts';
export type { Calibration } from './adapt/calibration.ts';
export { calibrationPath } from './text/sparsity.ts';
export type { CalibrationSource } from './text/sparsity.ts';
export { readCalibration, writeCalibration } from './adapt/calibration.ts';
export { calibrationArchitecture } from './model/kind.ts';
export type { ChatMessage, ChatTemplate, ContentPart, RenderOptions, TemplateInput } from './text/template.ts';
export type { EmbedOptions, Embeddings, Pooling, Texts } from './text/embed.ts';
export type { Score, ScoredToken, ScoreOptions } from './text/score.ts';
export type { Constraint } from './sampler/constraint.ts';
export type { LogitBias, SamplerOptions } from './sampler/options.ts';
export type { Logprobs, TokenLogprob } from './sampler/logprobs.ts';
export type { Measured } from './text/contract.ts';
export type { DecodeOptions, DecodeStream, DecodeStreamOptions, EncodeOptions, Tokenizer } from './tokenizer/tokenizer.ts';
export { describeRuntime } from './engine/instantiate.ts';
export type { RuntimeInfo } from './engine/instantiate.ts';
export type { StepThresholds } from './engine/adapt.ts';
export type { Binding, StepReport } from './engine/engine.ts';
export type { EvaluateOptions } from './session/sequence.ts';
export { openSource } from './bytes/open.ts';
export { readGguf } from './format/gguf/read.ts';
export type { GgufDtype, GgufFile, GgufTensor, GgufValue, NumberArray, StringArray } from './format/gguf/types.ts';
export { splitName, splitNames } from './format/gguf/split.ts';
export { splitGguf } from './format/gguf/split-model.ts';
export type { GgufPart } from './format/gguf/split-model.ts';
export type { ByteSource } from './bytes/source.ts';
export type { OpenOptions } from './net/open.ts';
export type { SourceInput } from './bytes/open.ts';
export type { Tier } from './engine/binaries.ts';
export type { KvName } from './model/enums.ts';
export { AbortedError, CladaError, FormatError, InputError, ModelError, StateError, TransferError, WontFitError } from './errors.ts';
export type { ErrorCode, ErrorParts, Fit } from './errors.ts';
export { ceilings } from './model/memory.ts';
export type { MemoryPlan, SequenceOptions } from './model/memory.ts';
export type { ModelPlan, Precision } from './model/plan.ts';
