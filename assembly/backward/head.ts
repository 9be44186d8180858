/**
 * The two ends of the model: embedding, and the head with its loss. Labels are drawn from the model's own distribution (a given label
 * stays):
 *   L = sum_t -log p_t(label_t),   dL/dlogits = softmax(logits) - onehot(label)
 * Their outer product is, in expectation, the Fisher information. Logits of at most `logitRows` positions exist at a time. Sums over the
 * vocabulary in f64 across stretches of 1,024. Test: test/calibrate/gradient.test.ts.
 */
import { CalibrateRecord } from '../abi/calibrate';
import { ModelRecord } from '../abi/records';
import { exp4 } from '../base/exp';
import { hmax, hsum } from '../base/simd';
import { log64 } from '../base/trig';
import { embedToken, finishLogits } from '../forward/embed';
import { normRows, rowStride } from '../forward/norms';
import { fillAngles, turnBack } from '../forward/rotate';
import { scale } from '../kernels/activation/activation';
import { modelOf, slot } from './layer';
import { normBackward } from './norm';
import { product, transposed } from './product';

/**
 * An odd number of cache lines: vocabularies like multiples of 1,024, and all rows would share a few sets of the cache (2.5 times slower).
 */
@inline function logitStride(model: ModelRecord): usize { return (((<usize>model.vocab << 2) + 63) & ~63) | 64; }

/** Slot 0, and the angles of every position in both directions. */
export function embedDocument(record: CalibrateRecord): void {
  const model = modelOf(record), stride = rowStride(model.hidden);
  let x = slot(record, 0);
  for (let t = 0; t < record.nTokens; t++, x += stride) {
    embedToken(model, load<i32>(<usize>record.tokensPtr + (<usize>t << 2)), t, x);
    fillAngles(model, record.anglesPtr, record.capacity, t, t);
    turnBack(model, record.anglesPtr, record.anglesBackPtr, record.capacity, t);
  }
}

/** Logits of `count` positions first, first + every, … of a slot into rows of `logits`; normed rows are left in normedPtr. */
function logitsOf(record: CalibrateRecord, iSlot: i32, first: i32, count: i32, every: i32, logits: usize): void {
  const model = modelOf(record), stride = rowStride(model.hidden), normed = <usize>record.normedPtr;
  for (let row = 0; row < count; row++) {
    normRows(
      model, slot(record, iSlot) + <usize>(first + row * every) * stride, model.outNormPtr, model.outNormBiasPtr, 1,
      normed + <usize>row * stride,
    );
  }
  product(
    model.headLayout, model.headPtr, model.headBiasPtr, model.vocab, model.hidden, normed, stride, count, logits, logitStride(model),
    record.weightsPtr,
  );
  for (let row = 0; row < count; row++) finishLogits(model, logits + <usize>row * logitStride(model));
}

/** Largest of a row of logits; the padding up to 4 is set to -infinity first. */
@inline function peak(row: usize, vocab: i32): f32 {
  for (let i = vocab; i < ((vocab + 3) & ~3); i++) store<f32>(row + (<usize>i << 2), -Infinity);
  let m = f32x4.splat(-Infinity);
  for (let p = row, end = row + (<usize>vocab << 2); p < end; p += 16) m = f32x4.pmax(m, v128.load(p));
  return hmax(m);
}

/** e^(logit - m) in place of every logit; returns their sum. */
function exponentiate(row: usize, vocab: i32, m: f32): f64 {
  const offset = f32x4.splat(m), end = row + (<usize>vocab << 2);
  let sum: f64 = 0;
  for (let p = row; p < end;) {
    let s = f32x4.splat(0);
    for (const stop = min(p + 4096, end); p < stop; p += 16) {
      const x = f32x4.sub(v128.load(p), offset);
      const e = v128.andnot(exp4(x), f32x4.lt(x, f32x4.splat(-87)));
      v128.store(p, e);
      s = f32x4.add(s, e);
    }
    sum += <f64>hsum(s);
  }
  return sum;
}

/** The first token whose cumulated weight exceeds draw * sum; never one of weight 0. */
function drawLabel(row: usize, vocab: i32, target: f64): i32 {
  let mass: f64 = 0, label = 0;
  for (let i = 0; i < vocab; i++) {
    const weight = load<f32>(row + (<usize>i << 2));
    if (weight == 0) continue;
    label = i;
    mass += <f64>weight;
    if (mass > target) break;
  }
  return label;
}

