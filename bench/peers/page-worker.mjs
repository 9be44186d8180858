/** clada in a page's worker: gets a task as JSON, answers { value } or { error }. */
import { load } from '/dist/index.js';
import { engineOf } from './ours.mjs';
import { measure, reasonOf } from './task.mjs';

onmessage = async ({ data }) => {
  try {
    const value = await measure(JSON.parse(data), async (task) => engineOf(load, task, (await fetch(task.model)).body));
    postMessage({ value });
  } catch (error) {
    postMessage({ error: reasonOf(error) });
  }
};
