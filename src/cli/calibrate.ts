/** `clada calibrate`: measures a model once and writes its calibration beside it. A run that is cut goes on where it was. */
import { existsSync } from 'node:fs';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import v8 from 'node:v8';
import { InputError, calibrationPath, load, writeCalibration } from 'clada';
import type { CalibrateOptions, CalibrationState } from 'clada/calibrate';
import { calibrate as measure } from 'clada/calibrate';
import { isRemote } from '../net/address.ts';
import type { Values } from './commands.ts';
import { modelPath } from './model.ts';
import { note, print, printJson } from './output.ts';
import { bar } from './style.ts';
import { readText } from './text.ts';

/** Documents of `tokens` tokens from a text. */
async function documentsOf(path: string, text: string, tokens: number): Promise<number[][]> {
  const model = await load(path, { contextSize: 8, calibration: false });
  const ids = model.tokenizer.encode(text);
  model.close();
  return Array.from({ length: Math.floor(ids.length / tokens) }, (_, i) => [...ids.subarray(i * tokens, (i + 1) * tokens)]);
}

export async function calibrate(values: Values<'calibrate'>, signal: AbortSignal): Promise<void> {
  const path = modelPath(values.model);
  if (isRemote(path) && values.out === undefined) throw new InputError('E_USAGE', { subject: 'clada calibrate', found: `${path}, and nowhere to write`, expected: '--out FILE', remedy: 'Name a file; later commands take it as --calibration FILE.' });
  const out = values.out ?? calibrationPath(path), partial = `${out}.partial`;
  const options: CalibrateOptions = { count: values.count, tokens: values.tokens, heldOut: values.heldOut, seed: values.seed, gradients: values.gradients, tier: values.tier, signal };
  const documents = values.file === undefined ? undefined : await documentsOf(path, await readText({ file: values.file }, 'calibrate', { signal }), values.tokens ?? 320);
  const state = existsSync(partial) ? (v8.deserialize(await readFile(partial)) as CalibrationState) : undefined;
  const started = performance.now();
  let saved: CalibrationState | undefined, writing: Promise<void> = Promise.resolve(), lastSave = 0;
  const save = (current: CalibrationState): void => {
    if (!saved && current === state) note(`going on from ${partial}`); // a state of another model or other options is not taken
    saved = current;
    if (performance.now() - lastSave < 5000) return; // a few MB: not after every document
    lastSave = performance.now();
    const bytes = v8.serialize(current);
    writing = writing.then(async () => { await writeFile(`${partial}.new`, bytes); await rename(`${partial}.new`, partial); });
  };
  try {
    const result = await measure(path, {
      ...options, documents, state, onState: save,
      onProgress: (phase, done, total) => { if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${phase.padEnd(10)} ${bar(done / total)} ${done} of ${total}`); },
    });
    await writing;
    await writeFile(`${out}.new`, writeCalibration(result));
    await rename(`${out}.new`, out);
    await rm(partial, { force: true });
    const seconds = (performance.now() - started) / 1000;
    if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
    if (values.json) printJson({ out, seconds, tokens: result.tokens, heldOutTokens: result.heldOutTokens, levels: Object.fromEntries(result.levels) });
    else print(`${out}: ${result.tokens} tokens, ${result.levels.size} methods, ${seconds.toFixed(0)} s. clada inspect ${out} shows the tables.`);
  } catch (error) {
    await writing;
    if (saved) await writeFile(partial, v8.serialize(saved));
    throw error;
  }
}
