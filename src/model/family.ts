/**
 * A model family is a row of a table: what layer i is made of, what its tensors are called, how it rotates. The forward pass knows no
 * names (assembly/forward/block.ts); a new family is a new row, checked against reference logits.
 */
import { ModelError } from '../errors.ts';
import { gpt2 } from './families/gpt2.ts';
import { llama } from './families/llama.ts';
import { olmo2 } from './families/olmo2.ts';
import { qwen2 } from './families/qwen2.ts';
import { qwen3 } from './families/qwen3.ts';
import { smollm3 } from './families/smollm3.ts';
import type { Norm } from './enums.ts';
import type { FileHparams, LayerHparams } from './hparams.ts';

/** A size by name, so that a shape can be written before a model is known; of a layer where it differs. `qWidth` = heads x headDim, `kvWidth` = kvHeads x headDim. */
export type SizeName = 'hidden' | 'ffn' | 'vocab' | 'qWidth' | 'kvWidth' | 'headDim' | 'context' | 'ropePairs' | 'one';

/** One tensor that a record points at. */
export interface TensorRole {
  /** Field of the record without its suffix: `q` fills `qPtr` (and `qLayout` for a matrix). */
  readonly field: string;
  /** GGUF name; `{}` stands for the layer's number. */
  readonly name: string;
  /** `matrix`: [rows, cols] in an interleaved layout. `vector`: plain f32. */
  readonly kind: 'matrix' | 'vector';
  /** Vectors have the shape [one, cols], the position table [context, hidden]. */
  readonly rows: SizeName;
  readonly cols: SizeName;
  /** Absent in some files of this family. */
  readonly optional?: true;
  /** Of a fused tensor: the rows (for a vector: the elements) before this part, as sizes to add up. */
  readonly after?: readonly SizeName[];
}

export interface Family {
  /** `general.architecture` values that this row serves. */
  readonly architectures: readonly string[];
  readonly norm: keyof typeof Norm;
  /** Metadata key (behind the architecture) of the norm's epsilon. */
  readonly epsKey: string;
  readonly model: readonly TensorRole[];
  /** What layer `i` is made of. */
  layer(said: FileHparams, i: number): LayerHparams;
}

const families: readonly Family[] = [llama, qwen2, qwen3, gpt2, smollm3, olmo2];

/** @throws ModelError `E_FAMILY` that lists the known ones. */
export function familyOf(architecture: string): Family {
  const family = families.find(({ architectures }) => architectures.includes(architecture));
  if (family) return family;
  const known = families.flatMap(({ architectures }) => architectures);
  throw new ModelError('E_FAMILY', {
    subject: 'general.architecture', found: JSON.stringify(architecture), expected: `one of ${known.join(', ')} (llama also covers Mistral and SmolLM)`,
    remedy: 'Use a model of a known family; a new one is a row in src/model/families.',
  });
}
