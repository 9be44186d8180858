/**
 * clada/calibrate: the offline statistics of a model, computed by the model itself. An entry of its own: who only runs models never loads
 * it.
 */
export { calibrate } from './calibrate.ts';
export type { CalibrateOptions, CalibrationPhase, CalibrationState } from './calibrate.ts';
export { sampleDocuments } from './documents.ts';
export type { SampleOptions } from './documents.ts';
export { estimateGradientNorms } from './perturb.ts';
export type { GradientNorms, PerturbOptions } from './perturb.ts';
export { collectStatistics, meansOf } from './statistics.ts';
export type { CollectOptions, CollectProgress, Statistics, StatisticsState } from './statistics.ts';
export type { Row as CalibrationRow } from './grid.ts';
