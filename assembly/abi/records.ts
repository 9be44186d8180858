/**
 * The contract between host and engine: records in linear memory, every field one 4-byte word, so offset = 4 x index.
 * `src/model/records.ts` lists the same fields in the same order; a test compares names and order.
 * A pointer of 0 means that the part is absent. Matrices are [rows, cols] in a layout (assembly/layouts); vectors are f32.
 */

@unmanaged export class ModelRecord {
  hidden: i32;        // residual width
  ffn: i32;           // FFN neurons of the widest layer
  nLayers: i32;
  headDim: i32;
  headStride: i32;    // values from head to head where attention reads them: headDim padded to 16
  vocab: i32;
  norm: i32;          // Norm
  normEps: f32;
  embedPtr: u32; embedLayout: i32;      // [vocab, hidden]
  embedScale: f32;                      // of its rows, 1 = none
  positionPtr: u32;                     // [context, hidden] f32, learned positions
  outNormPtr: u32; outNormBiasPtr: u32; // [hidden]
  headPtr: u32; headLayout: i32;        // [vocab, hidden]
  sketchPtr: u32;                       // of the head, to four bits (kernels/sketch); 0 = there is none
  deviations: f32;                      // so many of them a logit of the sketch may be off (forward/head.ts)
  headBiasPtr: u32;                     // [vocab]
  logitScale: f32; logitCap: f32;       // logits times the first (1 = none), then bent to stay within the second (0 = not at all)
  nRopes: i32; ropesPtr: u32;           // [nRopes] RopeRecord
  layersPtr: u32;                       // [nLayers] LayerRecord
  rowsBelow: i32; columnsBelow: i32;    // fewer neurons than this are read one by one, more by the dense kernel (measured, or ffn)
}

/** Angles that layers turn by: several may share one. A pass has a table [rows, dim] of each, one behind the other. */
@unmanaged export class RopeRecord {
  kind: i32;          // Rope
  dim: i32;           // rotated dimensions of a head, even
  before: i32;        // dimensions of the records before this one
  base: f32;
  scale: f32;         // positions are multiplied by this (linear scaling), 1 = none
  magnitude: f32;     // cosines and sines are multiplied by this, 1 = none
  factorsPtr: u32;    // [dim / 2] f32, divides each frequency
  freqPtr: u32;       // [dim / 2] f32, filled by prepare()
}

@unmanaged export class LayerRecord {
  heads: i32;         // query heads
  kvHeads: i32;       // key/value heads; heads % kvHeads == 0
  kvBefore: i32;      // those of the layers before this one: where its part of the cache begins
  ffn: i32;           // neurons
  activation: i32;    // Activation
  attnScale: f32;     // usually 1 / sqrt(headDim)
  attnCap: f32;       // scores are bent to stay within it, 0 = not at all
  window: i32;        // positions that attention sees, its own among them; 0 = all
  ropePtr: u32;       // RopeRecord
  residualScale: f32; // of what a part adds to the residual, 1 = none
  parallel: i32;      // 1: the feed-forward part reads what attention reads, not what it leaves
  attnNormPtr: u32; attnNormBiasPtr: u32;            // [hidden]
  qPtr: u32; qLayout: i32; qBiasPtr: u32;            // [heads * headDim, hidden]
  kPtr: u32; kLayout: i32; kBiasPtr: u32;            // [kvHeads * headDim, hidden]
  vPtr: u32; vLayout: i32; vBiasPtr: u32;            // [kvHeads * headDim, hidden]
  qNormPtr: u32; kNormPtr: u32; headNorm: i32;       // HeadNorm: [heads * headDim], or [headDim] for every head
  normTurned: i32;                                   // 1: q and k are normed after they are turned, not before
  oPtr: u32; oLayout: i32; oBiasPtr: u32;            // [hidden, heads * headDim]
  attnPostNormPtr: u32;                              // [hidden], of attention's output before it joins the residual
  ffnNormPtr: u32; ffnNormBiasPtr: u32;              // [hidden]
  gatePtr: u32; gateLayout: i32; gateBiasPtr: u32;   // [ffn, hidden]
  upPtr: u32; upLayout: i32; upBiasPtr: u32;         // [ffn, hidden]
  downPtr: u32; downLayout: i32; downBiasPtr: u32;   // [hidden, ffn]
  ffnPostNormPtr: u32;                               // [hidden]
  // instead of attention: a short convolution, taps 0 = none (forward/convolution.ts)
  convTaps: i32; convBefore: i32;                    // taps; convolutions in the layers before this one
  convInPtr: u32; convInLayout: i32;                 // [3 * hidden, hidden]
  convPtr: u32;                                      // [hidden, convTaps]
  convOutPtr: u32; convOutLayout: i32;               // [hidden, hidden]
  qColumnsPtr: u32; kColumnsPtr: u32; vColumnsPtr: u32; oColumnsPtr: u32; // column forms (kernels/columns), 0 = none
  gateColumnsPtr: u32; upColumnsPtr: u32;
  orderPtr: u32;      // [ffn] u16: the neuron of every row of gate and up, where they may be ordered in place (forward/order.ts); 0 = never
  orderFor: u32;      // AdaptLayer whose mask comes first; 0 = rows are in the file's order
  gateRowsPtr: u32; upRowsPtr: u32; downColumnsPtr: u32; // forms that single neurons can be read from (kernels/neurons)
  // what methods know of the layer (calibration), [ffn] f32 each
  sensitivityPtr: u32;  // sqrt E (dL/dh)^2
  upSquarePtr: u32;     // E u^2
  hSquarePtr: u32;      // E h^2
  columnNormPtr: u32;   // norm of down's column
  meanPtr: u32;         // E of h where it is dropped
  meanOutPtr: u32;      // [hidden] down times that
  // a mixture in place of gate, up and down: of its experts each token goes to a few
  experts: i32;         // 0 = no mixture; ffn is then the width of one
  expertsUsed: i32;     // that a token goes to
  expertsNormed: i32;   // 1: their weights add up to 1
  expertsPtr: u32;      // [experts] ExpertRecord
  routerPtr: u32; routerLayout: i32;                 // [experts, hidden]
  sharedPtr: u32;       // ExpertRecord that every token goes to beside them; 0 = none
  sharedRouterPtr: u32; sharedRouterLayout: i32;     // [1, hidden], whose sigmoid weighs that; 0 = weighs 1
}

