/** Loads and closes a model with three threads so often; prints the workers that are left, and by how much memory has grown. */
import { load } from '../../src/index.ts';

const [path, times] = process.argv.slice(2), workers = () => process.getActiveResourcesInfo().filter((name) => /Worker|MessagePort/.test(name)).length;
let before = 0, threads = 0;
for (let i = 0; i < Number(times); i++) {
  const model = await load(path, { threads: 3, contextSize: 64 });
  await model.evaluate([1, 5, 9]);
  ({ threads } = model.info);
  model.close();
  if (i % 10 === 9) await new Promise((resolve) => setTimeout(resolve, 200));
  if (i === Math.min(19, times >> 1)) { globalThis.gc(); before = process.memoryUsage().rss; }
}
await new Promise((resolve) => setTimeout(resolve, 500));
globalThis.gc();
console.log(JSON.stringify({ threads, workers: workers(), growth: process.memoryUsage().rss - before }));
