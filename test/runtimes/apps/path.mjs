/** Where there is a file system (Node, Deno, Bun): MODEL CALIBRATION (or none) → conformance, MODEL → speeds alone; one line of JSON. */
import { load } from 'clada';
import { conformance, speeds } from './conformance.mjs';

const { process } = globalThis, [model, calibration] = (process?.argv ?? []).slice(2), given = { load, model: () => model };
console.log(JSON.stringify(await (calibration ? conformance({ ...given, calibration: () => calibration !== 'none' && calibration }) : speeds(given))));
