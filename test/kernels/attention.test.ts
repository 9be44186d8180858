/** Attention over each kind of cache, against float64 over the values that the cache really holds. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ATTENTION_BYTES } from '../../src/model/memory.ts';
import { Random } from '../../src/sampler/random.ts';
import { Kernels, builds } from '../helpers/kernels.ts';
import { uniform } from '../helpers/matrices.ts';

const kinds = ['f32', 'f16', 'q8'] as const;

/** What a cache keeps of a head's vector. */
function kept(kind: (typeof kinds)[number], x: Float32Array): Float64Array {
  if (kind === 'f32') return Float64Array.from(x);
  if (kind === 'f16') return Float64Array.from(x, toHalfAndBack);
  const amax = x.reduce((m, v) => Math.max(m, Math.abs(v)), 0);
  return Float64Array.from(x, (v) => (amax === 0 ? 0 : Math.round(v * Math.fround(127 / amax)) * Math.fround(amax / 127)));
}

/** Bytes of a layer's keys (= of its values). */
const keyBytes = (kind: (typeof kinds)[number], kvHeads: number, headDim: number, capacity: number): number =>
  kvHeads * capacity * (kind === 'f32' ? 4 * headDim : kind === 'f16' ? 2 * headDim : headDim + 4);

function toHalfAndBack(v: number): number {
  const magnitude = Math.min(Math.abs(v), 65504);
  if (magnitude === 0) return v;
  const step = 2 ** (Math.max(Math.floor(Math.log2(magnitude)), -14) - 10);
  const n = magnitude / step, floor = Math.floor(n);
  const rounded = n - floor > 0.5 || (n - floor === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
  return Math.sign(v) * rounded * step;
}

for (const build of builds) {
  const test = suite(`attention (${build})`);
  const k = new Kernels(build, 256);

  kinds.forEach((kind, number) => {
    test(`${kind} cache`, () => {
      const random = new Random(number);
      for (const [heads, kvHeads, headDim] of [[1, 1, 16], [3, 1, 64], [4, 2, 80], [2, 2, 128]] as const) {
        for (const n of build === 'debug' ? [1, 7, 9] : [1, 2, 7, 8, 9, 15, 17, 255, 257, 513]) {
          k.reset();
          const capacity = Math.ceil(n / 8) * 8 + 8, scale = 1 / Math.sqrt(headDim), width = kvHeads * headDim;
          const bytes = keyBytes(kind, kvHeads, headDim, capacity);
          const keys = k.alloc(bytes), values = k.alloc(bytes), pk = k.alloc(width * 4), pv = k.alloc(width * 4);
          const held: { k: Float64Array[]; v: Float64Array[] }[] = [];
          for (let t = 0; t < n; t++) {
            const row = (): Float32Array => Float32Array.from({ length: width }, () => 2 * uniform(random));
            const [kRow, vRow] = [row(), row()];
            k.f32(pk, width).set(kRow); k.f32(pv, width).set(vRow);
            k.call('storeKv', number, 1, t, pk, pv, width * 4, keys, values, kvHeads, headDim, capacity);
            const split = (x: Float32Array): Float64Array[] => Array.from({ length: kvHeads }, (_, h) => kept(kind, x.slice(h * headDim, (h + 1) * headDim)));
            held.push({ k: split(kRow), v: split(vRow) });
          }
          const q = Float32Array.from({ length: heads * headDim }, () => 2 * uniform(random));
          const pq = k.putF32(q), scratch = k.alloc(ATTENTION_BYTES), out = k.alloc(heads * headDim * 4);
          for (const [window, cap] of [[0, 0], [1, 0], [12, 0], [12, 1.5]] as const) {
            const stride = 4 * heads * headDim, first = window > 0 ? Math.max(0, n - window) : 0;
            k.call('attend', number, 1, n - 1, pq, stride, keys, values, 0, kvHeads, heads / kvHeads, headDim, capacity, window, scale, cap, scratch, out);
            const seen = held.slice(first);
            for (let h = 0; h < heads; h++) {
              const kv = Math.floor(h / (heads / kvHeads));
              const bent = (score: number): number => (cap ? cap * Math.tanh(score / cap) : score);
              const logits = seen.map((p) => bent(scale * p.k[kv]!.reduce((s, v, d) => s + v * q[h * headDim + d]!, 0)));
              const max = Math.max(...logits), weights = logits.map((l) => Math.exp(l - max)), total = weights.reduce((s, w) => s + w, 0);
              for (let d = 0; d < headDim; d++) {
                const want = seen.reduce((s, p, t) => s + (weights[t]! / total) * p.v[kv]![d]!, 0);
                const got = k.f32(out, heads * headDim)[h * headDim + d]!;
                // q8: q and the weights are rounded to 16 bits; two ties of `nearest` against Math.round may differ by a step of one value in n
                const tolerance = kind === 'q8' ? 2e-3 : 3e-5;
                assert.ok(Math.abs(got - want) < tolerance, `${heads}/${kvHeads} heads of ${headDim}, ${n} positions from ${first}, head ${h}, dimension ${d}: ${got} instead of ${want}`);
              }
            }
          }
          k.checkCanaries();
        }
      }
    });
  });

  kinds.forEach((kind, number) => {
    test(`${kind} cache: a token's bits are the same alone, in any run, and for any range of heads`, () => {
      const random = new Random(7 + number), from = 504, tokens = build === 'debug' ? 3 : 13, capacity = 520;
      for (const [heads, kvHeads, headDim] of [[1, 1, 64], [2, 1, 16], [6, 2, 64], [8, 2, 128], [5, 1, 80], [7, 1, 64], [8, 1, 256]] as const) {
        for (const [window, cap] of [[0, 0], [5, 0], [300, 2]] as const) {
          k.reset();
          const width = kvHeads * headDim, stride = 4 * heads * headDim, perKv = heads / kvHeads;
          const bytes = keyBytes(kind, kvHeads, headDim, capacity);
          const rows = (columns: number): number => k.putF32(Float32Array.from({ length: (from + tokens) * columns }, () => 2 * uniform(random)));
          const [keys, values, pk, pv, q, scratch] = [k.alloc(bytes), k.alloc(bytes), rows(width), rows(width), rows(heads * headDim), k.alloc(ATTENTION_BYTES)];
          const store = (first: number, n: number): void => {
            k.call('storeKv', number, n, first, pk + 4 * width * first, pv + 4 * width * first, 4 * width, keys, values, kvHeads, headDim, capacity);
          };
          const attend = (first: number, n: number, out: number, firstKv = 0, nKv: number = kvHeads): void => {
            k.call('attend', number, n, from + first, q + stride * first, stride, keys, values, firstKv, nKv, perKv, headDim, capacity, window, 0.2, cap, scratch, out + stride * first);
          };
          const [alone, whole, cut, split] = Array.from({ length: 4 }, () => k.alloc(tokens * stride)) as [number, number, number, number];
          // what is behind the last token is NaN everywhere
          k.u8(keys, bytes).fill(0xff); k.u8(values, bytes).fill(0xff);
          store(0, from);
          for (let t = 0; t < tokens; t++) { store(from + t, 1); attend(t, 1, alone); }
          k.u8(keys, bytes).fill(0xff); k.u8(values, bytes).fill(0xff);
          store(0, from + tokens);
          attend(0, tokens, whole);
          attend(0, 2, cut); attend(2, tokens - 2, cut);
          for (let kv = 0; kv < kvHeads; kv++) attend(0, tokens, split, kv, 1);
          const bits = (out: number): Buffer => Buffer.from(k.u8(out, tokens * stride).slice()), label = `${heads}/${kvHeads} heads of ${headDim}, window ${window}, cap ${cap}`;
          assert.ok(k.f32(alone, tokens * heads * headDim).every(Number.isFinite), `${label}: finite`);
          assert.ok(bits(whole).equals(bits(alone)), `${label}: together`);
          assert.ok(bits(cut).equals(bits(alone)), `${label}: cut`);
          assert.ok(bits(split).equals(bits(alone)), `${label}: by heads`);
          k.checkCanaries();
        }
      }
    });
  });

  kinds.forEach((kind, number) => {
    test(`${kind} cache: nothing behind it is read, also ahead of use`, () => {
      for (const [heads, kvHeads, headDim] of [[1, 1, 16], [4, 2, 64], [6, 2, 64], [8, 2, 128], [5, 1, 80]] as const) {
        for (const [capacity, window] of [[8, 0], [264, 0], [520, 0], [520, 300]] as const) {
          k.reset();
          const bytes = keyBytes(kind, kvHeads, headDim, capacity);
          const last = k.memory.buffer.byteLength - bytes, other = k.alloc(bytes), tokens = build === 'debug' ? 1 : 7, stride = 4 * heads * headDim;
          const q = k.alloc(tokens * stride), scratch = k.alloc(ATTENTION_BYTES), out = k.alloc(tokens * stride);
          for (const [keys, values] of [[last, other], [other, last]] as const) { // beyond the memory's end a load traps
            k.call('attend', number, tokens, capacity - tokens, q, stride, keys, values, 0, kvHeads, heads / kvHeads, headDim, capacity, window, 0.2, 0, scratch, out);
          }
        }
      }
    });
  });

  test('f16 clamps instead of becoming infinite', () => {
    k.reset();
    const bytes = 2 * 16 * 8, keys = k.alloc(bytes), values = k.alloc(bytes), big = k.putF32(new Float32Array(16).fill(1e6));
    k.call('storeKv', 1, 1, 0, big, big, 64, keys, values, 1, 16, 8);
    const q = k.putF32(new Float32Array(16)), scratch = k.alloc(ATTENTION_BYTES), out = k.alloc(64);
    k.call('attend', 1, 1, 0, q, 64, keys, values, 0, 1, 1, 16, 8, 0, 0.25, 0, scratch, out);
    assert.ok(k.f32(out, 16).every((v) => v === 65504));
  });

  test.run();
}
