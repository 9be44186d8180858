/**
 * What calibration asks of a dense decode step, layer by layer, before down is applied: at a grid of thresholds the CETT of what would be
 * dropped, by the token's own activations or by a mask (arXiv 2402.03804: |sum of dropped outputs| / |output of the layer|), and the
 * neurons whose gate is above; and the mean of h where the cascade at budget tau would drop it (weights of the prior: AdaptLayer.scores).
 * Never runs while users generate.
 */
import { AdaptLayer, AdaptRecord, LayerRecord, ModelRecord, ProbeRecord, WorkspaceRecord } from '../abi/records';
import { hsum } from '../base/simd';
import { selectAbove } from '../kernels/neurons/select';
import { formatOf, linear, prepareInput } from './linear';
import { rowStride } from './norms';

function norm(x: usize, cols: i32): f32 {
  let sum = f32x4.splat(0);
  for (const end = x + (<usize>(cols & ~3) << 2); x < end; x += 16) sum = f32x4.add(sum, f32x4.mul(v128.load(x), v128.load(x)));
  let rest: f32 = 0;
  for (let i = cols & 3; i > 0; i--, x += 4) rest += load<f32>(x) * load<f32>(x);
  return sqrt<f32>(hsum(sum) + rest);
}

function down(model: ModelRecord, work: WorkspaceRecord, layer: LayerRecord, h: usize): f32 {
  const ffn = layer.ffn, stride = rowStride(ffn);
  prepareInput(work, h, stride, ffn, 1, formatOf(layer.downLayout));
  linear(work, layer.downLayout, layer.downPtr, 0, model.hidden, ffn, h, stride, 1, work.outPtr, rowStride(model.hidden));
  return norm(work.outPtr, model.hidden);
}

/** |down (h where v * columnNorm <= threshold)|, v = |h|, or for a mask sqrt(E h^2). */
function dropped(
  model: ModelRecord, work: WorkspaceRecord, layer: LayerRecord, adapt: AdaptRecord, own: AdaptLayer, h: usize, mask: bool, threshold: f32,
): f32 {
  const out = <usize>work.hPtr, norms = <usize>layer.columnNormPtr;
  memory.fill(out, 0, rowStride(layer.ffn));
  for (let i: usize = 0, end = <usize>layer.ffn << 2; i < end; i += 4) {
    const v = load<f32>(h + i);
    const size = mask ? sqrt<f32>(load<f32>(<usize>layer.hSquarePtr + i)) : abs(v);
    if (!(size * load<f32>(norms + i) > threshold)) store<f32>(out + i, v);
  }
  return down(model, work, layer, out);
}

/** h and the activated gate of one token; `gate` is 0 where the family has none. Uses outPtr and hPtr. */
export function probe(
  model: ModelRecord, work: WorkspaceRecord, layer: LayerRecord, adapt: AdaptRecord, own: AdaptLayer, iLayer: i32, gate: usize, h: usize,
): void {
  const p = changetype<ProbeRecord>(<usize>adapt.probePtr), ffn = layer.ffn;
  const at = <usize>(iLayer * p.nPoints) << 2, whole = down(model, work, layer, h);
  for (let j: usize = 0, end = <usize>p.nPoints << 2; j < end; j += 4) {
    const cett = <usize>p.cettPtr + at + j;
    store<f32>(cett, load<f32>(cett)
      + dropped(model, work, layer, adapt, own, h, false, load<f32>(<usize>p.productAtPtr + at + j)) / max<f32>(whole, 1e-30));
    const masked = <usize>p.maskCettPtr + at + j;
    store<f32>(masked, load<f32>(masked)
      + dropped(model, work, layer, adapt, own, h, true, load<f32>(<usize>p.productAtPtr + at + j)) / max<f32>(whole, 1e-30));
    if (gate) {
      const count = <usize>p.gateCountPtr + at + j;
      store<f32>(count, load<f32>(count) + <f32>selectAbove(gate, 0, load<f32>(<usize>p.gateAtPtr + at + j), ffn, work.listPtr));
    }
  }
  if (!layer.sensitivityPtr || !gate) return;
  const before = <usize>(iLayer * model.ffn) << 2, sums = <usize>p.droppedSumPtr + before, counts = <usize>p.droppedCountPtr + before;
  for (let i: usize = 0, end = <usize>ffn << 2; i < end; i += 4) {
    const v = load<f32>(h + i);
    const kept = abs(load<f32>(gate + i)) * load<f32>(<usize>own.scoresPtr + i) > p.tau
      && abs(v) * load<f32>(<usize>layer.sensitivityPtr + i) > p.tau;
    if (kept) continue;
    store<f32>(sums + i, load<f32>(sums + i) + v);
    store<f32>(counts + i, load<f32>(counts + i) + 1);
  }
}
