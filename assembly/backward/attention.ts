/**
 * Attention of a whole document, forward and backward, on plain rows (no cache): q, k rotated already, position t sees 0 .. t
 * or the last `window` of them (0: all), s_ts = scale q_t . k_s or cap tanh(s_ts / cap) where there is a cap:
 *   p_ts = softmax_s(s_ts),  o_t = sum_s p_ts v_s
 *   dv_s += p_ts do_t,  dp_ts = do_t . v_s,  ds_ts = scale p_ts (dp_ts - sum_r p_tr dp_tr) (1 - (s_ts / cap)^2)
 *   dq_t = sum_s ds_ts k_s,  dk_s += ds_ts q_t
 * A key/value head collects from all query heads that share it. Probabilities are computed again, one row at a time, never kept: this is
 * quadratic in the document and 15 % of the embedded model's time at 320 tokens. Test: test/calibrate/gradient.test.ts.
 */
import { exp4 } from '../base/exp';
import { hmax, hsum, madd } from '../base/simd';
import { scale, softCap } from '../kernels/activation/activation';

/**
 * out_s = factor * x . y_s for `count` rows of y, 4 at a time; up to 3 more are computed. `bytes` are those of a head: a multiple of 64.
 */
@inline function dots(x: usize, y: usize, stride: usize, bytes: usize, count: i32, factor: f32, out: usize): void {
  const f = f32x4.splat(factor);
  for (const end = out + (<usize>count << 2); out < end; out += 16) {
    let a = f32x4.splat(0), b = a, c = a, d = a, y1 = y + stride, y2 = y1 + stride, y3 = y2 + stride;
    for (let p = x; p < x + bytes; p += 16, y += 16, y1 += 16, y2 += 16, y3 += 16) {
      const v = v128.load(p);
      a = madd(v, v128.load(y), a);
      b = madd(v, v128.load(y1), b);
      c = madd(v, v128.load(y2), c);
      d = madd(v, v128.load(y3), d);
    }
    y = y3 + stride - bytes;
    const ab = f32x4.add(i32x4.shuffle(a, b, 0, 4, 1, 5), i32x4.shuffle(a, b, 2, 6, 3, 7));
    const cd = f32x4.add(i32x4.shuffle(c, d, 0, 4, 1, 5), i32x4.shuffle(c, d, 2, 6, 3, 7));
    v128.store(out, f32x4.mul(f, f32x4.add(i32x4.shuffle(ab, cd, 0, 1, 4, 5), i32x4.shuffle(ab, cd, 2, 3, 6, 7))));
  }
}

/** y += sum_s w_s x_s over `count` rows of x, 4 at a time: w is 0 from `count` on, up to 3 more rows are read. */
@inline function mix(y: usize, w: usize, x: usize, stride: usize, bytes: usize, count: i32): void {
  for (const end = w + (<usize>count << 2); w < end; w += 16, x += 4 * stride) {
    const a = v128.load32_splat(w), b = v128.load32_splat(w, 4), c = v128.load32_splat(w, 8), d = v128.load32_splat(w, 12);
    let x0 = x, x1 = x + stride, x2 = x1 + stride, x3 = x2 + stride;
    for (let p = y; p < y + bytes; p += 16, x0 += 16, x1 += 16, x2 += 16, x3 += 16) {
      let v = madd(v128.load(x0), a, v128.load(p));
      v = madd(v128.load(x1), b, v);
      v = madd(v128.load(x2), c, v);
      v128.store(p, madd(v128.load(x3), d, v));
    }
  }
}

/** y += factor * x. */
@inline function addScaled(y: usize, x: usize, factor: f32, bytes: usize): void {
  const f = f32x4.splat(factor);
  for (const end = x + bytes; x < end; x += 32, y += 32) {
    v128.store(y, madd(v128.load(x), f, v128.load(y)));
    v128.store(y, madd(v128.load(x, 16), f, v128.load(y, 16)), 16);
  }
}

/** Scores → e^(score - max), the padding up to a multiple of 8 set to 0; returns their sum. */
@inline function softmax(scores: usize, nPositions: i32): f32 {
  const padEnd = scores + (<usize>((nPositions + 7) & ~7) << 2);
  for (let p = scores + (<usize>nPositions << 2); p < padEnd; p += 4) store<f32>(p, -Infinity);
  let m = f32x4.splat(-Infinity);
  for (let p = scores; p < padEnd; p += 16) m = f32x4.max(m, v128.load(p));
  const offset = f32x4.splat(hmax(m)), floor = f32x4.splat(-87);
  let sum = f32x4.splat(0);
  for (let p = scores; p < padEnd; p += 16) {
    const x = f32x4.sub(v128.load(p), offset);
    const e = v128.andnot(exp4(x), f32x4.lt(x, floor));
    v128.store(p, e);
    sum = f32x4.add(sum, e);
  }
  return hsum(sum);
}

