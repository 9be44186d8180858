/** wllama, llama.cpp as WebAssembly, on the processor. It takes prompts as text, so that a token becomes a common word; rates are those that its own server reports. */
import { LoggerWithoutDebug, Wllama } from '/wllama/index.js';
import { measure } from './task.mjs';

/** Each a token of its own behind a space, in most vocabularies. */
const words = 'time year people way day man thing woman life child world school state family student group country problem hand part place case week company system program question work'.split(' ');

async function open({ model, threads, contextSize }) {
  const wllama = new Wllama({ default: '/wllama/wasm/wllama.wasm' }, { suppressNativeLog: true, logger: LoggerWithoutDebug });
  const blob = await (await fetch(model)).blob(), started = performance.now();
  await wllama.loadModel([blob], { n_ctx: contextSize, n_threads: threads, n_batch: 512, n_gpu_layers: 0, warmup: false, n_parallel: 1 });
  const loadMs = performance.now() - started, vocab = wllama.getLoadedContextInfo().n_vocab;

  async function timings(tokens, max_tokens) {
    const prompt = tokens.map((id) => ` ${words[id % words.length]}`).join('');
    let last;
    for await (const chunk of await wllama.createCompletion({ prompt, max_tokens, temperature: 0, top_k: 1, stream: true, cache_prompt: false, ignore_eos: true, timings_per_token: true, return_tokens: true })) {
      last = chunk.timings ?? last;
    }
    if (!last) throw new Error('wllama reports no timings');
    return last;
  }

  return {
    name: `wllama (llama.cpp ${Wllama.getLibllamaVersion()}, ${wllama.getNumThreads()} thread${wllama.getNumThreads() === 1 ? '' : 's'})`, loadMs, vocab,
    prefill: async (tokens) => {
      const { prompt_n, prompt_per_second } = await timings(tokens, 1);
      if (Math.abs(prompt_n / tokens.length - 1) > 0.1) throw new Error(`wllama made ${prompt_n} tokens of ${tokens.length} words`);
      return prompt_per_second;
    },
    decode: async (tokens, count) => (await timings(tokens, count + 1)).predicted_per_second,
  };
}

export const run = (task) => measure(task, open);
