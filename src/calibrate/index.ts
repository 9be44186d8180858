/** clada/calibrate: the offline statistics of a model, computed by the model itself. An entry of its own: who only runs models never loads it. */
export { collectStatistics, meansOf } from './statistics.ts';
export type { CollectOptions, CollectProgress, Statistics, StatisticsState } from './statistics.ts';
