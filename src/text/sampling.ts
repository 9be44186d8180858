/** The sampler of a generation. */
import { forbidding, samplerOptionNames, type SamplerOptions } from '../sampler/options.ts';
import { createSampler, type Sampler } from '../sampler/sampler.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';

/** @throws InputError `E_OPTION` */
export function samplerFor(options: SamplerOptions & { readonly ignoreEos?: boolean }, tokenizer: Tokenizer): Sampler {
  const ours: readonly string[] = samplerOptionNames;
  const sampling: SamplerOptions = Object.fromEntries(Object.entries(options).filter(([name]) => ours.includes(name)));
  if (!options.ignoreEos) return createSampler(sampling);
  return createSampler({ ...sampling, logitBias: forbidding(sampling.logitBias, tokenizer.eogIds) });
}
