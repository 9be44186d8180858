/**
 * rmsNorm:   y = x / sqrt(mean(x^2) + eps) * weight
 * layerNorm: y = (x - mean) / sqrt(var + eps) * weight + bias
 * over one vector [cols] f32; cols any, y may be x. Sums in f32 with four chains (f64 would cost time and change no token);
 * relative error about cols / 16 * 6e-8. Test: test/kernels/norm.test.ts.
 */
import { hsum, madd } from '../../base/simd';

@inline function sumSquares(x: usize, cols: i32, mean: f32): f32 {
  const m = f32x4.splat(mean);
  let a = f32x4.splat(0), b = a, c = a, d = a;
  const end16 = x + (<usize>(cols & ~15) << 2), end = x + (<usize>cols << 2);
  for (; x < end16; x += 64) {
    let v = f32x4.sub(v128.load(x), m); a = madd(v, v, a);
    v = f32x4.sub(v128.load(x, 16), m); b = madd(v, v, b);
    v = f32x4.sub(v128.load(x, 32), m); c = madd(v, v, c);
    v = f32x4.sub(v128.load(x, 48), m); d = madd(v, v, d);
  }
  let sum = hsum(f32x4.add(f32x4.add(a, b), f32x4.add(c, d)));
  for (; x < end; x += 4) { const v = load<f32>(x) - mean; sum += v * v; }
  return sum;
}

@inline function total(x: usize, cols: i32): f32 {
  let a = f32x4.splat(0), b = a;
  const end8 = x + (<usize>(cols & ~7) << 2), end = x + (<usize>cols << 2);
  for (; x < end8; x += 32) { a = f32x4.add(a, v128.load(x)); b = f32x4.add(b, v128.load(x, 16)); }
  let sum = hsum(f32x4.add(a, b));
  for (; x < end; x += 4) sum += load<f32>(x);
  return sum;
}

/** Sum of squares of x [cols]: finite where a norm of x is, infinite or NaN where a value is not finite or beyond 2^64. */
export function energy(x: usize, cols: i32): f32 { return sumSquares(x, cols, 0); }

export function rmsNorm(x: usize, weight: usize, cols: i32, eps: f32, y: usize): void {
  const scale = <f32>1 / sqrt<f32>(sumSquares(x, cols, 0) / <f32>cols + eps);
  const s = f32x4.splat(scale);
  const end4 = x + (<usize>(cols & ~3) << 2), end = x + (<usize>cols << 2);
  for (; x < end4; x += 16, weight += 16, y += 16) v128.store(y, f32x4.mul(f32x4.mul(v128.load(x), s), v128.load(weight)));
  for (; x < end; x += 4, weight += 4, y += 4) store<f32>(y, load<f32>(x) * scale * load<f32>(weight));
}

/** `bias` may be 0: none. */
export function layerNorm(x: usize, weight: usize, bias: usize, cols: i32, eps: f32, y: usize): void {
  const mean = total(x, cols) / <f32>cols;
  const scale = <f32>1 / sqrt<f32>(sumSquares(x, cols, mean) / <f32>cols + eps);
  const m = f32x4.splat(mean), s = f32x4.splat(scale);
  const end4 = x + (<usize>(cols & ~3) << 2), end = x + (<usize>cols << 2);
  for (; x < end4; x += 16, weight += 16, y += 16) {
    let v = f32x4.mul(f32x4.mul(f32x4.sub(v128.load(x), m), s), v128.load(weight));
    if (bias) { v = f32x4.add(v, v128.load(bias)); bias += 16; }
    v128.store(y, v);
  }
  for (; x < end; x += 4, weight += 4, y += 4) {
    let v = (load<f32>(x) - mean) * scale * load<f32>(weight);
    if (bias) { v += load<f32>(bias); bias += 4; }
    store<f32>(y, v);
  }
}
