/** Conformance where there is a file system (Node, Deno, Bun): MODEL CALIBRATION → one line of JSON. */
import { load } from 'clada';
import { conformance } from './conformance.mjs';

const { process } = globalThis, [model, calibration] = (process?.argv ?? []).slice(2);
console.log(JSON.stringify(await conformance({ load, model: () => model, calibration: () => calibration })));
