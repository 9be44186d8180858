/**
 * The feed-forward nonlinearity, in place. Gated: h = act(gate) * up; without a gate: h = act(up). [cols] f32, cols any (buffers
 * are padded to a multiple of 4, the padding is computed too). silu(x) = x / (1 + e^-x); gelu is the tanh form that GPT-2 was trained with,
 * written as x / (1 + e^(-2z)), z = sqrt(2/pi) (x + 0.044715 x^3): the same function without a tanh; relu(x) = max(x, 0), relu2 its square.
 * Relative error below 4e-7. Test: test/kernels/activation.test.ts.
 */
import { Activation } from '../../abi/enums';
import { exp4, one4 } from '../../base/exp';

@inline function sigmoidTimes(x: v128, z: v128): v128 {
  return f32x4.div(x, f32x4.add(one4(), exp4(f32x4.neg(z))));
}

@inline export function apply(kind: i32, x: v128): v128 {
  if (kind == Activation.silu) return sigmoidTimes(x, x);
  if (kind == Activation.gelu) {
    const cubic = f32x4.add(f32x4.splat(1), f32x4.mul(f32x4.splat(0.044715), f32x4.mul(x, x)));
    return sigmoidTimes(x, f32x4.mul(f32x4.mul(f32x4.splat(1.5957691216057308), x), cubic));
  }
  const positive = f32x4.max(x, f32x4.splat(0));
  return kind == Activation.relu2 ? f32x4.mul(positive, positive) : positive;
}

@inline function gatedOf(kind: i32, gate: usize, up: usize, cols: i32): void {
  for (const end = gate + (<usize>cols << 2); gate < end; gate += 16, up += 16) {
    v128.store(gate, f32x4.mul(apply(kind, v128.load(gate)), v128.load(up)));
  }
}

@inline function plainOf(kind: i32, up: usize, cols: i32): void {
  for (const end = up + (<usize>cols << 2); up < end; up += 16) v128.store(up, apply(kind, v128.load(up)));
}

/** gate = act(gate) * up. */
export function activateGated(kind: i32, gate: usize, up: usize, cols: i32): void {
  if (kind == Activation.silu) gatedOf(Activation.silu, gate, up, cols);
  else if (kind == Activation.gelu) gatedOf(Activation.gelu, gate, up, cols);
  else if (kind == Activation.relu) gatedOf(Activation.relu, gate, up, cols);
  else gatedOf(Activation.relu2, gate, up, cols);
}

/** up = act(up). */
export function activate(kind: i32, up: usize, cols: i32): void {
  if (kind == Activation.silu) plainOf(Activation.silu, up, cols);
  else if (kind == Activation.gelu) plainOf(Activation.gelu, up, cols);
  else if (kind == Activation.relu) plainOf(Activation.relu, up, cols);
  else plainOf(Activation.relu2, up, cols);
}

/** y += x over [cols] (padded to 4). */
export function add(y: usize, x: usize, cols: i32): void {
  for (const end = y + (<usize>cols << 2); y < end; y += 16, x += 16) v128.store(y, f32x4.add(v128.load(y), v128.load(x)));
}

/** y *= x over [cols] (padded to 4). */
export function multiply(y: usize, x: usize, cols: i32): void {
  for (const end = y + (<usize>cols << 2); y < end; y += 16, x += 16) v128.store(y, f32x4.mul(v128.load(y), v128.load(x)));
}

/**
 * y -= x over [cols] (padded to 4), where y is not zero: of values that a threshold >= 0 kept (kernels/neurons/keep.ts) those that it kept.
 */
export function subtractKept(y: usize, x: usize, cols: i32): void {
  const zero = f32x4.splat(0);
  for (const end = y + (<usize>cols << 2); y < end; y += 16, x += 16) {
    const v = v128.load(y);
    v128.store(y, f32x4.sub(v, v128.and(v128.load(x), f32x4.ne(v, zero))));
  }
}

/** y *= factor over [cols] (padded to 4). */
export function scale(y: usize, factor: f32, cols: i32): void {
  const f = f32x4.splat(factor);
  for (const end = y + (<usize>cols << 2); y < end; y += 16) v128.store(y, f32x4.mul(v128.load(y), f));
}

/**
 * y = cap * tanh(y / cap) over [cols] (padded to 4): a soft cap. tanh(z) as 1 - 2 / (1 + e^2z), error below 1e-7 * cap; NaN stays NaN.
 */
export function softCap(y: usize, cap: f32, cols: i32): void {
  const twice = f32x4.splat(2 / cap), c = f32x4.splat(cap), minusTwo = f32x4.splat(-2 * cap);
  for (const end = y + (<usize>cols << 2); y < end; y += 16) {
    v128.store(y, f32x4.add(c, f32x4.div(minusTwo, f32x4.add(one4(), exp4(f32x4.mul(v128.load(y), twice))))));
  }
}
