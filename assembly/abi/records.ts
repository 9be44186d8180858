/**
 * The contract between host and engine: records in linear memory, every field one 4-byte word, so offset = 4 x index.
 * `src/model/records.ts` lists the same fields in the same order; a test compares names and order.
 * A pointer of 0 means that the part is absent. Matrices are [rows, cols] in a layout of `enums.ts`; vectors are f32.
 */

@unmanaged export class ModelRecord {
  hidden: i32;        // residual width
  ffn: i32;           // FFN neurons a layer
  nLayers: i32;
  heads: i32;         // query heads
  kvHeads: i32;       // key/value heads; heads % kvHeads == 0
  headDim: i32;       // a multiple of 16
  vocab: i32;
  norm: i32;          // Norm
  rope: i32;          // Rope
  ropeDim: i32;       // rotated dimensions of a head, even
  activation: i32;    // Activation
  normEps: f32;
  ropeBase: f32;
  ropeScale: f32;     // positions are multiplied by this (linear scaling), 1 = none
  embedScale: f32;
  attnScale: f32;     // usually 1 / sqrt(headDim)
  embedPtr: u32; embedLayout: i32;      // [vocab, hidden]
  positionPtr: u32;                     // [context, hidden] f32, learned positions
  outNormPtr: u32; outNormBiasPtr: u32; // [hidden]
  headPtr: u32; headLayout: i32;        // [vocab, hidden]
  headBiasPtr: u32;                     // [vocab]
  ropeFactorsPtr: u32;                  // [ropeDim / 2], divides each frequency
  ropeFreqPtr: u32;                     // [ropeDim / 2] f32, filled by prepare()
  layersPtr: u32;                       // [nLayers] LayerRecord
}

@unmanaged export class LayerRecord {
  attnNormPtr: u32; attnNormBiasPtr: u32;            // [hidden]
  qPtr: u32; qLayout: i32; qBiasPtr: u32;            // [heads * headDim, hidden]
  kPtr: u32; kLayout: i32; kBiasPtr: u32;            // [kvHeads * headDim, hidden]
  vPtr: u32; vLayout: i32; vBiasPtr: u32;            // [kvHeads * headDim, hidden]
  oPtr: u32; oLayout: i32; oBiasPtr: u32;            // [hidden, heads * headDim]
  ffnNormPtr: u32; ffnNormBiasPtr: u32;              // [hidden]
  gatePtr: u32; gateLayout: i32;                     // [ffn, hidden]
  upPtr: u32; upLayout: i32; upBiasPtr: u32;         // [ffn, hidden]
  downPtr: u32; downLayout: i32; downBiasPtr: u32;   // [hidden, ffn]
}

/** One sequence: its key/value cache and every buffer a pass needs. Laid out by the host, never grown. */
@unmanaged export class SessionRecord {
  modelPtr: u32;
  position: i32;      // tokens in the cache
  lastRow: i32;       // row of the logits that holds the distribution after them, -1 if none does
  weightBytes: u32;   // bytes of weights read by the pass under way
  capacity: i32;      // positions the cache holds, a multiple of 8
  chunk: i32;         // most tokens of one prefill pass
  logitRows: i32;     // most tokens of one pass that keeps all logits
  kvKind: i32;        // KvKind
  kvBytes: u32;       // bytes of one layer's keys (= of its values), scales included
  keysPtr: u32; valuesPtr: u32;   // [nLayers] of kvBytes, see kernels/attention
  tokensPtr: u32;     // [chunk] i32, input
  xPtr: u32;          // [chunk, hidden] residual stream
  normedPtr: u32;     // [chunk, hidden]
  quantPtr: u32; quantBytes: u32;       // quantised activations: X4 records of a chunk in the first half, X8 in the second (kernels/quantize)
  qPtr: u32;          // [chunk, heads * headDim]
  kPtr: u32; vPtr: u32;           // [chunk, kvHeads * headDim]
  attnPtr: u32;       // [chunk, heads * headDim]
  outPtr: u32;        // [chunk, hidden] output of attention or FFN before it joins the residual
  gatePtr: u32; upPtr: u32;       // [chunk, ffn]
  ropePtr: u32;       // [chunk, ropeDim] cos and sin of each position
  scoresPtr: u32;     // [capacity] f32 attention scores of one head, then 1,024 bytes of scratch
  logitsPtr: u32;     // [logitRows, vocab padded to 8]
  reportPtr: u32;     // [logitRows] StepReport
}

/** What one position decided and why. Natural logarithms (nats). */
@unmanaged export class StepReport {
  token: i32;         // the token that was fed
  position: i32;      // its position, from 0
  surprisal: f32;     // -log p(token) under the distribution before it; NaN for the first token of a sequence
  entropy: f32;       // of the distribution after it
  maxLogit: f32;
  logSumExp: f32;
  topToken: i32;      // the most likely next token, lowest id on ties
  weightBytes: u32;   // bytes of weights that the pass read
}
