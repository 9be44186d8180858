/** Goes on with a conversation where there is a file system: MODEL CALIBRATION SNAPSHOT → token ids as JSON. */
import { readFile } from 'node:fs/promises';
import { load } from 'clada';
import { goOn } from './conversation.mjs';

const [path, calibration, snapshot] = globalThis.process.argv.slice(2);
console.log(JSON.stringify(await goOn(await load(path, { tier: 'base', contextSize: 256, calibration }), await readFile(snapshot))));
