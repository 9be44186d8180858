/**
 * Numbers that both sides of the boundary know. `src/model/enums.ts` repeats them for the host; a test compares the two files.
 * Layouts and dtypes have their numbers in files of their own (assembly/layouts).
 */
export const enum Norm { rms = 0, layer = 1 }
export const enum Rope { none = 0, adjacent = 1, halves = 2 }
export const enum Activation { silu = 0, gelu = 1, relu = 2, relu2 = 3 }

/** What norms of q and k run over: all heads as one row, or head by head with one weight for all or one for each. */
export const enum HeadNorm { row = 0, shared = 1, each = 2 }

/** How the statistics of a prompt become a selection (adapt/refresh.ts). */
export const enum Rule { none = 0, topK = 1, global = 2, cett = 3, cascade = 4 }

/**
 * Which selections a step makes, as bits. Neurons (forward/sparse.ts): a fixed list, scores against a threshold, |g| w1 > t1, |h| w2 > t2;
 * inputs of the other matrices (forward/inputs.ts): |x| w > t; experts of a mixture (forward/mixture.ts): the fewest within a budget.
 */
export const enum Stage { mask = 1, scores = 2, gate = 4, product = 8, inputs = 16, experts = 32 }

/**
 * What a part of a layer reads: the normed stream before q, k and v; the joined heads before o; the normed stream before gate and up; h
 * before down. `output`: what down gives.
 */
export const enum Place { none = -1, attention = 0, heads = 1, ffn = 2, h = 3, output = 4 }

/** Where the load of a token comes from (adapt/cogLoad.ts), and how it moves thresholds. */
export const enum CogLoadMode { off = 0, measured = 1, forced = 2 }

/** What happened in a step, as bits of StepReport.flags. */
export const enum StepFlag { sparse = 1, refreshed = 2, reran = 4, prior = 8 }

/**
 * Parts of a feed-forward layer that the host times (forward/trial.ts). `listed`: neuron by neuron; `draw` makes the list and the inputs of
 * those; `choose` the lists of a step.
 */
export const enum Trial { upWhole = 0, upListed = 1, downWhole = 2, downListed = 3, draw = 4, choose = 5 }

/** Positions that a convolution's inputs are kept of (kernels/convolution): the last of every block, and the latest `ring`. */
export const enum Convolution { block = 64, ring = 16 }

/** What a pass leaves of a token: its logits with a report, or its hidden state, what the head would read. */
export const enum Wanted { nothing = 0, logits = 1, state = 2 }

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