/** Row of logits → gradient of the loss; draws the label where none is given; the loss goes to nllPtr. */
function lossOf(record: CalibrateRecord, t: i32, row: usize): void {
  const vocab = modelOf(record).vocab, labelPtr = <usize>record.labelsPtr + (<usize>t << 2);
  const m = peak(row, vocab);
  let label = load<i32>(labelPtr);
  let shifted = label < 0 ? <f64>0 : <f64>load<f32>(row + (<usize>label << 2)) - <f64>m;
  const sum = exponentiate(row, vocab, m);
  if (label < 0) {
    label = drawLabel(row, vocab, load<f64>(<usize>record.drawsPtr + (<usize>t << 3)) * sum);
    store<i32>(labelPtr, label);
    shifted = log64(<f64>load<f32>(row + (<usize>label << 2)));
  }
  store<f64>(<usize>record.nllPtr + (<usize>t << 3), log64(sum) - shifted);
  scale(row, <f32>(1.0 / sum), (vocab + 3) & ~3);
  const at = row + (<usize>label << 2);
  store<f32>(at, load<f32>(at) - 1);
}

/** Gradient at a row of logits → that at the head's products; `logits`: the row as it was. */
function throughFinish(model: ModelRecord, logits: usize, d: usize): void {
  const cap = model.logitCap;
  if (model.logitScale != 1) scale(d, model.logitScale, model.vocab);
  if (!cap) return;
  for (const end = d + (<usize>model.vocab << 2); d < end; d += 4, logits += 4) {
    const z = load<f32>(logits) / cap;
    store<f32>(d, load<f32>(d) * (1 - z * z));
  }
}

/** Loss of positions first .. first + count - 1 (count <= logitRows), and with `gradient` their rows of dx at slot nLayers. */
export function headRows(record: CalibrateRecord, iSlot: i32, first: i32, count: i32, gradient: bool): void {
  const model = modelOf(record), stride = rowStride(model.hidden), rowBytes = logitStride(model), logits = <usize>record.logitsPtr;
  logitsOf(record, iSlot, first, count, 1, logits);
  const spare = logits + <usize>record.logitRows * rowBytes;
  for (let row = 0; row < count; row++) {
    const at = logits + <usize>row * rowBytes;
    if (gradient && model.logitCap) memory.copy(spare, at, <usize>model.vocab << 2);
    lossOf(record, first + row, at);
    if (gradient) throughFinish(model, spare, at);
  }
  if (!gradient) return;
  let d = <usize>record.dNormedPtr, x = slot(record, iSlot) + <usize>first * stride, dx = <usize>record.dxPtr + <usize>first * stride;
  memory.fill(d, 0, <usize>count * stride);
  transposed(model.headLayout, model.headPtr, model.vocab, model.hidden, logits, rowBytes, count, d, stride, record.weightsPtr);
  memory.fill(dx, 0, <usize>count * stride);
  for (let row = 0; row < count; row++, d += stride, x += stride, dx += stride) {
    normBackward(model.norm, x, model.outNormPtr, d, model.hidden, model.normEps, dx);
  }
}

/** Half the variance of b - a under softmax(a): KL(softmax a || softmax b) up to third order in b - a. */
function halfVariance(a: usize, b: usize, vocab: i32): f64 {
  const m = peak(a, vocab);
  peak(b, vocab);
  let sum: f64 = 0, mean: f64 = 0, square: f64 = 0;
  for (let i = 0; i < vocab; i++) {
    const at = <usize>i << 2, x = load<f32>(a + at);
    if (x - m < -87) continue;
    const e = <f64>f32x4.extract_lane(exp4(f32x4.splat(x - m)), 0), d = <f64>load<f32>(b + at) - <f64>x;
    sum += e;
    mean += e * d;
    square += e * d * d;
  }
  mean /= sum;
  return max(0.0, 0.5 * (square / sum - mean * mean));
}

/**
 * How far the distributions of slot `other` are from those of slot nLayers, at `count` positions first, first + every, … (2 count <=
 * logitRows): the part of their KL that is quadratic in the perturbation, to nllPtr[0 .. count - 1].
 */
export function divergenceRows(record: CalibrateRecord, other: i32, first: i32, count: i32, every: i32): void {
  const model = modelOf(record), rowBytes = logitStride(model), clean = <usize>record.logitsPtr, moved = clean + <usize>count * rowBytes;
  logitsOf(record, model.nLayers, first, count, every, clean);
  logitsOf(record, other, first, count, every, moved);
  for (let row = 0; row < count; row++) {
    const at = <usize>row * rowBytes;
    store<f64>(<usize>record.nllPtr + (<usize>row << 3), halfVariance(clean + at, moved + at, model.vocab));
  }
}
