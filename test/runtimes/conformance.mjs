/**
 * What must be the same in every runtime, on the build `base`: 64 greedy tokens and a digest of all logits on the way, then as many tokens that
 * skip neurons. Plain JavaScript of the web's minimum API, so that any runtime runs it as it is; how the model is read is the runtime's affair.
 */
const prompt = 'The lighthouse keeper wrote in his diary every night. Today he';
const greedy = { temperature: 0, ignoreEos: true };

/** @returns {Promise<string>} SHA-256 of all these arrays one after the other, hexadecimal */
async function digestOf(arrays) {
  const bytes = new Uint8Array(arrays.reduce((sum, { byteLength }) => sum + byteLength, 0));
  let at = 0;
  for (const { buffer, byteOffset, byteLength } of arrays) {
    bytes.set(new Uint8Array(buffer, byteOffset, byteLength), at);
    at += byteLength;
  }
  return [...new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** Token ids and the SHA-256 of the f32 logits that they were taken from. */
export async function dense(model) {
  const ids = [...model.tokenizer.encode(prompt, { addSpecial: true })], tokens = [], logits = [];
  while (tokens.length < 64) {
    const state = await model.evaluate(ids);
    logits.push(state.logits);
    ids.push(state.report.topToken);
    tokens.push(state.report.topToken);
  }
  return { tokens, logits: await digestOf(logits) };
}

/** Token ids of a generation that skips neurons, by the model's calibration where it has one. */
export async function sparse(model) {
  const generation = model.generate(prompt, { ...greedy, maxTokens: 64, sparsity: { method: 'clada', density: 0.7 } });
  const tokens = (await generation.tokens()).map(({ id }) => id);
  return { tokens, density: generation.stats().density };
}

/** Tokens decoded a second: the best of three. */
export async function speed(model) {
  let best = 0;
  for (let round = 0; round < 3; round++) {
    const generation = model.generate(prompt, { ...greedy, maxTokens: 25, sparsity: { method: 'dense' } });
    await generation.tokens();
    best = Math.max(best, generation.stats().generatePerSecond);
  }
  return best;
}

/** Speeds alone, of `base` and of what the runtime takes by itself. */
export async function speeds({ load, model: source }) {
  const result = {};
  for (const tier of ['base', 'auto']) {
    const model = await load(await source(), { contextSize: 256, calibration: false, tier });
    result[tier] = await speed(model);
    model.close();
  }
  return result;
}

/**
 * Everything, with the package's `load` and a model that this runtime can read; `calibration` resolves to false where it has none.
 * @returns digests for comparison, and what was measured; `auto` is the build that the runtime would take by itself, timed too
 */
export async function conformance({ load, model: source, calibration }) {
  const options = { contextSize: 256, calibration: await calibration() };
  const base = await load(await source(), { ...options, tier: 'base' });
  const result = { dense: await dense(base), sparse: await sparse(base), base: await speed(base), memoryBytes: base.info.memoryBytes, loadMs: base.info.loadMs };
  base.close();
  const auto = await load(await source(), { ...options, tier: 'auto' });
  const { tier, tierReason } = auto.info, perSecond = await speed(auto);
  auto.close();
  return { ...result, auto: { tier, tierReason, perSecond } };
}
