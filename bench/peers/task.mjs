/**
 * What every engine is asked, in a process (or page) of its own: load, the first token, a warm-up, then whichever of these the task names. Tokens mean
 * nothing and differ from run to run, so that no prefix is reused but where depth grows.
 *
 * @typedef {object} Task
 * @property {string} model path, or address in a page
 * @property {number} threads
 * @property {'base' | 'relaxed' | 'auto'} [tier]
 * @property {number} [prompt] tokens of the prompt that is timed
 * @property {number} [predict] tokens that are decoded one by one behind 12, or behind each depth
 * @property {number[]} [depths] tokens in the context before decoding
 * @property {number[]} [parallel] numbers of sequences that decode at once
 * @property {number} contextSize tokens of a sequence
 * @property {number} seed other tokens for another
 *
 * @typedef {object} Outcome rates are tokens a second
 * @property {string} engine name and version
 * @property {number} loadMs until the model can be asked
 * @property {number} [prompt]
 * @property {number} [decode]
 * @property {Record<string, number>} [depths] decode by depth
 * @property {Record<string, number>} [parallel] decode of all sequences together, by their number
 * @property {Record<string, number>} [p95Ms] of the time between two tokens of a sequence, by the number of sequences
 * @property {number} [bandwidth] GB/s that reading all weights reached
 */

/** @returns {number[]} */
export const nonsense = (count, run, vocab) => Array.from({ length: count }, (_, i) => ((i + 1) * 7919 + (run + 1) * 104_729) % vocab);

const perSecond = (count, started) => (1000 * count) / (performance.now() - started);

const p95 = (times) => [...times].sort((a, b) => a - b)[Math.floor(0.95 * (times.length - 1))];

/**
 * Runs a task on an engine: `prefill(tokens)` computes all of them anew but for a prefix that is there, `decode(tokens, count, each)` prefills and then decodes
 * `count` more, resolving to tokens a second of these; `decodeAll(prompts, count)` does so for several sequences at once and resolves to the times of all tokens.
 * @param {Task} task
 * @param {(outcome: object) => void} first called after the first token
 * @returns {Promise<Outcome>}
 */
export async function measure(task, open, first = () => {}) {
  const started = performance.now(), engine = await open(task), { vocab } = engine;
  const outcome = { engine: engine.name, loadMs: engine.loadMs ?? performance.now() - started };
  let run = 100 * task.seed;
  await engine.decode(nonsense(4, run++, vocab), 1);
  first();
  await engine.prefill(nonsense(64, run++, vocab));
  await engine.decode(nonsense(12, run++, vocab), 12);
  if (task.prompt) {
    const tokens = nonsense(task.prompt, run++, vocab), begun = performance.now();
    outcome.prompt = (await engine.prefill(tokens)) ?? perSecond(task.prompt, begun);
  }
  if (task.predict && !task.depths && !task.parallel) outcome.decode = await engine.decode(nonsense(12, run++, vocab), task.predict);
  for (const depth of task.depths ?? []) {
    outcome.depths = { ...outcome.depths, [depth]: await engine.decode(nonsense(Math.max(depth, 12), run, vocab), task.predict) };
  }
  for (const count of task.parallel ?? []) {
    const prompts = Array.from({ length: count }, () => nonsense(12, run++, vocab)), times = await engine.decodeAll(prompts, task.predict);
    const spans = times.map((all) => all.slice(1).map((at, i) => at - all[i])), from = Math.max(...times.map(([at]) => at)), to = Math.min(...times.map((all) => all.at(-1)));
    // only while all of them run: who begins or ends alone is no batch
    const together = times.flat().filter((at) => at > from && at <= to).length;
    outcome.parallel = { ...outcome.parallel, [count]: (1000 * together) / (to - from) };
    outcome.p95Ms = { ...outcome.p95Ms, [count]: p95(spans.flat()) };
  }
  if (engine.bandwidth) outcome.bandwidth = Math.max(engine.bandwidth(), engine.bandwidth());
  if (engine.facts) Object.assign(outcome, engine.facts);
  return outcome;
}

/** What went wrong, in a line. */
export const reasonOf = (error) => String(error?.message ?? error).split('\n')[0];

/** A script's whole life: the task is its argument, lines of JSON are its answer: one after the first token, one at the end. */
export async function answer(text, open) {
  const print = (line) => { console.log(JSON.stringify(line)); };
  try {
    print(await measure(JSON.parse(text), open, () => { print({ first: true }); }));
  } catch (error) {
    print({ error: reasonOf(error) });
  }
}
