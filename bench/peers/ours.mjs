/** A loaded model as task.mjs wants an engine, here and in pages; `load` among its facts says what loading was made of, in ms. */
export async function engineOf(load, { threads, tier = 'auto', contextSize, parallel = [1] }, source) {
  const started = performance.now(), marks = {};
  const onProgress = ({ phase }) => { marks[phase] ??= performance.now(); marks.last = performance.now(); };
  const model = await load(source, { onProgress, threads, tier, contextSize, sequences: Math.max(...parallel), calibration: false });
  if (model.info.threads !== threads) throw new Error(`${model.info.threads} of ${threads} threads: ${model.info.threadsReason}`);
  const done = performance.now();
  const split = {
    'runtime and import': started, 'header': marks.header - started, 'tokenizer, build, memory': marks.weights - marks.header, 'read and repack': marks.last - marks.weights, 'rest': done - marks.last,
  };
  const options = (count) => ({ temperature: 0, ignoreEos: true, maxTokens: count });
  return {
    name: 'clada', loadMs: done - started, vocab: model.info.vocab,
    facts: { tier: model.info.tier, weightBytesPerToken: model.info.weightBytesPerToken, fileBytes: model.info.fileBytes, params: model.info.params, load: split },
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
