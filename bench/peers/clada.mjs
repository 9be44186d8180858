/** clada from dist, as its users get it: greedy tokens, sampling and text included. In Node, Deno and Bun. */
import { load } from '../../dist/node/index.js';
import { answer } from './task.mjs';
import { engineOf } from './ours.mjs';

const { process } = globalThis;
await answer(process.argv[2], (task) => engineOf(load, task, task.model));
process.exit(0);
