/** `clada calibrate`: measures a model once and writes its calibration beside it. A run that is cut goes on where it was. */
import { existsSync } from 'node:fs';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import v8 from 'node:v8';
import { InputError, calibrationPath, load, writeCalibration } from 'clada';
import type { CalibrateOptions, CalibrationState } from 'clada/calibrate';
import { calibrate as measure } from 'clada/calibrate';
import { isRemote } from '../net/address.ts';
import type { Values } from './commands.ts';
import { modelPath, networkOf, tellWarnings, verifyCopy } from './model.ts';
import { note, print, printJson } from './output.ts';
import { bar } from './style.ts';
import { readText } from './text.ts';

/** Documents of `tokens` tokens from a text. */
async function documentsOf(path: string, text: string, values: Values<'calibrate'>, signal: AbortSignal): Promise<number[][]> {
  const { tokens = 320 } = values;
  const model = await load(path, { ...networkOf({}, signal), contextSize: 8, calibration: false });
  tellWarnings(model, values);
  const ids = model.tokenizer.encode(text);
  model.close();
  return Array.from({ length: Math.floor(ids.length / tokens) }, (_, i) => [...ids.subarray(i * tokens, (i + 1) * tokens)]);
}

/** How long a stage has to go, from its own speed in this run; nothing before it is known. */
function timeLeft(): (phase: string, done: number, total: number) => string {
  let current = '', from = 0, started = 0;
  return (phase, done, total) => {
    if (phase !== current) { current = phase; from = done; started = performance.now(); }
    if (done <= from) return '';
    const seconds = ((performance.now() - started) / 1000 / (done - from)) * (total - done);
    return seconds < 90 ? `, ${Math.ceil(seconds)} s left` : `, ${Math.ceil(seconds / 60)} min left`;
  };
}

/** What a run that was cut left; a file that cannot be read is not gone on from. */
async function stateFrom(partial: string): Promise<CalibrationState | undefined> {
  if (!existsSync(partial)) return undefined;
  try {
    return v8.deserialize(await readFile(partial)) as CalibrationState;
  } catch {
    note(`${partial} is damaged: beginning anew`);
    return undefined;
  }
}

export async function calibrate(values: Values<'calibrate'>, signal: AbortSignal): Promise<void> {
  const path = modelPath(values.model);
  if (isRemote(path) && values.out === undefined) throw new InputError('E_USAGE', {
    subject: 'clada calibrate', found: `${path}, and nowhere to write`, expected: '--out FILE',
    remedy: 'Name a file; later commands take it as --calibration FILE.',
  });
  const out = values.out ?? calibrationPath(path), partial = `${out}.partial`;
  const { count, tokens, heldOut, seed, gradients, threads, tier, file } = values;
  const options: CalibrateOptions = { count, tokens, heldOut, seed, gradients, threads, tier, signal };
  if (values.verify) await verifyCopy(path, values, signal);
  const text = file === undefined ? undefined : await readText({ file }, 'calibrate', { signal });
  const documents = text === undefined ? undefined : await documentsOf(path, text, values, signal);
  const state = await stateFrom(partial), left = timeLeft();
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
      onProgress: (phase, done, total) => {
        if (!process.stderr.isTTY) return;
        process.stderr.write(`\r\x1b[K${phase.padEnd(10)} ${bar(done / total)} ${done} of ${total}${left(phase, done, total)}`);
      },
    });
    await writing;
    await writeFile(`${out}.new`, writeCalibration(result));
    await rename(`${out}.new`, out);
    await rm(partial, { force: true });
    const seconds = (performance.now() - started) / 1000;
    if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
    const { levels, heldOutTokens } = result;
    if (values.json) printJson({ out, seconds, tokens: result.tokens, heldOutTokens, levels: Object.fromEntries(levels) });
    else print(`${out}: ${result.tokens} tokens, ${levels.size} methods, ${seconds.toFixed(0)} s. clada inspect ${out} shows the tables.`);
  } catch (error) {
    await writing;
    if (saved) await writeFile(partial, v8.serialize(saved));
    throw error;
  }
}
