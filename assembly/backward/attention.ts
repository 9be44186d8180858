/**
 * Attention of a whole document, forward and backward, on plain rows (no cache): q, k rotated already, position t sees 0 .. t.
 *   p_ts = softmax_s(scale q_t . k_s),  o_t = sum_s p_ts v_s
 *   dv_s += p_ts do_t,  dp_ts = do_t . v_s,  ds_ts = scale p_ts (dp_ts - sum_r p_tr dp_tr),  dq_t = sum_s ds_ts k_s,  dk_s += ds_ts q_t
 * A key/value head collects from all query heads that share it. Probabilities are computed again, one row at a time, never kept: this is
 * quadratic in the document but 4 % of the embedded model's time at 320 tokens. Test: test/calibrate/gradient.test.ts.
 */
import { madd, hsum } from '../base/simd';
import { softmax } from '../kernels/attention/attention';

/** Bytes are those of a head: a multiple of 64. */
@inline function dot(x: usize, y: usize, bytes: usize): f32 {
  let a = f32x4.splat(0), b = a;
  for (const end = x + bytes; x < end; x += 32, y += 32) {
    a = madd(v128.load(x), v128.load(y), a);
    b = madd(v128.load(x, 16), v128.load(y, 16), b);
  }
  return hsum(f32x4.add(a, b));
}

/** y += factor * x. */
@inline function addScaled(y: usize, x: usize, factor: f32, bytes: usize): void {
  const f = f32x4.splat(factor);
  for (const end = x + bytes; x < end; x += 32, y += 32) {
    v128.store(y, madd(v128.load(x), f, v128.load(y)));
    v128.store(y, madd(v128.load(x, 16), f, v128.load(y, 16)), 16);
  }
}

/** Row of probabilities of one query over nPositions keys. */
@inline function probabilities(q: usize, k: usize, kStride: usize, bytes: usize, nPositions: i32, scale: f32, p: usize): void {
  let at = p;
  for (const end = p + (<usize>nPositions << 2); at < end; at += 4, k += kStride) store<f32>(at, dot(q, k, bytes) * scale);
  const norm = <f32>1 / softmax(p, nPositions);
  for (at = p; at < p + (<usize>nPositions << 2); at += 4) store<f32>(at, load<f32>(at) * norm);
}

/** out [nTokens, heads * headDim]. `scores`: room for nTokens padded to 8. */
export function attention(
  q: usize, k: usize, v: usize, qStride: usize, kvStride: usize, heads: i32, kvHeads: i32, headDim: i32, nTokens: i32, scale: f32, scores: usize, out: usize,
): void {
  const bytes = <usize>headDim << 2, perKv = heads / kvHeads;
  for (let h = 0; h < heads; h++) {
    const at = <usize>h * bytes, kvAt = <usize>(h / perKv) * bytes;
    for (let t = 0; t < nTokens; t++) {
      const o = out + <usize>t * qStride + at;
      probabilities(q + <usize>t * qStride + at, k + kvAt, kvStride, bytes, t + 1, scale, scores);
      memory.fill(o, 0, bytes);
      for (let s = 0; s <= t; s++) addScaled(o, v + <usize>s * kvStride + kvAt, load<f32>(scores + (<usize>s << 2)), bytes);
    }
  }
}

/** Adds to dq, dk and dv. `scores`: two rows of `scoresBytes`. */
export function attentionBackward(
  q: usize, k: usize, v: usize, dOut: usize, qStride: usize, kvStride: usize, heads: i32, kvHeads: i32, headDim: i32, nTokens: i32, scale: f32,
  scores: usize, scoresBytes: usize, dq: usize, dk: usize, dv: usize,
): void {
  const bytes = <usize>headDim << 2, perKv = heads / kvHeads, dScores = scores + scoresBytes;
  for (let h = 0; h < heads; h++) {
    const at = <usize>h * bytes, kvAt = <usize>(h / perKv) * bytes;
    for (let t = 0; t < nTokens; t++) {
      const row = <usize>t * qStride + at, d = dOut + row;
      probabilities(q + row, k + kvAt, kvStride, bytes, t + 1, scale, scores);
      let mean: f32 = 0;
      for (let s = 0; s <= t; s++) {
        const i = <usize>s << 2, p = load<f32>(scores + i), kv = <usize>s * kvStride + kvAt;
        const dp = dot(d, v + kv, bytes);
        addScaled(dv + kv, d, p, bytes);
        store<f32>(dScores + i, dp);
        mean += p * dp;
      }
      for (let s = 0; s <= t; s++) {
        const i = <usize>s << 2, kv = <usize>s * kvStride + kvAt;
        const ds = scale * load<f32>(scores + i) * (load<f32>(dScores + i) - mean);
        addScaled(dq + row, k + kv, ds, bytes);
        addScaled(dk + kv, q + row, ds, bytes);
      }
    }
  }
}
