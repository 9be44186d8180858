/**
 * The record of the calibration binary: one document, forward and backward, and the sums that become statistics. As in records.ts every
 * field is one word; `src/calibrate/record.ts` lists the same fields, a test compares them. Rows of activations are padded to 32 values
 * (`rowStride`). "Slots" are residual streams: slot l is the input of layer l, slot nLayers the output of the last, nLayers + 1 is spare.
 */
@unmanaged export class CalibrateRecord {
  modelPtr: u32;
  capacity: i32;      // most tokens of a document
  nTokens: i32;       // of the document at hand
  skip: i32;          // first positions that no statistic counts
  logitRows: i32;     // most positions of one pass over the head
  tokensPtr: u32;     // [capacity] i32
  labelsPtr: u32;     // [capacity] i32; -1: to be drawn, and then what was drawn
  drawsPtr: u32;      // [capacity] f64 in [0, 1)
  nllPtr: u32;        // [capacity] f64, -log p(label); of `divergence` the KL of a row
  anglesPtr: u32;     // [capacity] rows of cosines and sines, for each RopeRecord
  anglesBackPtr: u32; // the same with the sines negated: the transposed rotation
  streamPtr: u32;     // [nLayers + 2, capacity, hidden]
  midPtr: u32;        // [capacity, hidden] residual stream between attention and FFN
  normedPtr: u32;     // [capacity, hidden]
  qPtr: u32; attnPtr: u32;        // [capacity, heads * headStride]
  kPtr: u32; vPtr: u32;           // [capacity, kvHeads * headStride]
  gatePtr: u32; upPtr: u32;       // [capacity, ffn] before the nonlinearity; b, c and x of a convolution before that
  hPtr: u32;          // [capacity, ffn]
  outPtr: u32;        // [capacity, hidden] output of attention or FFN
  dxPtr: u32;         // [capacity, hidden] gradient at the residual stream
  dNormedPtr: u32;    // [capacity, hidden]
  dqPtr: u32;         // [capacity, heads * headStride]
  dkPtr: u32; dvPtr: u32;         // [capacity, kvHeads * headStride]
  scoresPtr: u32;     // 3 rows of [capacity padded to 8] f32
  logitsPtr: u32;     // [logitRows + 1, vocab padded to 16 and an odd number of cache lines]
  weightsPtr: u32;    // a few rows of weights as f32, see backward/product.ts
  hSumPtr: u32; hSqPtr: u32; hNormedSqPtr: u32; // [nLayers, ffn] sums over positions
  upSqPtr: u32; gateSqPtr: u32; fisherPtr: u32;
  inputSqPtr: u32; inputFisherPtr: u32;         // of every layer the inputs of its matrices but h, see backward/inputs.ts
  inputBytes: i32;                // from layer to layer of these
  layerGradSqPtr: u32;            // [nLayers] f64
  collect: i32;       // squares of inputs join their sums
  iLayer: i32;        // of the pass at hand
  nudgeLayer: i32;    // layer whose activations are perturbed, -1: none
  nudgePlace: i32;    // Place of what is perturbed there
  nudgePtr: u32;      // [capacity, its width] added to it
}
