/** A loaded model as task.mjs wants an engine, here and in pages. */
export async function engineOf(load, { threads, tier = 'auto', contextSize, parallel = [1] }, source) {
  const started = performance.now();
  const model = await load(source, { threads, tier, contextSize, sequences: Math.max(...parallel), calibration: false });
  if (model.info.threads !== threads) throw new Error(`${model.info.threads} of ${threads} threads: ${model.info.threadsReason}`);
  const options = (count) => ({ temperature: 0, ignoreEos: true, maxTokens: count });
  return {
    name: 'clada', loadMs: performance.now() - started, vocab: model.info.vocab,
    facts: { tier: model.info.tier, weightBytesPerToken: model.info.weightBytesPerToken, fileBytes: model.info.fileBytes, params: model.info.params, load: model.info.load },
    prefill: async (tokens) => { await model.evaluate(tokens); },
    decode: async (tokens, count) => {
      const generation = model.generate(tokens, options(count + 1));
      await generation.tokens();
      return generation.stats().generatePerSecond;
    },
    decodeAll: (prompts, count) => Promise.all(prompts.map(async (tokens) => {
      const times = [];
      for await (const _ of model.generate(tokens, options(count + 1))) times.push(performance.now());
      return times;
    })),
    bandwidth: () => model.measureBandwidth(),
  };
}
