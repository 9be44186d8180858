/**
 * Models that `-m` knows by a short name: small ones that many people run, in 4 bits (Q4_K_M) as they are published. The library itself
 * takes paths and addresses only, so that what a program loads stands in the program.
 */
import { InputError } from '../errors.ts';
import { editDistance } from '../options.ts';

export interface NamedModel {
  readonly name: string;
  /** Parameters, as its publisher counts them. */
  readonly params: string;
  /** Size of the file, millions of bytes. */
  readonly megabytes: number;
  /** `general.architecture` of the file. */
  readonly family: string;
  readonly address: string;
}

const row = (name: string, params: string, megabytes: number, family: string, file: string): NamedModel =>
  ({ name, params, megabytes, family, address: `hf:${file}` });

export const namedModels: readonly NamedModel[] = [
  row('smollm2', '135M', 105, 'llama', 'bartowski/SmolLM2-135M-Instruct-GGUF/SmolLM2-135M-Instruct-Q4_K_M.gguf'),
  row('smollm2-360m', '360M', 271, 'llama', 'bartowski/SmolLM2-360M-Instruct-GGUF/SmolLM2-360M-Instruct-Q4_K_M.gguf'),
  row('smollm2-1.7b', '1.7B', 1056, 'llama', 'bartowski/SmolLM2-1.7B-Instruct-GGUF/SmolLM2-1.7B-Instruct-Q4_K_M.gguf'),
  row('tinyllama', '1.1B', 669, 'llama', 'TheBloke/TinyLlama-1.1B-Chat-v1.0-GGUF/tinyllama-1.1b-chat-v1.0.Q4_K_M.gguf'),
  row('llama-3.2-1b', '1.2B', 808, 'llama', 'bartowski/Llama-3.2-1B-Instruct-GGUF/Llama-3.2-1B-Instruct-Q4_K_M.gguf'),
  row('llama-3.2-3b', '3.2B', 2019, 'llama', 'bartowski/Llama-3.2-3B-Instruct-GGUF/Llama-3.2-3B-Instruct-Q4_K_M.gguf'),
  row('gpt2', '124M', 108, 'gpt2', 'mradermacher/gpt2-GGUF/gpt2.Q4_K_M.gguf'),
  row('qwen2.5-0.5b', '0.5B', 491, 'qwen2', 'Qwen/Qwen2.5-0.5B-Instruct-GGUF/qwen2.5-0.5b-instruct-q4_k_m.gguf'),
  row('qwen2.5-1.5b', '1.5B', 1117, 'qwen2', 'Qwen/Qwen2.5-1.5B-Instruct-GGUF/qwen2.5-1.5b-instruct-q4_k_m.gguf'),
  row('qwen2.5-coder-0.5b', '0.5B', 491, 'qwen2', 'Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF/qwen2.5-coder-0.5b-instruct-q4_k_m.gguf'),
  row('qwen2.5-coder-1.5b', '1.5B', 1117, 'qwen2', 'Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF/qwen2.5-coder-1.5b-instruct-q4_k_m.gguf'),
  row('deepseek-r1-1.5b', '1.5B', 1117, 'qwen2',
    'unsloth/DeepSeek-R1-Distill-Qwen-1.5B-GGUF/DeepSeek-R1-Distill-Qwen-1.5B-Q4_K_M.gguf'),
  row('qwen3-0.6b', '0.6B', 397, 'qwen3', 'unsloth/Qwen3-0.6B-GGUF/Qwen3-0.6B-Q4_K_M.gguf'),
  row('qwen3-1.7b', '1.7B', 1107, 'qwen3', 'unsloth/Qwen3-1.7B-GGUF/Qwen3-1.7B-Q4_K_M.gguf'),
  row('gemma-2b', '2.5B', 1500, 'gemma', 'lmstudio-ai/gemma-2b-it-GGUF/gemma-2b-it-q4_k_m.gguf'),
  row('gemma-2-2b', '2.6B', 1709, 'gemma2', 'bartowski/gemma-2-2b-it-GGUF/gemma-2-2b-it-Q4_K_M.gguf'),
  row('gemma-3-270m', '270M', 253, 'gemma3', 'unsloth/gemma-3-270m-it-GGUF/gemma-3-270m-it-Q4_K_M.gguf'),
  row('gemma-3-1b', '1.0B', 806, 'gemma3', 'unsloth/gemma-3-1b-it-GGUF/gemma-3-1b-it-Q4_K_M.gguf'),
  row('gemma-3-4b', '3.9B', 2490, 'gemma3', 'ggml-org/gemma-3-4b-it-GGUF/gemma-3-4b-it-Q4_K_M.gguf'),
  row('lfm2-350m', '350M', 229, 'lfm2', 'LiquidAI/LFM2-350M-GGUF/LFM2-350M-Q4_K_M.gguf'),
  row('lfm2-1.2b', '1.2B', 731, 'lfm2', 'LiquidAI/LFM2-1.2B-GGUF/LFM2-1.2B-Q4_K_M.gguf'),
  row('granite-4.0-350m', '350M', 237, 'granite', 'ibm-granite/granite-4.0-350m-GGUF/granite-4.0-350m-Q4_K_M.gguf'),
  row('granite-3.3-2b', '2.5B', 1545, 'granite', 'ibm-granite/granite-3.3-2b-instruct-GGUF/granite-3.3-2b-instruct-Q4_K_M.gguf'),
  row('granite-3.1-1b-a400m', '1.3B', 822, 'granitemoe',
    'bartowski/granite-3.1-1b-a400m-instruct-GGUF/granite-3.1-1b-a400m-instruct-Q4_K_M.gguf'),
  row('olmo-2-1b', '1.5B', 936, 'olmo2', 'allenai/OLMo-2-0425-1B-Instruct-GGUF/OLMo-2-0425-1B-Instruct-Q4_K_M.gguf'),
  row('smollm3-3b', '3.1B', 1915, 'smollm3', 'ggml-org/SmolLM3-3B-GGUF/SmolLM3-Q4_K_M.gguf'),
  row('ernie-4.5-0.3b', '0.4B', 241, 'ernie4_5', 'unsloth/ERNIE-4.5-0.3B-PT-GGUF/ERNIE-4.5-0.3B-PT-Q4_K_M.gguf'),
  row('minicpm4-0.5b', '0.4B', 263, 'minicpm', 'Mungert/MiniCPM4-0.5B-GGUF/MiniCPM4-0.5B-q4_k_m.gguf'),
  row('hunyuan-0.5b', '0.5B', 355, 'hunyuan-dense',
    'bartowski/tencent_Hunyuan-0.5B-Instruct-GGUF/tencent_Hunyuan-0.5B-Instruct-Q4_K_M.gguf'),
  row('stablelm-2-1.6b', '1.6B', 1031, 'stablelm', 'second-state/stablelm-2-zephyr-1.6b-GGUF/stablelm-2-zephyr-1_6b-Q4_K_M.gguf'),
  row('internlm2.5-1.8b', '1.9B', 1172, 'internlm2', 'internlm/internlm2_5-1_8b-chat-gguf/internlm2_5-1_8b-chat-q4_k_m.gguf'),
  row('exaone-3.5-2.4b', '2.4B', 1645, 'exaone', 'LGAI-EXAONE/EXAONE-3.5-2.4B-Instruct-GGUF/EXAONE-3.5-2.4B-Instruct-Q4_K_M.gguf'),
  row('exaone-4.0-1.2b', '1.3B', 812, 'exaone4', 'LGAI-EXAONE/EXAONE-4.0-1.2B-GGUF/EXAONE-4.0-1.2B-Q4_K_M.gguf'),
  row('phi-2', '2.8B', 1789, 'phi2', 'TheBloke/phi-2-GGUF/phi-2.Q4_K_M.gguf'),
  row('phi-3.5-mini', '3.8B', 2393, 'phi3', 'bartowski/Phi-3.5-mini-instruct-GGUF/Phi-3.5-mini-instruct-Q4_K_M.gguf'),
  row('phi-4-mini', '3.8B', 2490, 'phi3', 'unsloth/Phi-4-mini-instruct-GGUF/Phi-4-mini-instruct-Q4_K_M.gguf'),
  row('starcoderbase-1b', '1.1B', 793, 'starcoder', 'mradermacher/starcoderbase-1b-GGUF/starcoderbase-1b.Q4_K_M.gguf'),
  row('starcoder2-3b', '3.0B', 1888, 'starcoder2', 'second-state/StarCoder2-3B-GGUF/starcoder2-3b-Q4_K_M.gguf'),
  row('nemotron-mini-4b', '4.2B', 2697, 'nemotron', 'bartowski/Nemotron-Mini-4B-Instruct-GGUF/Nemotron-Mini-4B-Instruct-Q4_K_M.gguf'),
  row('afm-4.5b', '4.6B', 2916, 'arcee', 'arcee-ai/AFM-4.5B-GGUF/AFM-4.5B-Q4_K_M.gguf'),
  row('olmoe-1b-7b', '6.9B', 3330, 'olmoe', 'bartowski/OLMoE-1B-7B-0924-Instruct-GGUF/OLMoE-1B-7B-0924-Instruct-Q3_K_M.gguf'),
];

