/**
 * Goes on with a saved generation in a process, or runtime, of its own, from the built library:
 * `node test/helpers/resume.mjs MODEL SNAPSHOT [CONTEXT]` prints the tokens that follow as JSON.
 */
import { readFileSync } from 'node:fs';
import { load } from '../../dist/node/index.js';

const [path, snapshot, contextSize = '256'] = process.argv.slice(2);
const model = await load(path, { tier: 'base', contextSize: Number(contextSize) });
console.log(JSON.stringify(await (await model.resume(readFileSync(snapshot))).tokens()));
