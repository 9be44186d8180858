/** A twin of a tiny llama whose activation is ReLU: the same tensors, one more key. */
import { twin } from './twin.ts';

/** Path of the twin, in a temporary folder. */
export const reluTwin = (name: string): Promise<string> => twin(name, { 'llama.hidden_act': { type: 'string', value: 'relu' } });
