/**
 * A model family is a row of a table: what layer i is made of, what its tensors are called, how it rotates. The forward pass knows no
 * names (assembly/forward/block.ts); a new family is a new row, checked against reference logits.
 */
import { ModelError } from '../errors.ts';
import { gpt2 } from './families/gpt2.ts';
import { llama } from './families/llama.ts';
import { olmo2 } from './families/olmo2.ts';
import { olmoe } from './families/olmoe.ts';
import { qwen2moe, qwen3moe } from './families/qwen-moe.ts';
import { qwen2 } from './families/qwen2.ts';
import { qwen3 } from './families/qwen3.ts';
import { smollm3 } from './families/smollm3.ts';
import type { Family } from './types.ts';

export const families: readonly Family[] = [llama, qwen2, qwen3, gpt2, smollm3, olmo2, olmoe, qwen2moe, qwen3moe];

/** Architectures of which mixtures of experts are run. */
export const mixtures: readonly string[] = families.filter(({ mixture }) => mixture).flatMap(({ architectures }) => architectures);

/** @throws ModelError `E_FAMILY` that lists the known ones. */
export function familyOf(architecture: string): Family {
  const family = families.find(({ architectures }) => architectures.includes(architecture));
  if (family) return family;
  const known = families.flatMap(({ architectures }) => architectures);
  throw new ModelError('E_FAMILY', {
    subject: 'general.architecture', found: JSON.stringify(architecture),
    expected: `one of ${known.join(', ')} (llama also covers Mistral, Mixtral and SmolLM)`,
    remedy: 'Use a model of a known family; a new one is a row in src/model/families.',
  });
}
