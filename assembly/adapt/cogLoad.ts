/**
 * The load of a token (after arXiv 2502.19078: surprisal of the token that comes in, entropy of the distribution it was drawn from),
 * standardised by the mean and deviation of the tokens before it in the same sequence, and the factor by which it moves the thresholds of
 * this step:
 *   raw = surprisalWeight * S + entropyWeight * H [+ a value of the token itself];  z = clamp((raw - mean) / deviation)
 *   factor = exp(-gain * z)   or   1 - gain * z:  a hard token lowers thresholds and so keeps more neurons.
 * State is f32, arithmetic f64 from the four operations and sqrt, so `src/adapt/replay.ts` repeats every decision bit for bit.
 */
import { CogLoadMode } from '../abi/enums';
import { AdaptRecord } from '../abi/records';

/** e^x for |x| <= 700: as src/sampler/exp.ts computes it, operation by operation. */
function exp64(x: f64): f64 {
  const k = floor<f64>(x * 1.4426950408889634 + 0.5);
  const r = (x - k * 6.93147180369123816490e-1) - k * 1.90821492927058770002e-10;
  const tail = <f64>1 / 6 + r * (<f64>1 / 24 + r * (<f64>1 / 120 + r * (<f64>1 / 720 + r * (<f64>1 / 5040 + r * (<f64>1 / 40320
    + r * (<f64>1 / 362880 + r * (<f64>1 / 3628800 + r * (<f64>1 / 39916800 + r * (<f64>1 / 479001600 + r * (<f64>1 / 6227020800))))))))));
  const y = <f64>1 + (r + r * r * (0.5 + r * tail));
  return y * reinterpret<f64>(<i64>(<i32>k + 1023) << 52);
}

/** Standardises `raw` by what came before and joins it to that. */
@inline function standardise(adapt: AdaptRecord, raw: f64): f64 {
  const count = adapt.cogLoadCount, mean = <f64>adapt.cogLoadMean, squares = <f64>adapt.cogLoadM2;
  let z: f64 = 0;
  if (count >= adapt.warmup && count > 1) {
    const deviation = sqrt<f64>(squares / <f64>count);
    if (deviation > 1e-6) z = (raw - mean) / deviation;
  }
  const delta = raw - mean, moved = mean + delta / <f64>(count + 1);
  adapt.cogLoadCount = count + 1;
  adapt.cogLoadMean = <f32>moved;
  adapt.cogLoadM2 = <f32>(squares + delta * (raw - moved));
  return z;
}

/** Sets cogLoad and factor for the step of `token`; NaN surprisal or entropy (nothing before it): load 0. */
export function moveCogLoad(adapt: AdaptRecord, token: i32, surprisal: f32, entropy: f32): void {
  adapt.cogLoad = 0;
  adapt.factor = 1;
  if (adapt.cogLoadMode == CogLoadMode.off) return;
  let z: f64 = 0;
  if (adapt.cogLoadMode == CogLoadMode.forced) z = <f64>adapt.forcedCogLoad;
  else {
    let raw = <f64>adapt.surprisalWeight * <f64>surprisal + <f64>adapt.entropyWeight * <f64>entropy;
    if (adapt.tokenCogLoadPtr) raw += <f64>load<f32>(<usize>adapt.tokenCogLoadPtr + (<usize>token << 2));
    if (isFinite<f64>(raw)) z = standardise(adapt, raw);
  }
  const limit = <f64>adapt.clamp;
  z = min<f64>(max<f64>(z, -limit), limit);
  adapt.cogLoad = <f32>z;
  adapt.factor = adapt.linear ? <f32>(<f64>1 - <f64>adapt.gain * z) : <f32>exp64(-<f64>adapt.gain * z);
}
