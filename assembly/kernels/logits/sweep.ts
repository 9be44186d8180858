/**
 * One pass over a row of logits [vocab] f32: its maximum and the lowest index that has it, log-sum-exp, and the entropy of softmax in nats:
 *   lse = m + log S,   S = sum e^(l - m),   H = log S - (sum e^(l - m) (l - m)) / S
 * S and its moment are summed in f32 over stretches of 1,024 and in f64 across them: relative error below 1e-6 at 256,000 entries.
 * Of a logit l that is only nearly known, with deviation s (0: exactly), e^(l + s^2/2) and l + s^2 are taken, the means of what it may be.
 * The variance of the sum is that of all such terms t = e^(l + s^2/2), to first order t^2 s^2, and, as errors of likely rows have a part
 * in common that those of rows drawn evenly do not show, (sum of t s)^2.
 * A NaN among the logits makes logSumExp NaN, which the host reports. Test: test/kernels/sweep.test.ts.
 */
import { exp4 } from '../../base/exp';
import { log64 } from '../../base/trig';
import { StepReport } from '../../abi/records';
import { hsum } from '../../base/simd';
import { indexOf, maximum } from './candidates';

/** e^x of 4, 0 below e^-87, where the true value (under 2e-38) no longer counts; "not less" keeps a NaN alive. */
@inline function power(x: v128): v128 { return v128.andnot(exp4(x), f32x4.lt(x, f32x4.splat(-87))); }

/** Fills maxLogit, topToken, logSumExp, entropy and tailError of the report. `deviations` [vocab] f32, 0 = all logits are exact. */
export function sweepLogits(logits: usize, vocab: i32, report: StepReport, deviations: usize): void {
  const m = maximum(logits, vocab), offset = f32x4.splat(m), half = f32x4.splat(0.5), least = f32x4.splat(-87);
  let sum: f64 = 0, moment: f64 = 0, variance: f64 = 0, common: f64 = 0;
  let p = logits, d = deviations;
  const end4 = logits + (<usize>(vocab & ~3) << 2), end = logits + (<usize>vocab << 2);
  while (p < end4) {
    let s = f32x4.splat(0), t = s, u = s, v = s;
    const stop = min(p + 4096, end4);
    if (deviations) {
      for (; p < stop; p += 16, d += 16) {
        const dev = v128.load(d), square = f32x4.mul(dev, dev), x = f32x4.sub(v128.load(p), offset);
        const e = power(f32x4.add(x, f32x4.mul(square, half))), spread = f32x4.mul(e, dev);
        s = f32x4.add(s, e);
        t = f32x4.add(t, f32x4.mul(e, f32x4.max(f32x4.add(x, square), least)));
        u = f32x4.add(u, f32x4.mul(spread, spread));
        v = f32x4.add(v, spread);
      }
    } else {
      for (; p < stop; p += 16) {
        const x = f32x4.sub(v128.load(p), offset), e = power(x);
        s = f32x4.add(s, e);
        t = f32x4.add(t, f32x4.mul(e, f32x4.max(x, least)));
      }
    }
    sum += <f64>hsum(s);
    moment += <f64>hsum(t);
    variance += <f64>hsum(u);
    common += <f64>hsum(v);
  }
  for (; p < end; p += 4, d += 4) {
    const dev: f32 = deviations ? load<f32>(d) : 0, x = load<f32>(p) - m, y = x + dev * dev / 2;
    const e = f32x4.extract_lane(exp4(f32x4.splat(y)), 0);
    if (y < -87) continue;
    sum += <f64>e; moment += <f64>(e * (x + dev * dev));
    variance += <f64>(e * dev * (e * dev)); common += <f64>(e * dev);
  }
  const logSum = log64(sum);
  report.maxLogit = m;
  report.topToken = indexOf(logits, vocab, m);
  report.logSumExp = <f32>(<f64>m + logSum);
  report.entropy = <f32>(logSum - moment / sum);
  report.tailError = <f32>(sqrt(variance + common * common) / sum);
}

/** The same by address, for tests. */
export function sweepLogitsAt(logits: usize, vocab: i32, report: usize, deviations: usize): void {
  sweepLogits(logits, vocab, changetype<StepReport>(report), deviations);
}