/** Row of probabilities of one query over nPositions keys, 0 before the first that it sees, and 0 behind them up to a multiple of 8. */
@inline function probabilities(
  q: usize, k: usize, kStride: usize, bytes: usize, first: i32, nPositions: i32, factor: f32, cap: f32, p: usize,
): void {
  dots(q, k, kStride, bytes, nPositions, factor, p);
  if (cap) softCap(p, cap, nPositions);
  for (let at = p, end = p + (<usize>first << 2); at < end; at += 4) store<f32>(at, -Infinity);
  scale(p, <f32>1 / softmax(p, nPositions), (nPositions + 3) & ~3);
}

/**
 * out [nTokens, heads * headDim]. `scores`: room for nTokens padded to 8. k and v have rows up to there; what they hold behind nTokens may
 * be anything finite.
 */
export function attention(
  q: usize, k: usize, v: usize, qStride: usize, kvStride: usize, heads: i32, kvHeads: i32, headDim: i32, window: i32, nTokens: i32,
  factor: f32, cap: f32, scores: usize, out: usize,
): void {
  const bytes = <usize>headDim << 2, perKv = heads / kvHeads;
  for (let h = 0; h < heads; h++) {
    const at = <usize>h * bytes, kvAt = <usize>(h / perKv) * bytes;
    for (let t = 0; t < nTokens; t++) {
      const row = <usize>t * qStride + at;
      probabilities(q + row, k + kvAt, kvStride, bytes, window ? max(0, t + 1 - window) : 0, t + 1, factor, cap, scores);
      memory.fill(out + row, 0, bytes);
      mix(out + row, scores, v + kvAt, kvStride, bytes, t + 1);
    }
  }
}

/** ds *= the slope of the cap where it was bent: 1 - (s / cap)^2; `s`: scratch. */
@inline function throughCap(
  q: usize, k: usize, kStride: usize, bytes: usize, nPositions: i32, factor: f32, cap: f32, s: usize, ds: usize,
): void {
  dots(q, k, kStride, bytes, nPositions, factor, s);
  softCap(s, cap, nPositions);
  scale(s, <f32>1 / cap, nPositions);
  for (const end = s + (<usize>nPositions << 2); s < end; s += 4, ds += 4) {
    const z = load<f32>(s);
    store<f32>(ds, load<f32>(ds) * (1 - z * z));
  }
}

/** Adds to dq, dk and dv. `scores`: three rows of `scoresBytes`. */
export function attentionBackward(
  q: usize, k: usize, v: usize, dOut: usize, qStride: usize, kvStride: usize, heads: i32, kvHeads: i32, headDim: i32, window: i32,
  nTokens: i32, factor: f32, cap: f32,
  scores: usize, scoresBytes: usize, dq: usize, dk: usize, dv: usize,
): void {
  const bytes = <usize>headDim << 2, perKv = heads / kvHeads, dScores = scores + scoresBytes;
  for (let h = 0; h < heads; h++) {
    const at = <usize>h * bytes, kvAt = <usize>(h / perKv) * bytes;
    for (let t = 0; t < nTokens; t++) {
      const row = <usize>t * qStride + at, d = dOut + row, end = <usize>((t + 4) & ~3) << 2;
      probabilities(q + row, k + kvAt, kvStride, bytes, window ? max(0, t + 1 - window) : 0, t + 1, factor, cap, scores);
      dots(d, v + kvAt, kvStride, bytes, t + 1, 1, dScores);
      let mean: f32 = 0;
      for (let i: usize = 0; i < end; i += 4) mean += load<f32>(scores + i) * load<f32>(dScores + i);
      for (let i: usize = 0; i < end; i += 4) store<f32>(dScores + i, factor * load<f32>(scores + i) * (load<f32>(dScores + i) - mean));
      if (cap) throughCap(q + row, k + kvAt, kvStride, bytes, t + 1, factor, cap, dScores + scoresBytes, dScores);
      mix(dq + row, dScores, k + kvAt, kvStride, bytes, t + 1);
      for (let s = 0; s <= t; s++) {
        const i = <usize>s << 2, kv = <usize>s * kvStride + kvAt;
        addScaled(dv + kv, d, load<f32>(scores + i), bytes);
        addScaled(dk + kv, q + row, load<f32>(dScores + i), bytes);
      }
    }
  }
}
