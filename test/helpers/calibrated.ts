/** Tiny models with a calibration: made up (to test its file), or measured as `clada calibrate` does (to run with it). */
import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Calibration } from '../../src/adapt/calibration.ts';
import { CALIBRATION_VERSION, asKept, writeCalibration } from '../../src/adapt/calibration.ts';
import type { Level } from '../../src/adapt/levels.ts';
import { calibrate } from '../../src/calibrate/calibrate.ts';
import type { Engine } from '../../src/engine/engine.ts';
import { Random } from '../../src/sampler/random.ts';
import { temporary } from './twin.ts';

/** Three levels a method, gentle to hard; thresholds that grow, one a layer. */
export function madeUpLevels(nLayers: number, thresholds = true): Level[] {
  return [0.85, 0.6, 0.4].map((cost, i) => ({
    parameter: 0.125 * 2 ** i, cost: Math.fround(cost), up: Math.fround(cost - 0.1), down: Math.fround(cost - 0.2), kl: Math.fround(0.001 * 10 ** i), klError: Math.fround(0.0001 * 10 ** i),
    deltaNll: Math.fround(0.001 * 9 ** i), top1: Math.fround(0.99 - 0.08 * i), thresholds: thresholds ? Array.from({ length: nLayers }, (_, l) => 0.0625 * (l + 1) * 2 ** i) : [],
  }));
}

/** A calibration that fits the model in shape and fingerprint and says nothing true. */
export function madeUpCalibration({ fingerprint, plan: { hparams: { nLayers, ffn, hidden, heads, headDim, name } } }: Engine): Calibration {
  const random = new Random(11), floats = (width: number): Float32Array => asKept(Float32Array.from({ length: nLayers * width }, () => 0.05 + random.float64())), headWidth = heads * headDim;
  return {
    version: CALIBRATION_VERSION, fingerprint, modelName: name, nLayers, ffn, hidden, headWidth, tokens: 12_640, heldOutTokens: 768, seed: 7, gradients: 'fisher', sensitivity: floats(ffn), upSquare: floats(ffn), hSquare: floats(ffn),
    mean: floats(ffn), meanOut: floats(hidden), attnInSensitivity: floats(hidden), attnInSquare: floats(hidden), outInSensitivity: floats(headWidth), outInSquare: floats(headWidth),
    ffnInSensitivity: floats(hidden), ffnInSquare: floats(hidden), surprisalWeight: 0.75, entropyWeight: 0.25,
    levels: new Map(['griffin', 'mask', 'teal', 'wina', 'tt', 'cats', 'clada-paper', 'cascade', 'clada'].map((method, i) => [method, madeUpLevels(nLayers, i > 3)])),
  };
}

export interface Calibrated { readonly path: string; readonly file: string; readonly calibration: Calibration }

/** A copy of the model in a temporary folder with NAME.clada.gguf beside it, measured on a few short samples: a second of work. */
export async function calibratedCopy(model: string): Promise<Calibrated> {
  const folder = temporary(), path = join(folder, 'model.gguf'), file = join(folder, 'model.clada.gguf');
  copyFileSync(model, path);
  const calibration = await calibrate(path, { count: 2, tokens: 48, heldOut: 2, tier: 'base' });
  writeFileSync(file, writeCalibration(calibration));
  return { path, file, calibration };
}
