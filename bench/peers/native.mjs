/**
 * llama.cpp as node-llama-cpp has it, prebuilt. Tokens are evaluated as given, the last of each call with its logits, as llama-bench does, and nothing is
 * sampled. `evaluateWithoutGeneratingNewTokens` would ask for no logits at all: llama.cpp then leaves out the output matrix, two thirds of a small
 * model's token. Everything else is as its users get it.
 */
import { getLlama, getModuleVersion } from 'node-llama-cpp';
import { answer } from './task.mjs';

async function open({ model: modelPath, threads, contextSize, parallel = [1] }) {
  const llama = await getLlama({ gpu: false, build: 'never', skipDownload: true, maxThreads: 0, logLevel: 'error' });
  const started = performance.now(), model = await llama.loadModel({ modelPath, gpuLayers: 0 }), most = Math.max(...parallel);
  const context = await model.createContext({ contextSize, sequences: most, threads, batchSize: 512 });
  const loadMs = performance.now() - started, sequences = Array.from({ length: most }, () => context.getSequence()), [sequence] = sequences;
  const { vocabularyType: _, ...rest } = model.fileInfo.metadata.tokenizer?.ggml ?? {};
  const asked = { generateNewTokens: true, _noSampling: true }; // not a public way, of a pinned version: every public one samples

  async function feed(on, tokens) {
    const { size, strategy } = on._contextShift;
    for await (const _ of on._evaluate(tokens, {}, { ...asked, contextShiftOptions: { size, strategy } })) { /* ends without a token */ }
  }

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
