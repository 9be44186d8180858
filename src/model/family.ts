/**
 * A model family is a row of a table: what layer i is made of, what its tensors are called, how it rotates. The forward pass knows no
 * names (assembly/forward/block.ts); a new family is a new row, checked against reference logits.
 */
import { ModelError } from '../errors.ts';
import { arcee } from './families/arcee.ts';
import { gemma, gemma2, gemma3 } from './families/gemma.ts';
import { gpt2 } from './families/gpt2.ts';
import { granite } from './families/granite.ts';
import { llama } from './families/llama.ts';
import { nemotron } from './families/nemotron.ts';
import { olmo2 } from './families/olmo2.ts';
import { qwen2 } from './families/qwen2.ts';
import { qwen3 } from './families/qwen3.ts';
import { smollm3 } from './families/smollm3.ts';
import { stablelm } from './families/stablelm.ts';
import type { Family } from './types.ts';

const families: readonly Family[] = [
  llama, qwen2, qwen3, gpt2, smollm3, olmo2, gemma, gemma2, gemma3, granite, stablelm, nemotron, arcee,
];

/** All that is known, as files name it. */
export const architectures = (): string[] => families.flatMap((family) => family.architectures);

/** @throws ModelError `E_FAMILY` that lists the known ones. */
export function familyOf(architecture: string): Family {
  const family = families.find((row) => row.architectures.includes(architecture));
  if (family) return family;
  throw new ModelError('E_FAMILY', {
    subject: 'general.architecture', found: JSON.stringify(architecture),
    expected: `one of ${architectures().join(', ')} (llama also covers Mistral and SmolLM)`,
    remedy: 'Use a model of a known family; a new one is a row in src/model/families.',
  });
}
