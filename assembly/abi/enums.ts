/**
 * Numbers that both sides of the boundary know. `src/model/enums.ts` repeats them for the host; a test compares the two files.
 *
 * Layouts: how the arena holds a matrix of `rows` outputs x `cols` inputs. All of them interleave 8 rows ("a group"; the last
 * group is padded with zero rows), because then SIMD lanes are rows, no kernel ever sums across lanes, and a group is one
 * strictly sequential stream of bytes. Row r of a group lives in set s = r >> 2, lane r & 3.
 *
 *   f32          per column k: 8 f32                                                          32 B a column
 *   f16, bf16    per column k: 8 u16                                                          16 B a column
 *
 *   4-bit quants, a block of 32 columns = 128 B:
 *     4 chunks c of 8 columns: [set 0: 16 B][set 1: 16 B]; lane r & 3 holds 4 bytes j = 0..3 of row r:
 *     low nibble = column 8c + j, high nibble = column 8c + 4 + j; stored unsigned 0..15, as in the file
 *   8-bit quants, a block of 32 columns = 256 B:
 *     8 chunks c of 4 columns: [set 0: 16 B][set 1: 16 B]; lane r & 3 holds 4 bytes j = 0..3 of row r, column 4c + j;
 *     odd j two's complement, even j offset-binary (value + 128), which is what the i16 dot product wants (kernels/matvec/q8.ts)
 *
 *   q4_0         per block: quants, 8 f16 d                          value = d * (q - 8)      144 B
 *   q4_1         per block: quants, 8 f16 d, 8 f16 m                 value = d * q + m        160 B
 *   q8_0         per block: quants, 8 f16 d                          value = d * q            272 B   (also holds q5_0)
 *   q8_1         per block: quants, 8 f16 d, 8 f16 m                 value = d * q + m        288 B   (holds q5_1)
 *   q4_k         per 256 columns: 8 x (quants, 8 u8 sc, 8 u8 mn), then 8 f16 d, 8 f16 dmin
 *                                                                    value = d*sc*q - dmin*mn 1184 B
 *   q5_k         the same with 8-bit quants                                                   2208 B
 *   q6_k         per 256 columns: 8 x (quants, 8 i8 sc of columns 0..15, 8 i8 sc of columns 16..31), then 8 f16 d
 *                                                                    value = d*sc*q           2192 B
 *
 * `vector` is not interleaved: a plain f32 array [rows, cols] (norms, biases, position tables).
 */
export const enum Layout {
  none = 0,
  vector = 1,
  f32 = 2,
  f16 = 3,
  bf16 = 4,
  q4_0 = 5,
  q4_1 = 6,
  q8_0 = 7,
  q8_1 = 8,
  q4_k = 9,
  q5_k = 10,
  q6_k = 11,
}

/** File dtypes that `repack` reads; the numbers are GGML's tensor type ids (ggml.h, enum ggml_type). */
export const enum Dtype {
  f32 = 0,
  f16 = 1,
  q4_0 = 2,
  q4_1 = 3,
  q5_0 = 6,
  q5_1 = 7,
  q8_0 = 8,
  q4_k = 12,
  q5_k = 13,
  q6_k = 14,
  bf16 = 30,
}

export const enum Norm { rms = 0, layer = 1 }
export const enum Rope { none = 0, adjacent = 1, halves = 2 }
export const enum Activation { silu = 0, gelu = 1, relu = 2 }

/** How the statistics of a prompt become a selection (adapt/refresh.ts). */
export const enum Rule { none = 0, topK = 1, global = 2, cett = 3, cascade = 4 }

/** Which selections a step makes, as bits (forward/sparse.ts): a fixed list, scores against a threshold, |g| w1 > t1, |h| w2 > t2. */
export const enum Stage { mask = 1, scores = 2, gate = 4, product = 8 }

/** Where the load of a token comes from (adapt/load.ts), and how it moves thresholds. */
export const enum LoadMode { off = 0, measured = 1, forced = 2 }

/** What happened in a step, as bits of StepReport.flags. */
export const enum StepFlag { sparse = 1, refreshed = 2, reran = 4, prior = 8 }

/** Parts of a feed-forward layer that the host times (forward/trial.ts). `listed`: neuron by neuron; `draw` makes the list and the inputs of those; `choose` the lists of a step. */
export const enum Trial { upWhole = 0, upListed = 1, downWhole = 2, downListed = 3, draw = 4, choose = 5 }

export const enum KvKind { f32 = 0, f16 = 1, q8 = 2 }

/** What exports return; negative numbers are failures that the host turns into typed errors. */
export const enum Status {
  ok = 0,
  badLayout = -1,
  nonFinite = -2,
  tokenRange = -3,
  contextFull = -4,
  notFinite = -5, // activations or logits of a pass
}
