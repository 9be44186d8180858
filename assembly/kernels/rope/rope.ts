/**
 * Rotary position embedding (arXiv 2104.09864): pair i of a head turns by position * freq_i.
 *   adjacent: (x[2i], x[2i+1])             GGUF `llama` files, whose q and k rows are permuted for it
 *   halves:   (x[i], x[i + ropeDim/2])     qwen2 and most others
 * freq_i = base^(-2i / ropeDim) / factor_i, computed in f64 inside the engine (the same bits in every runtime). Dimensions from
 * ropeDim on pass unchanged. Angles are taken in f32, as the models were trained. Test: test/kernels/rope.test.ts.
 */
import { Rope } from '../../abi/enums';
import { cos64, pow64, sin64 } from '../../base/trig';

/** freq [ropeDim / 2] f32; `factors` [ropeDim / 2] f32 or 0. */
export function ropeFrequencies(freq: usize, ropeDim: i32, base: f32, scale: f32, factors: usize): void {
  for (let i = 0; i < ropeDim >> 1; i++) {
    let f = pow64(<f64>base, -2.0 * <f64>i / <f64>ropeDim) * <f64>scale;
    if (factors) f /= <f64>load<f32>(factors + (<usize>i << 2));
    store<f32>(freq + (<usize>i << 2), <f32>f);
  }
}

/** table [ropeDim] f32: cosines of all pairs, then sines. */
export function ropeTable(table: usize, freq: usize, ropeDim: i32, position: i32): void {
  const half = <usize>(ropeDim >> 1) << 2;
  for (let i: usize = 0; i < half; i += 4) {
    const angle = <f64>(<f32>position * load<f32>(freq + i));
    store<f32>(table + i, <f32>cos64(angle));
    store<f32>(table + half + i, <f32>sin64(angle));
  }
}

/** Turns `heads` heads of x [heads, headDim] in place. */
export function rope(kind: i32, x: usize, heads: i32, headDim: i32, ropeDim: i32, table: usize): void {
  const half = <usize>(ropeDim >> 1) << 2;
  for (let h = 0; h < heads; h++, x += <usize>headDim << 2) {
    let i: usize = 0;
    if (kind == Rope.halves) {
      for (; i + 16 <= half; i += 16) {
        const p = x + i, q = p + half, a = v128.load(p), b = v128.load(q), c = v128.load(table + i), s = v128.load(table + half + i);
        v128.store(p, f32x4.sub(f32x4.mul(a, c), f32x4.mul(b, s)));
        v128.store(q, f32x4.add(f32x4.mul(a, s), f32x4.mul(b, c)));
      }
      for (; i < half; i += 4) turn(x + i, x + half + i, load<f32>(table + i), load<f32>(table + half + i));
    } else {
      for (; i + 16 <= half; i += 16) {
        const p = x + 2 * i, u = v128.load(p), w = v128.load(p, 16), c = v128.load(table + i), s = v128.load(table + half + i);
        const a = i32x4.shuffle(u, w, 0, 2, 4, 6), b = i32x4.shuffle(u, w, 1, 3, 5, 7);
        const e = f32x4.sub(f32x4.mul(a, c), f32x4.mul(b, s)), f = f32x4.add(f32x4.mul(a, s), f32x4.mul(b, c));
        v128.store(p, i32x4.shuffle(e, f, 0, 4, 1, 5));
        v128.store(p, i32x4.shuffle(e, f, 2, 6, 3, 7), 16);
      }
      for (; i < half; i += 4) turn(x + 2 * i, x + 2 * i + 4, load<f32>(table + i), load<f32>(table + half + i));
    }
  }
}

@inline function turn(p: usize, q: usize, cos: f32, sin: f32): void {
  const a = load<f32>(p), b = load<f32>(q);
  store<f32>(p, a * cos - b * sin);
  store<f32>(q, a * sin + b * cos);
}
