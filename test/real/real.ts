/** The real models of scripts/models.ts with what native llama.cpp makes of them (fixtures/real, by scripts/real-reference.ts). */
import { existsSync, readFileSync } from 'node:fs';
import { realModelPath, realModels } from '../../scripts/models.ts';
import { embeddedModel } from '../helpers/models.ts';

export const textNames = ['wikitext', 'code'] as const;

export interface TextTruth {
  /** All of the text's tokens, with those that the model wants in front. */
  ids: number[];
  /** Over `nll`: surprisals of the tokens behind the first, in one context. */
  meanNll: number;
  nll: number[];
  /** The mean where nothing is rounded: native on weights in f32. */
  exactNll: number;
  /** Of `ids`, what the greedy tokens follow; with each by how many nats it was ahead of the second choice. */
  promptTokens: number;
  greedy: [token: number, gap: number][];
}
export type Truth = { engine: string } & Record<(typeof textNames)[number], TextTruth>;

const folder = new URL('../fixtures/real/', import.meta.url);
export const textOf = (name: string): string => readFileSync(new URL(`${name}.txt`, folder), 'utf8');

export interface Real { readonly name: string; readonly path: string; readonly isHere: boolean; truth(): Truth }

/** The embedded model first, which is always here. */
export const reals: readonly Real[] = ['smollm2-135m', ...Object.keys(realModels)].map((name, i) => {
  const path = i === 0 ? embeddedModel : realModelPath(name);
  return { name, path, isHere: existsSync(path), truth: () => JSON.parse(readFileSync(new URL(`${name}.json`, folder), 'utf8')) as Truth };
});

export const absent = ({ name }: Real): string => `${name} is not here: npm run models -- ${name}`;
