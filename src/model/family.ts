/**
 * A model family is a row of a table: what layer i is made of, what its tensors are called, how it rotates. The forward pass knows no
 * names (assembly/forward/block.ts); a new family is a new row, checked against reference logits.
 */
import { ModelError } from '../errors.ts';
import { arcee } from './families/arcee.ts';
import { chatglm, glm4 } from './families/chatglm.ts';
import { cohere2 } from './families/cohere2.ts';
import { ernie4_5 } from './families/ernie4_5.ts';
import { exaone, exaone4 } from './families/exaone.ts';
import { gemma, gemma2, gemma3 } from './families/gemma.ts';
import { gpt2 } from './families/gpt2.ts';
import { gptneox } from './families/gptneox.ts';
import { granite } from './families/granite.ts';
import { hunyuan } from './families/hunyuan.ts';
import { internlm2 } from './families/internlm2.ts';
import { lfm2 } from './families/lfm2.ts';
import { deci, llama } from './families/llama.ts';
import { minicpm } from './families/minicpm.ts';
import { mistral3 } from './families/mistral3.ts';
import { nemotron } from './families/nemotron.ts';
import { olmo2 } from './families/olmo2.ts';
import { olmoe } from './families/olmoe.ts';
import { openelm } from './families/openelm.ts';
import { phi2 } from './families/phi2.ts';
import { phi3 } from './families/phi3.ts';
import { qwen2moe, qwen3moe } from './families/qwen-moe.ts';
import { qwen } from './families/qwen.ts';
import { qwen2 } from './families/qwen2.ts';
import { qwen3 } from './families/qwen3.ts';
import { qwen2vl, qwen3vl } from './families/qwenvl.ts';
import { smollm3 } from './families/smollm3.ts';
import { stablelm } from './families/stablelm.ts';
import { starcoder, starcoder2 } from './families/starcoder.ts';
import type { Family } from './types.ts';

export const families: readonly Family[] = [
  llama, deci, qwen2, qwen3, gpt2, smollm3, olmo2, gemma, gemma2, gemma3, granite, stablelm, nemotron, arcee,
  internlm2, exaone, exaone4, ernie4_5, qwen, chatglm, glm4, openelm, phi2, phi3, starcoder, starcoder2, gptneox, minicpm, hunyuan, cohere2,
  mistral3, qwen2vl, qwen3vl, lfm2, olmoe, qwen2moe, qwen3moe,
];

/** Architectures of which mixtures of experts are run. */
export const mixtures: readonly string[] = families.filter(({ mixture }) => mixture).flatMap(({ architectures }) => architectures);

/** All that is known, as files name it. */
export const architectures = (): string[] => families.flatMap((family) => family.architectures);

/** Families of the same line of models: named alike up to the first digit or sign (granite for granitehybrid, gemma3 for gemma3n). */
function kin(architecture: string): string[] {
  const word = (name: string): string => /^[a-z]*/i.exec(name)![0].toLowerCase(), asked = word(architecture);
  return architectures().filter((known) => asked.startsWith(word(known)));
}

/** @throws ModelError `E_FAMILY` that lists the known ones, and those of the same line of models. */
export function familyOf(architecture: string): Family {
  const family = families.find((row) => row.architectures.includes(architecture));
  if (family) return family;
  const near = kin(architecture), line = near.length > 0 ? `; of this line: ${near.join(', ')}` : '';
  throw new ModelError('E_FAMILY', {
    subject: 'general.architecture', found: JSON.stringify(architecture),
    expected: `one of ${architectures().join(', ')} (llama also covers Mistral, Mixtral and SmolLM)`,
    remedy: `Take a model of a family that runs${line}. clada models lists small ones by name.`,
  });
}
