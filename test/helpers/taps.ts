/** Looking into an engine's memory: what the last pass left behind, and lists and scores of the selection. */
import { RecordView, workspaceFields } from '../../src/model/records.ts';
import type { Sequence } from '../../src/session/sequence.ts';

/** The arena of an engine: how far it is taken, and views. */
export const arenaOf = ({ engine }: Pick<Sequence, 'engine'>): Sequence['engine']['arena'] => engine.arena;

/** h and u of the last layer for the `nTokens` tokens of the last pass, [nTokens][ffn] each, copied. */
export async function lastLayer(sequence: Sequence, nTokens: number): Promise<{ h: Float32Array[]; up: Float32Array[] }> {
  return sequence.exclusive((engine) => {
    const { memory } = arenaOf(sequence), { ffn } = engine.plan.hparams, view = new RecordView(memory, engine.workspace, workspaceFields);
    const gated = engine.plan.family.layer.some(({ field }) => field === 'gate'), stride = 32 * Math.ceil(ffn / 32);
    const rows = (field: 'gatePtr' | 'upPtr'): Float32Array[] => Array.from({ length: nTokens }, (_, t) => new Float32Array(memory.buffer, view.get(field) + 4 * t * stride, ffn).slice());
    return { h: rows(gated ? 'gatePtr' : 'upPtr'), up: rows('upPtr') };
  });
}

/** The neurons of layer `i`'s mask. */
export function maskOf(sequence: Sequence, i: number): number[] {
  const layer = sequence.adapt.layer(i);
  return [...new Uint16Array(arenaOf(sequence).memory.buffer, layer.get('maskPtr'), layer.get('nMask'))];
}

/** Its scores, or weights of the gate, [ffn]. */
export const scoresOf = (sequence: Sequence, i: number, ffn: number): Float32Array => arenaOf(sequence).f32(sequence.adapt.layer(i).get('scoresPtr'), ffn).slice();
