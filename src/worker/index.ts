/**
 * clada/worker: models off the page's thread, and one model for several pages.
 *
 * ```ts
 * import { loadInWorker } from 'clada/worker';
 * const model = await loadInWorker('/models/model.gguf');
 * for await (const { text } of model.generate('Once upon a time')) out.textContent += text;
 * ```
 */
export { loadInWorker } from './load.ts';
export type { WorkerLoadOptions } from './load.ts';
export { RemoteModel } from './model.ts';
export type { CalibrationInfo, Placement, RemoteTemplate, RemoteTokenizer, TokenizerFacts } from './model.ts';
export { RemoteChat } from './chat.ts';
export { RemoteGeneration } from './generation.ts';
export type { RemoteConstraint } from './constraint.ts';
export type { RemoteGenerateOptions } from './generation.ts';
export type { AnyWorker, NodeWorker } from './start.ts';
