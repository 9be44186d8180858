/** Names of split models: `NAME-00001-of-00003.gguf` (llama.cpp, gguf-split). */
import { limits } from './limits.ts';

/** Name of part `index` (from 0) of `count`. */
export function splitName(stem: string, index: number, count: number): string {
  const digits = (n: number): string => String(n).padStart(5, '0');
  return `${stem}-${digits(index + 1)}-of-${digits(count)}.gguf`;
}

/** All names of the split model that `name` is a part of, in order; undefined if it is not one. */
export function splitNames(name: string): string[] | undefined {
  const match = /^(.*)-(\d{5})-of-(\d{5})\.gguf$/.exec(name);
  if (!match) return undefined;
  const count = Number(match[3]);
  if (count < 1 || count > limits.parts) return undefined;
  return Array.from({ length: count }, (_, i) => splitName(match[1]!, i, count));
}
