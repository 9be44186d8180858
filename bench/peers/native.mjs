/** llama.cpp as node-llama-cpp has it, prebuilt: tokens are evaluated as given, nothing is sampled. Everything else is as its users get it. */
import { getLlama, getModuleVersion } from 'node-llama-cpp';
import { answer } from './task.mjs';

async function open({ model: modelPath, threads, contextSize, parallel = [1] }) {
  const llama = await getLlama({ gpu: false, build: 'never', skipDownload: true, maxThreads: 0, logLevel: 'error' });
  const started = performance.now(), model = await llama.loadModel({ modelPath, gpuLayers: 0 }), most = Math.max(...parallel);
  const context = await model.createContext({ contextSize, sequences: most, threads, batchSize: 512 });
  const loadMs = performance.now() - started, sequences = Array.from({ length: most }, () => context.getSequence()), [sequence] = sequences;
  const { vocabularyType: _, ...rest } = model.fileInfo.metadata.tokenizer?.ggml ?? {};
  const feed = (on, tokens) => on.evaluateWithoutGeneratingNewTokens(tokens);

  /** Leaves of the sequence's tokens what `tokens` begin with, and computes the rest. */
  async function fill(on, tokens) {
    const held = on.contextTokens;
    let same = 0;
    while (same < held.length && same < tokens.length - 1 && held[same] === tokens[same]) same++;
    if (same < held.length) await on.eraseContextTokenRanges([{ start: same, end: held.length }]);
    await feed(on, tokens.slice(same));
  }

  return {
    name: `llama.cpp ${llama.llamaCppRelease.release} (node-llama-cpp ${await getModuleVersion()})`, loadMs, vocab: rest.tokens.length,
    prefill: (tokens) => fill(sequence, tokens),
    decode: async (tokens, count) => {
      await fill(sequence, tokens);
      const begun = performance.now();
      for (let i = 0; i < count; i++) await feed(sequence, [tokens[i % tokens.length]]);
      return (1000 * count) / (performance.now() - begun);
    },
    decodeAll: (prompts, count) => Promise.all(prompts.map(async (tokens, i) => {
      await fill(sequences[i], tokens);
      const times = [performance.now()];
      while (times.length <= count) { await feed(sequences[i], [tokens[times.length % tokens.length]]); times.push(performance.now()); }
      return times;
    })),
  };
}

await answer(process.argv[2], open);
process.exit(0); // node-llama-cpp keeps the process alive