/** One expert of a mixture. */
@unmanaged export class ExpertRecord {
  ffn: i32;           // neurons
  gatePtr: u32; gateLayout: i32;                     // [ffn, hidden]
  upPtr: u32; upLayout: i32;                         // [ffn, hidden]
  downPtr: u32; downLayout: i32;                     // [hidden, ffn]
}

/** What computes: the buffers of one pass, whoever's tokens run in it. One for each that computes; laid out by the host, never grown. */
@unmanaged export class WorkspaceRecord {
  modelPtr: u32;
  teamPtr: u32;       // TeamRecord; 0 = one thread, in builds that know no others
  weightWords: u32;   // weights read by the pass under way, in words of 4 bytes: a pass and its rerun may read 8 GiB
  sparse: i32;        // 1: the pass under way may skip neurons
  listed: i32;        // kinds in which the inputs of the products under way are listed
  kept: i32;          // of those inputs, how many are
  listsPtr: u32; listBytes: u32; // lists of inputs in three kinds, bytes of each; 0 = no sequence leaves out inputs
  streams: i32;       // places that a product reads its matrix from at a time (kernels/matvec/streams.ts), 0 = one
  chunk: i32;         // most tokens of one pass
  logitRows: i32;     // most tokens of one pass whose logits are wanted
  tokensPtr: u32;     // [chunk] TokenRecord, what the pass is asked for
  rowsPtr: u32;       // [chunk] TokenRecord of the rows under way: all of them, in the last layer those that something is wanted of
  xPtr: u32;          // [chunk, hidden] residual stream
  normedPtr: u32;     // [chunk, hidden]
  quantPtr: u32; quantBytes: u32; // quantised activations of a chunk: X4, X8, superblocks' records, bytes of each (kernels/quantize)
  unpackedPtr: u32; unpackedBytes: u32; // of each thread matmulScratch() bytes: weights and x that matmul makes ready
  panelsPtr: u32;     // panelsBytes() of a chunk: x made ready for all threads; 0 = there is one
  sidePtr: u32;       // [chunk, hidden] residual stream before attention, where a layer is parallel
  qPtr: u32;          // [chunk, heads * headStride]
  kPtr: u32; vPtr: u32;           // [chunk, kvHeads * headStride]
  attnPtr: u32;       // [chunk, heads * headStride]
  outPtr: u32;        // [chunk, hidden] output of attention or FFN before it joins the residual
  gatePtr: u32;       // [chunk, ffn], of models with convolutions at least [chunk, 3 * hidden]
  upPtr: u32;         // [chunk, ffn]
  anglesPtr: u32;     // [chunk] rows of cosines and sines, for each RopeRecord
  scoresPtr: u32; scoresBytes: u32; // of each thread scratch of attention (kernels/attention/scratch.ts)
  logitsPtr: u32;     // [logitRows, vocab padded to 8]: of a pass that several rows are wanted of, in their order
  reportsPtr: u32;    // [logitRows] StepReport, the same
  // for a head with a sketch; 0 = it has none
  deviationsPtr: u32; // [vocab padded to 16] f32: of every logit of `partialPtr`, 0 = it is exact
  stagesPtr: u32;     // [vocab / 8] u8: what of every group was read (forward/stages.ts)
  groupsPtr: u32;     // two lists [vocab / 8] i32: groups of rows to refine
  partialPtr: u32;    // SequenceRecord whose logits those are
  sketchedPtr: u32;   // x as the sketch reads it
  samplePtr: u32;     // what each plane said of a few groups: logits, then deviations
  coarseMean: f32; coarseSd: f32; // errors of the coarse plane, in deviations
  fineMean: f32; fineSd: f32;     // after the fine one
  // for skipping neurons; 0 = no sequence ever did
  listPtr: u32;       // three lists [ffn + 8] u16
  hPtr: u32;          // [ffn padded to 32] f32
  scratchPtr: u32;    // permuted activations
  usedPtr: u32;       // [nLayers, ffn padded to 8] bits: neurons whose down column the last step used; 0 = nobody asks
  // for mixtures of experts; 0 = the model has none
  expertWeightsPtr: u32; // [chunk, experts padded to 8] f32 weights of the experts, 0 = not chosen
  expertInPtr: u32;   // [chunk, hidden] an expert's tokens
  expertOutPtr: u32;  // [chunk, hidden] what it gives
}

