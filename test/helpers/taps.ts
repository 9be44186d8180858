/** Looking into a session's memory: what the last pass left behind, and lists and scores of the selection. */
import { isGated } from '../../src/model/hparams.ts';
import { RecordView, sessionFields } from '../../src/model/records.ts';
import type { Session } from '../../src/session/session.ts';

/** The arena of a session's engine: how far it is taken, and views. */
export const arenaOf = (session: Session): Session['adapt']['arena'] => session.adapt['arena'];

/** h and u of the last layer for the `nTokens` tokens of the last pass, [nTokens][ffn] each, copied. */
export async function lastLayer(session: Session, nTokens: number): Promise<{ h: Float32Array[]; up: Float32Array[] }> {
  return session.exclusive((engine, ptr) => {
    const { memory } = arenaOf(session), { hparams } = engine.plan, { ffn } = hparams, view = new RecordView(memory, ptr, sessionFields);
    const gated = isGated(hparams), stride = 32 * Math.ceil(ffn / 32);
    const rows = (field: 'gatePtr' | 'upPtr'): Float32Array[] => Array.from({ length: nTokens }, (_, t) => new Float32Array(memory.buffer, view.get(field) + 4 * t * stride, ffn).slice());
    return { h: rows(gated ? 'gatePtr' : 'upPtr'), up: rows('upPtr') };
  });
}

/** The neurons of layer `i`'s mask. */
export function maskOf(session: Session, i: number): number[] {
  const layer = session.adapt.layer(i);
  return [...new Uint16Array(arenaOf(session).memory.buffer, layer.get('maskPtr'), layer.get('nMask'))];
}

/** Its scores, or weights of the gate, [ffn]. */
export const scoresOf = (session: Session, i: number, ffn: number): Float32Array => arenaOf(session).f32(session.adapt.layer(i).get('scoresPtr'), ffn).slice();
