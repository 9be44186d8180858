/**
 * What the prompt's tokens made of every neuron: sums of h^2, (h / |h|)^2 (GRIFFIN, arXiv 2404.01365) and u^2 over the tokens counted,
 * where h = act(gate) * up and u = up (no gate: h alone), [ffn] f32 each, padded to 4 with anything; sums are [ffn padded to 4].
 * Test: test/adapt/statistics.test.ts.
 */
import { AdaptLayer, AdaptRecord } from '../abi/records';
import { hsum } from '../base/simd';

function squaredNorm(h: usize, ffn: i32): f32 {
  let a = f32x4.splat(0), b = a;
  const end8 = h + (<usize>(ffn & ~7) << 2), end = h + (<usize>ffn << 2);
  for (; h < end8; h += 32) {
    const v = v128.load(h), w = v128.load(h, 16);
    a = f32x4.add(a, f32x4.mul(v, v));
    b = f32x4.add(b, f32x4.mul(w, w));
  }
  let sum = hsum(f32x4.add(a, b));
  for (; h < end; h += 4) sum += load<f32>(h) * load<f32>(h);
  return sum;
}

@inline function addSquares(sums: usize, x: usize, ffn: i32, factor: f32): void {
  const f = f32x4.splat(factor);
  for (const end = sums + (<usize>ffn << 2); sums < end; sums += 16, x += 16) {
    const v = v128.load(x);
    v128.store(sums, f32x4.add(v128.load(sums), f32x4.mul(f32x4.mul(v, v), f)));
  }
}

/** Whether a token at `position` that runs dense joins the statistics of its sequence. */
@inline export function counts(adapt: AdaptRecord, position: i32): bool {
  return adapt.collect != 0 && position >= adapt.skipTokens;
}

/** Adds one token to the sums. */
export function gather(layer: AdaptLayer, h: usize, up: usize, ffn: i32): void {
  const norm = squaredNorm(h, ffn);
  addSquares(layer.sumHPtr, h, ffn, 1);
  addSquares(layer.sumNormedPtr, h, ffn, norm > 1e-30 ? <f32>1 / norm : 0);
  addSquares(layer.sumUpPtr, up, ffn, 1);
}

export function clear(layer: AdaptLayer, ffn: i32): void {
  const bytes = <usize>((ffn + 3) & ~3) << 2;
  memory.fill(layer.sumHPtr, 0, bytes);
  memory.fill(layer.sumNormedPtr, 0, bytes);
  memory.fill(layer.sumUpPtr, 0, bytes);
}
