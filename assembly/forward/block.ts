/** One transformer block over the residual stream x [nTokens, hidden] of a pass. */
import { LayerRecord, ModelRecord, SessionRecord } from '../abi/records';
import { adaptOf } from '../adapt/state';
import { DensePass } from './dense';
import { ffnPart } from './ffn';
import { attentionPart } from './parts';
import { sparseFfn } from './sparse';

export function block(model: ModelRecord, session: SessionRecord, layer: LayerRecord, iLayer: i32, nTokens: i32): void {
  const pass = changetype<DensePass>(session);
  attentionPart<DensePass>(pass, model, layer, session.xPtr, nTokens);
  if (adaptOf(session).active) sparseFfn(model, session, layer, iLayer);
  else ffnPart(pass, model, layer, iLayer, nTokens);
}
