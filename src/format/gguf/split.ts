/** Names of split models: `NAME-00001-of-00003.gguf` (llama.cpp, gguf-split). */
import { limits } from './limits.ts';

/** All names of the split model that `name` is a part of, in order; undefined if it is not one. */
export function splitNames(name: string): string[] | undefined {
  const match = /^(.*)-(\d{5})-of-(\d{5})\.gguf$/.exec(name);
  if (!match) return undefined;
  const count = Number(match[3]);
  if (count < 1 || count > limits.parts) return undefined;
  const digits = (n: number): string => String(n).padStart(5, '0');
  return Array.from({ length: count }, (_, i) => `${match[1]}-${digits(i + 1)}-of-${digits(count)}.gguf`);
}
