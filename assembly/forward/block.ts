/** One transformer block over the residual stream x [nTokens, hidden] of a pass; returns how many rows go on. */
import { LayerRecord, ModelRecord, WorkspaceRecord } from '../abi/records';
import { convolutionPart } from './convolution';
import { DensePass } from './dense';
import { ffnPart } from './ffn';
import { mixturePart } from './mixture';
import { rowStride } from './norms';
import { attentionPart } from './parts';
import { sparseFfn } from './sparse';

export function block(model: ModelRecord, work: WorkspaceRecord, layer: LayerRecord, iLayer: i32, nTokens: i32): i32 {
  const pass = changetype<DensePass>(work), last = iLayer == model.nLayers - 1;
  if (layer.parallel) memory.copy(work.sidePtr, work.xPtr, <usize>nTokens * rowStride(model.hidden));
  nTokens = layer.convTaps
    ? convolutionPart<DensePass>(pass, model, layer, work.xPtr, nTokens, last)
    : attentionPart<DensePass>(pass, model, layer, work.xPtr, nTokens, last);
  if (nTokens == 0) return 0;
  if (layer.experts) mixturePart(pass, model, layer, iLayer, nTokens);
  else if (work.sparse) sparseFfn(pass, model, layer, iLayer);
  else ffnPart(pass, model, layer, iLayer, nTokens);
  return nTokens;
}
