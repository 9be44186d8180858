/** Sound GGUF files that are no model by themselves: each is told what it is and what it is for. */
import { ModelError } from '../errors.ts';
import type { GgufFile, GgufValue } from '../format/gguf/types.ts';
import { architectures } from './family.ts';

/** `general.architecture` of a calibration file. */
export const calibrationArchitecture = 'clada-calibration';

type Refusal = readonly [subject: string, found: string, remedy: string];

const text = (value: GgufValue | undefined): string => (typeof value === 'string' ? value : '');

function refusalOf({ metadata, tensors }: GgufFile): Refusal | undefined {
  const has = (key: string): boolean => metadata.has(key), architecture = text(metadata.get('general.architecture'));
  const type = text(metadata.get('general.type'));
  if (type === 'adapter' || has('adapter.type')) {
    const kind = text(metadata.get('adapter.type')) || 'lora', base = text(metadata.get('general.base_model.0.name'));
    const what = `${kind === 'lora' ? 'LoRA' : kind}${base === '' ? '' : ` for ${base}`}`;
    return [
      'general.type', `an adapter (${what}), which changes a model and is none`,
      'Merge it into its model (llama.cpp: llama-export-lora -m MODEL --lora ADAPTER -o MERGED) and load what comes out.',
    ];
  }
  if (type === 'imatrix' || has('imatrix.chunk_count') || has('imatrix.datasets')) {
    return [
      'general.type', 'an importance matrix (imatrix), which helps to quantise a model and is none',
      'Load the model that it was measured on.',
    ];
  }
  if (type === 'mmproj' || architecture === 'clip') {
    return [
      'general.architecture', 'a projector of images or sound (mmproj), the second file of a multimodal model',
      'Load the language model that it belongs to: the other .gguf file beside it. Images are not read here.',
    ];
  }
  if (architecture === 'controlvector') {
    return [
      'general.architecture', 'a control vector, which steers a model and is none',
      'Load the model itself; control vectors are not applied here.',
    ];
  }
  if (architecture === calibrationArchitecture) {
    return [
      'general.architecture', 'a calibration of clada',
      'Load the model that it lies beside (NAME.gguf of NAME.clada.gguf); the calibration is found by itself.',
    ];
  }
  const pooling = metadata.get(`${architecture}.pooling_type`);
  if (pooling === 4 || (typeof pooling === 'number' && pooling > 0 && pooling < 4 && !architectures().includes(architecture))) {
    return [
      `${architecture}.pooling_type`, `${pooling}: a model that gives ${pooling === 4 ? 'ranks' : 'embeddings'} of texts and writes none`,
      'Load a model that writes text; those give embeddings, too (model.embed).',
    ];
  }
  if (tensors.size === 0 && has('tokenizer.ggml.model')) {
    return [
      'tensors', 'none: a vocabulary without weights', 'Load the whole model; a vocabulary-only file serves to test tokenizers.',
    ];
  }
  return undefined;
}

/** @throws ModelError `E_KIND` (adapter, vocabulary, projector, importance matrix, …) */
export function checkKind(file: GgufFile): void {
  const refusal = refusalOf(file);
  if (!refusal) return;
  const [subject, found, remedy] = refusal;
  throw new ModelError('E_KIND', { subject: `${file.parts[0]!.name}, ${subject}`, found, expected: 'a language model', remedy });
}
