/**
 * The feed-forward nonlinearity backwards, and the statistics of its neurons. a is the gate's product before the nonlinearity, u the up
 * product, h = act(a) u; without a gate h = act(u), which counts as a gate of h with u = 1.
 *   du = dh act(a),  da = dh u act'(a)
 *   silu' = s (1 + a (1 - s)), s = sigmoid(a);  relu' = a > 0;  relu2' = 2 max(a, 0)
 *   gelu' = s + a s (1 - s) z', s = sigmoid(z), z = 1.5957691 (a + 0.044715 a^3)
 * [cols] f32, rows padded to 4 values. Test: test/calibrate/gradient.test.ts.
 */
import { Activation } from '../abi/enums';
import { exp4 } from '../base/exp';
import { hsum, madd } from '../base/simd';
import { apply } from '../kernels/activation/activation';

@inline function sigmoid(z: v128): v128 {
  return f32x4.div(f32x4.splat(1), f32x4.add(f32x4.splat(1), exp4(f32x4.neg(z))));
}

@inline function slope(kind: i32, a: v128): v128 {
  const one = f32x4.splat(1);
  if (kind == Activation.silu) {
    const s = sigmoid(a);
    return f32x4.mul(s, f32x4.add(one, f32x4.mul(a, f32x4.sub(one, s))));
  }
  if (kind == Activation.gelu) {
    const square = f32x4.mul(a, a), factor = f32x4.splat(1.5957691216057308);
    const s = sigmoid(f32x4.mul(f32x4.mul(factor, a), f32x4.add(one, f32x4.mul(f32x4.splat(0.044715), square))));
    const dz = f32x4.mul(factor, f32x4.add(one, f32x4.mul(f32x4.splat(3 * 0.044715), square)));
    return f32x4.add(s, f32x4.mul(f32x4.mul(a, dz), f32x4.mul(s, f32x4.sub(one, s))));
  }
  if (kind == Activation.relu2) return f32x4.mul(f32x4.splat(2), f32x4.max(a, f32x4.splat(0)));
  return v128.and(f32x4.gt(a, f32x4.splat(0)), one);
}

@inline function backwardOf(kind: i32, gated: bool, gate: usize, up: usize, dh: usize, cols: i32): void {
  for (const end = up + (<usize>cols << 2); up < end; gate += 16, up += 16, dh += 16) {
    const d = v128.load(dh), u = v128.load(up);
    if (gated) {
      const a = v128.load(gate);
      v128.store(gate, f32x4.mul(f32x4.mul(d, u), slope(kind, a)));
      v128.store(up, f32x4.mul(d, apply(kind, a)));
    } else {
      v128.store(up, f32x4.mul(d, slope(kind, u)));
    }
  }
}

/** gate, up → their gradients, in place. `gate` 0: none. */
export function activationBackward(kind: i32, gate: usize, up: usize, dh: usize, cols: i32): void {
  const gated = gate != 0;
  if (kind == Activation.silu) backwardOf(Activation.silu, gated, gate, up, dh, cols);
  else if (kind == Activation.gelu) backwardOf(Activation.gelu, gated, gate, up, dh, cols);
  else if (kind == Activation.relu) backwardOf(Activation.relu, gated, gate, up, dh, cols);
  else backwardOf(Activation.relu2, gated, gate, up, dh, cols);
}

@inline function addTo(p: usize, v: v128): void { v128.store(p, f32x4.add(v128.load(p), v)); }

@inline function observeOf(
  kind: i32, gated: bool, gate: usize, up: usize, h: usize, cols: i32, hSum: usize, hSq: usize, hNormedSq: usize, upSq: usize,
  gateSq: usize,
): void {
  const bytes = <usize>cols << 2;
  let acc = f32x4.splat(0);
  for (let i: usize = 0; i < bytes; i += 16) { const v = v128.load(h + i); acc = madd(v, v, acc); }
  const squares = hsum(acc), perNorm = f32x4.splat(squares > 0 ? <f32>1 / squares : 0);
  for (let i: usize = 0; i < bytes; i += 16) {
    const v = v128.load(h + i), square = f32x4.mul(v, v);
    addTo(hSum + i, v);
    addTo(hSq + i, square);
    addTo(hNormedSq + i, f32x4.mul(square, perNorm));
    const u = gated ? v128.load(up + i) : f32x4.splat(1), g = gated ? apply(kind, v128.load(gate + i)) : v;
    addTo(upSq + i, f32x4.mul(u, u));
    addTo(gateSq + i, f32x4.mul(g, g));
  }
}

/** One token's h, h^2, (h / norm(h))^2, u^2 and act(a)^2 join their sums. cols a multiple of 4 (rounded up: the padding is 0). */
export function observe(
  kind: i32, gate: usize, up: usize, h: usize, cols: i32, hSum: usize, hSq: usize, hNormedSq: usize, upSq: usize, gateSq: usize,
): void {
  const gated = gate != 0;
  if (kind == Activation.silu) observeOf(Activation.silu, gated, gate, up, h, cols, hSum, hSq, hNormedSq, upSq, gateSq);
  else if (kind == Activation.gelu) observeOf(Activation.gelu, gated, gate, up, h, cols, hSum, hSq, hNormedSq, upSq, gateSq);
  else if (kind == Activation.relu) observeOf(Activation.relu, gated, gate, up, h, cols, hSum, hSq, hNormedSq, upSq, gateSq);
  else observeOf(Activation.relu2, gated, gate, up, h, cols, hSum, hSq, hNormedSq, upSq, gateSq);
}

/** sums += x^2 over [cols], cols padded to 4. */
export function addSquares(x: usize, cols: i32, sums: usize): void {
  for (const end = x + (<usize>cols << 2); x < end; x += 16, sums += 16) { const v = v128.load(x); addTo(sums, f32x4.mul(v, v)); }
}

/** Sum of squares of x [cols], in f64. */
export function sumOfSquares(x: usize, cols: i32): f64 {
  let sum: f64 = 0;
  for (const end = x + (<usize>cols << 2); x < end; x += 4) { const v = <f64>load<f32>(x); sum += v * v; }
  return sum;
}
