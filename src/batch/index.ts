/** clada/batch: files of requests in OpenAI's batch format, answered line by line. */
export { runBatch } from './run.ts';
export type { BatchOptions, BatchProgress } from './run.ts';
export type { BatchResult, Handler } from './answer.ts';
export type { LineError } from './request.ts';
export type { Bytes } from './lines.ts';