/** Case and what separates words do not count: ollama's `qwen3:0.6b` is `qwen3-0.6b`. */
const plain = (name: string): string => name.toLowerCase().replace(/[-_:]/g, '').slice(0, 40);

/** True of what is written as a name: neither an address nor a path. */
export const looksLikeName = (text: string): boolean => text !== '' && !/[\\/]|\.gguf/i.test(text);

/** The address that a name stands for. @throws InputError `E_NOT_FOUND`, with the names that are near */
export function addressOf(name: string): string {
  const asked = plain(name), known = namedModels.find((model) => plain(model.name) === asked);
  if (known) return known.address;
  const near = nearNames(name);
  throw new InputError('E_NOT_FOUND', {
    subject: `model ${name}`, found: 'neither a file of that name here nor a model that is known by it',
    expected: 'a path (./model.gguf), a URL, hf:owner/repo/file.gguf, or a name',
    remedy: near.length > 0 ? `Did you mean ${listed(near)}? clada models lists all names.` : 'clada models lists the names.',
  });
}

const listed = (names: readonly string[]): string => names.join(', ').replace(/, ([^,]*)$/, ' or $1');

/** Up to three names that may be meant: those that begin the same way, then those that few letters tell apart. */
function nearNames(name: string): string[] {
  const asked = plain(name);
  const far = (known: string): number => {
    const word = plain(known), distance = editDistance(asked, word);
    if (asked.length >= 3 && (word.startsWith(asked) || asked.startsWith(word))) return distance / 100;
    return distance <= Math.max(1, Math.floor(Math.max(asked.length, word.length) / 3)) ? distance : Infinity;
  };
  return namedModels.map((model) => ({ name: model.name, far: far(model.name) })).filter((model) => model.far < Infinity)
    .sort((a, b) => a.far - b.far).slice(0, 3).map((model) => model.name);
}
