/**
 * The language models of Qwen 2 VL, 2.5 VL and 3 VL (arXiv 2409.12191, 2502.13923), for text: its positions are the same in all sections
 * of a head, so that they turn as those of Qwen 2 and 3 do. Nothing is added behind the first layers, as is done for images.
 * llama.cpp does not turn pairs 61 and 62 of the 64 of Qwen 3 VL, which hardly move; transformers does, and so does this.
 */
import type { Family } from '../types.ts';
import { qwen2 } from './qwen2.ts';
import { qwen3 } from './qwen3.ts';

export const qwen2vl: Family = { ...qwen2, architectures: ['qwen2vl'], keys: { 'rope.dimension_sections': 'idle' } };
export const qwen3vl: Family = {
  ...qwen3, architectures: ['qwen3vl'], keys: { 'rope.dimension_sections': 'idle', 'n_deepstack_layers': 'idle' },
};