/** Threads that share the work of a pass, and the job under way (assembly/threads). What several of them write has a line of its own. */
@unmanaged export class TeamRecord {
  threads: i32;       // that share work now, the caller's among them; 1 = none beside it
  workers: i32;       // that stand by
  job: u32;           // index of the function that does a part of the job
  parts: i32;         // of the job
  waits: i32;         // 1: the caller may sleep while others finish; never on a page's own thread
  patience: i32;      // times that a worker looks for a job before it sleeps
  grain: i32;         // bytes of weights, times tokens, that are worth a part of a job
  shares: i32;        // most parts for each thread
  stalls: i32;        // so often others may lose their cores before the caller does the rest of the pass alone; 0: for ever
  leftPtr: u32;       // i32: parts that nobody has begun; -1 = workers end
  donePtr: u32;       // i32: parts that workers have done
  asleepPtr: u32;     // i32: workers that sleep, or are about to
  waitingPtr: u32;    // i32: 1: the caller sleeps, or is about to
  faultPtr: u32;      // i32: bytes of what a worker said when it trapped, 0 = nothing, and those bytes behind it
  argsPtr: u32;       // what the job is about
}

/**
 * A token of a pass: whose it is, and where in that sequence. Tokens of a sequence follow each other, those of which something is wanted
 * come last; sequences whose hidden states are wanted come behind the others.
 */
@unmanaged export class TokenRecord {
  id: i32;
  sequencePtr: u32;   // SequenceRecord
  position: i32;      // from 0
  wanted: i32;        // Wanted
}

/** One sequence: its key/value cache, the distribution after its last token, and what skipping remembers of it. */
@unmanaged export class SequenceRecord {
  position: i32;      // tokens in the cache
  hasLogits: i32;     // 1: logits and report are those after the last of them
  lost: i32;          // 1: the pass under way has left the numbers for it, others may go on
  capacity: i32;      // positions the cache holds, a multiple of 8
  kvKind: i32;        // KvKind
  keysPtr: u32; valuesPtr: u32;   // key/value heads of all layers, see kernels/attention
  logitsPtr: u32;     // [vocab padded to 8]
  reportPtr: u32;     // StepReport
  normedPtr: u32;     // [hidden] what the head read for the last token
  margin: f32;        // logits are wanted exactly that are at most so far below the largest; infinity = all
  floor: f32;         // logits are exact from here up; -infinity = all
  adaptPtr: u32;      // AdaptRecord
  convPtr: u32;       // inputs of the convolutions of all layers, see kernels/convolution; 0 = the model has none
}

/** What one position decided and why. Natural logarithms (nats). */
@unmanaged export class StepReport {
  token: i32;         // the token that was fed
  position: i32;      // its position, from 0
  surprisal: f32;     // -log p(token) under the distribution before it; NaN for the first token of a sequence
  entropy: f32;       // of the distribution after it
  maxLogit: f32;
  logSumExp: f32;
  tailError: f32;     // standard error of logSumExp, from logits that are not exact; 0 = all are
  topToken: i32;      // the most likely next token, lowest id on ties
  weightWords: u32;   // weights that the pass read, in words of 4 bytes
  cogLoad: f32;       // standardised load that moved the thresholds, clamped; 0 where none did
  factor: f32;        // what the thresholds were multiplied by
  cost: f32;          // share used of the weights that the method may leave out (forward/step.ts); 1 = dense
  flags: i32;         // StepFlag
  refined: i32;       // rows of the head whose logits are exact
}

