/** What most readers choose from; everything the page says of a preset comes from this table. */
import type { SparsityOptions } from 'clada';

export interface Preset {
  readonly name: 'exact' | 'balanced' | 'rough';
  readonly title: string;
  readonly line: string;
  readonly options: SparsityOptions;
}

/** With a bound: tokens between two checks against dense. More often than the library does, because answers here are short. */
const checkEvery = 16;

export const presets: readonly Preset[] = [
  { name: 'exact', title: 'Exact', line: 'All of the model for every word. Nothing is lost.', options: { method: 'dense' } },
  { name: 'balanced', title: 'Balanced', line: 'Skips what a word hardly needs. Reads like exact.', options: { method: 'auto', maxKl: 0.02, checkEvery } },
  { name: 'rough', title: 'Fast and rough', line: 'Skips more. Some words come out differently.', options: { method: 'auto', maxKl: 0.1, checkEvery } },
];

/** Mean KL to dense in nats above which text reads like another's: the roughest preset's bound, held against methods that promise none. */
export const roughest = Math.max(...presets.map(({ options }) => options.maxKl ?? 0));
