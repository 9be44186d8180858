/** The numbers of assembly/abi/enums.ts, for the host. test/model/abi.test.ts compares the two. */
export const Norm = { rms: 0, layer: 1 } as const;
export const Rope = { none: 0, adjacent: 1, halves: 2 } as const;
export const Activation = { silu: 0, gelu: 1, relu: 2, relu2: 3 } as const;
export const HeadNorm = { row: 0, shared: 1, each: 2 } as const;
export const Rule = { none: 0, topK: 1, global: 2, cett: 3, cascade: 4 } as const;
export const Stage = { mask: 1, scores: 2, gate: 4, product: 8, inputs: 16, experts: 32 } as const;
export const Place = { none: -1, attention: 0, heads: 1, ffn: 2, h: 3, output: 4 } as const;
/** Where in a layer: the inputs of q, k, v; of o; of gate and up; of down; and what down gives. */
export type Place = (typeof Place)[keyof typeof Place];
export const CogLoadMode = { off: 0, measured: 1, forced: 2 } as const;
export const StepFlag = { sparse: 1, refreshed: 2, reran: 4, prior: 8 } as const;
export const Trial = { upWhole: 0, upListed: 1, downWhole: 2, downListed: 3, draw: 4, choose: 5 } as const;
export const Convolution = { block: 64, ring: 16 } as const;
export const Wanted = { nothing: 0, logits: 1, state: 2 } as const;
export const KvKind = { f32: 0, f16: 1, q8: 2 } as const;
/** Type of the key/value cache. */
export type KvName = keyof typeof KvKind;

export const Status = { ok: 0, badLayout: -1, nonFinite: -2, tokenRange: -3, contextFull: -4, notFinite: -5 } as const;
