/** Fixture models with trusted logits, and opening them. */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { openFile } from '../../src/bytes/file.ts';
import type { EngineOptions } from '../../src/engine/engine.ts';
import { Engine } from '../../src/engine/engine.ts';
import { readGguf } from '../../src/format/gguf/read.ts';
import type { Precision } from '../../src/model/plan.ts';
import { planModel } from '../../src/model/plan.ts';
import { Sequence } from '../../src/session/sequence.ts';

const path = (url: string): string => fileURLToPath(new URL(url, import.meta.url));

export const embeddedModel = path('../../models/smollm2-135m-instruct-q4_1.gguf');
/** Large or unredistributable data beside the checkout; tests that need it are skipped, visibly, where it is absent. */
export const shared = path('../../../shared/');
export const hasShared = existsSync(shared);

/** A tiny fixture model: in the project, or beside it. */
export function tinyPath(name: string): string {
  const own = path(`../fixtures/tiny/${name}`);
  return existsSync(own) ? own : `${shared}fixtures/tiny/${name}`;
}

export interface TinyTruth {
  sequences: number[][];
  greedyPrompt: number[];
  greedy: [token: number, margin: number][];
  /** Positions of all sequences together whose logits are there, in order. Absent: all. */
  rows?: number[];
  /** Their logits, row by row. */
  logits: Float32Array;
}

export function tinyTruth(name: string, tokens = name): TinyTruth {
  const bytes = readFileSync(tinyPath(`${name}.logits.f32`));
  return {
    ...(JSON.parse(readFileSync(tinyPath(`${tokens}.tokens.json`), 'utf8')) as Omit<TinyTruth, 'logits'>),
    logits: new Float32Array(new Uint8Array(bytes).buffer),
  };
}

export async function openEngine(file: string, { precision = 'fast', ...options }: Partial<EngineOptions> & { precision?: Precision } = {}): Promise<Engine> {
  const source = await openFile(file);
  try {
    const gguf = await readGguf(source);
    const plan = planModel(gguf, precision);
    return await Engine.open(gguf, plan, { tier: 'base', contextSize: Math.min(plan.hparams.contextLength, 2048), kv: 'f32', ...options });
  } finally {
    await source.close();
  }
}

export async function openSequence(file: string, options: Partial<EngineOptions> & { precision?: Precision } = {}): Promise<Sequence> {
  return new Sequence(await openEngine(file, options));
}
