/**
 * Matrices that a file may keep apart or as one: q, k and v, which some converters write behind each other (llama.cpp's `--fuse-qkv` does
 * for any family). A family names them apart; here they are found where the file has them.
 */
import type { SizeName, TensorRole } from './types.ts';

const apart = /\.attn_[qkv]\.(weight|bias)$/;
const rowsBefore: Readonly<Record<string, readonly SizeName[]>> = { q: [], k: ['qWidth'], v: ['qWidth', 'kvWidth'] };

/** Roles of a layer as the file has their tensors: `has` says which there are. Weights and biases are looked for on their own. */
export function asFiled(roles: readonly TensorRole[], layer: number, has: (name: string) => boolean): readonly TensorRole[] {
  return roles.map((role) => {
    if (!apart.test(role.name)) return role;
    const name = role.name.replace(/attn_[qkv]/, 'attn_qkv'), isThere = (one: string): boolean => has(one.replace('{}', String(layer)));
    return isThere(name) && !isThere(role.name) ? { ...role, name, after: rowsBefore[role.field[0]!]! } : role;
  });
}
