/**
 * Gradient of a norm with respect to its input, added to dx; g = weight * dy, s = 1 / sqrt(mean((x - m)^2) + eps), c = cols:
 *   rms    (m = 0)        dx += s g - x s^3 sum(g x) / c
 *   layer  (m = mean x)   dx += s (g - mean(g) - z mean(g z)),   z = (x - m) s
 * One vector [cols] f32, sums in f64. Test: test/calibrate/gradient.test.ts.
 */
import { Norm } from '../abi/enums';

export function normBackward(kind: i32, x: usize, weight: usize, dy: usize, cols: i32, eps: f32, dx: usize): void {
  const bytes = <usize>cols << 2, count = <f64>cols;
  let mean: f64 = 0;
  if (kind == Norm.layer) {
    for (let i: usize = 0; i < bytes; i += 4) mean += <f64>load<f32>(x + i);
    mean /= count;
  }
  let squares: f64 = 0, sum: f64 = 0, moment: f64 = 0;
  for (let i: usize = 0; i < bytes; i += 4) {
    const v = <f64>load<f32>(x + i) - mean, g = <f64>load<f32>(weight + i) * <f64>load<f32>(dy + i);
    squares += v * v;
    sum += g;
    moment += g * v;
  }
  const scale = 1.0 / sqrt<f64>(squares / count + <f64>eps);
  const shift = kind == Norm.layer ? sum / count : 0, slope = moment / count * scale * scale;
  for (let i: usize = 0; i < bytes; i += 4) {
    const v = <f64>load<f32>(x + i) - mean, g = <f64>load<f32>(weight + i) * <f64>load<f32>(dy + i);
    store<f32>(dx + i, load<f32>(dx + i) + <f32>(scale * (g - shift - v * slope)));
  }
}