/** How a sequence skips feed-forward neurons, the state of its controller, and what the last step did. */
@unmanaged export class AdaptRecord {
  stages: i32;        // Stage, 0 = dense
  rule: i32;          // Rule
  collect: i32;       // 1: dense passes gather statistics
  dirty: i32;         // 1: statistics or settings have changed since the selection was made
  layersPtr: u32;     // [nLayers] AdaptLayer
  // selection
  density: f32;       // share of neurons of topK and global masks, and of cett's backbone (1: its thresholds as they are)
  share: f32;         // share of a layer's neurons that the gate or product stage keeps, or of a token's experts, exactly; 0: by thresholds
  inputShare: f32;    // the same of the inputs of q, k, v, of o, of gate and up
  shrink: f32;        // tokens that the prior counts for beside the prompt
  compensate: i32;    // 1: dropped neurons are taken at their mean
  // statistics
  nStat: i32;         // tokens counted
  skipTokens: i32;    // first positions of a sequence that are not
  // controller
  cogLoadMode: i32;      // CogLoadMode
  forcedCogLoad: f32;    // the load of the next step where CogLoadMode.forced
  surprisalWeight: f32; entropyWeight: f32; // raw load = weights times nats, plus the token's own
  tokenCogLoadPtr: u32;  // [vocab] f32 added by token, 0 = none
  gain: f32;          // thresholds times exp(-gain * load), or 1 - gain * load
  linear: i32;        // 1: the second form
  clamp: f32;         // loads are cut to -clamp .. clamp
  warmup: i32;        // tokens before the load counts
  cogLoadCount: i32; cogLoadMean: f32; cogLoadM2: f32; // running within the sequence (Welford)
  // refresh: after `refreshAfter` loads in a row above `refreshAbove` a step runs dense and the mask is made anew; 0 = never
  refreshAfter: i32; refreshAbove: f32; highRun: i32;
  rerunAbove: f32;    // entropy (nats) above which a step is rerun dense; infinity = never
  cogLoad: f32; factor: f32; // of the last step
  compactPtr: u32; compactBytes: u32; copied: i32; // room for compact copies, 0 = none; 1: they are of the mask as it is
  probePtr: u32;      // ProbeRecord; 0 = nobody measures
  masked: i32;        // 1: what the mask leaves out is dropped in this pass, which is shared
}

/** The same of one layer. Pointers of 0: absent. */
@unmanaged export class AdaptLayer {
  // thresholds before the load moves them
  scoreBase: f32; gateBase: f32; productBase: f32;
  scoreScale: f32;      // scores are multiplied by it
  // selection
  scoresPtr: u32;       // [ffn] f32: mask scores, or weights of the gate stage
  gateWeightPtr: u32; productWeightPtr: u32; // [ffn] f32, 0 = ones
  // inputs: thresholds before the load moves them, and weights, of what q, k, v read [hidden], o [heads * headDim], gate and up [hidden]
  attentionBase: f32; outputBase: f32; ffnBase: f32;
  attentionWeightPtr: u32; outputWeightPtr: u32; ffnWeightPtr: u32; // f32, 0 = ones
  expertBase: f32;      // share of the weight of a token's experts that may be left out, before the load moves it
  maskPtr: u32; nMask: i32;  // [ffn + 8] u16 sorted
  // sums over the tokens counted, [ffn] f32: h^2, (h / |h|)^2, u^2
  sumHPtr: u32; sumNormedPtr: u32; sumUpPtr: u32;
  // compact copies of the mask's neurons; down's have `pieces` of 16 B a block
  compactGatePtr: u32; compactUpPtr: u32; compactDownPtr: u32; compactDownBytes: u32; piecesPtr: u32; positionsPtr: u32;
  // what the last step used
  nGate: i32; nUp: i32; nDown: i32;
  nAttention: i32; nOutput: i32; nFfn: i32; // inputs
  nExperts: i32;
}

/** What calibration measures while tokens are decoded dense, summed over tokens. */
@unmanaged export class ProbeRecord {
  nPoints: i32;
  productAtPtr: u32;    // [nLayers, nPoints] f32 thresholds of |h| * column norm, and of sqrt(E h^2) * column norm
  cettPtr: u32;         // [nLayers, nPoints] f32: |down (h at or below the threshold)| / |down h|
  maskCettPtr: u32;     // [nLayers, nPoints] f32: the same where a mask drops what is at or below the threshold
  gateAtPtr: u32;       // [nLayers, nPoints] f32 thresholds of |g|
  gateCountPtr: u32;    // [nLayers, nPoints] f32: neurons above
  tau: f32;             // budget of the cascade whose dropped neurons are averaged
  droppedSumPtr: u32;   // [nLayers, ffn] f32: h where it is dropped
  droppedCountPtr: u32; // [nLayers, ffn] f32: how often
}
