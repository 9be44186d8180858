/** The records of assembly/abi/records.ts for the host: name → type, in order. test/model/abi.test.ts compares the two. */
export type FieldType = 'i32' | 'u32' | 'f32';
export type Fields = Readonly<Record<string, FieldType>>;

export const modelFields = {
  hidden: 'i32', ffn: 'i32', nLayers: 'i32', headDim: 'i32', headStride: 'i32', vocab: 'i32', norm: 'i32', normEps: 'f32', embedPtr: 'u32',
  embedLayout: 'i32', embedScale: 'f32', positionPtr: 'u32', outNormPtr: 'u32', outNormBiasPtr: 'u32', headPtr: 'u32',
  headLayout: 'i32', sketchPtr: 'u32', deviations: 'f32',
  headBiasPtr: 'u32', logitScale: 'f32', logitCap: 'f32', nRopes: 'i32', ropesPtr: 'u32', layersPtr: 'u32', rowsBelow: 'i32',
  columnsBelow: 'i32',
} as const satisfies Fields;

export const ropeFields = {
  kind: 'i32', dim: 'i32', before: 'i32', base: 'f32', scale: 'f32', magnitude: 'f32', factorsPtr: 'u32', freqPtr: 'u32',
} as const satisfies Fields;

export const layerFields = {
  heads: 'i32', kvHeads: 'i32', kvBefore: 'i32', ffn: 'i32', activation: 'i32', attnScale: 'f32', attnCap: 'f32', window: 'i32',
  ropePtr: 'u32', residualScale: 'f32', parallel: 'i32', attnNormPtr: 'u32', attnNormBiasPtr: 'u32', qPtr: 'u32', qLayout: 'i32',
  qBiasPtr: 'u32', kPtr: 'u32', kLayout: 'i32', kBiasPtr: 'u32', vPtr: 'u32', vLayout: 'i32', vBiasPtr: 'u32', qNormPtr: 'u32',
  kNormPtr: 'u32', headNorm: 'i32', normTurned: 'i32', oPtr: 'u32', oLayout: 'i32', oBiasPtr: 'u32', attnPostNormPtr: 'u32',
  ffnNormPtr: 'u32', ffnNormBiasPtr: 'u32', gatePtr: 'u32', gateLayout: 'i32', gateBiasPtr: 'u32', upPtr: 'u32', upLayout: 'i32',
  upBiasPtr: 'u32', downPtr: 'u32', downLayout: 'i32', downBiasPtr: 'u32', ffnPostNormPtr: 'u32',
  convTaps: 'i32', convBefore: 'i32', convInPtr: 'u32', convInLayout: 'i32', convPtr: 'u32', convOutPtr: 'u32', convOutLayout: 'i32',
  qColumnsPtr: 'u32', kColumnsPtr: 'u32', vColumnsPtr: 'u32', oColumnsPtr: 'u32', gateColumnsPtr: 'u32', upColumnsPtr: 'u32',
  orderPtr: 'u32', orderFor: 'u32', gateRowsPtr: 'u32', upRowsPtr: 'u32', downColumnsPtr: 'u32', sensitivityPtr: 'u32', upSquarePtr: 'u32',
  hSquarePtr: 'u32', columnNormPtr: 'u32', meanPtr: 'u32', meanOutPtr: 'u32',
  experts: 'i32', expertsUsed: 'i32', expertsNormed: 'i32', expertsPtr: 'u32', routerPtr: 'u32', routerLayout: 'i32', sharedPtr: 'u32',
  sharedRouterPtr: 'u32', sharedRouterLayout: 'i32',
} as const satisfies Fields;

export const expertFields = {
  ffn: 'i32', gatePtr: 'u32', gateLayout: 'i32', upPtr: 'u32', upLayout: 'i32', downPtr: 'u32', downLayout: 'i32',
} as const satisfies Fields;

export const workspaceFields = {
  modelPtr: 'u32', teamPtr: 'u32', weightWords: 'u32', sparse: 'i32', listed: 'i32', kept: 'i32', listsPtr: 'u32',
  listBytes: 'u32', streams: 'i32', chunk: 'i32', logitRows: 'i32', tokensPtr: 'u32', rowsPtr: 'u32',
  xPtr: 'u32', normedPtr: 'u32', quantPtr: 'u32', quantBytes: 'u32', unpackedPtr: 'u32', unpackedBytes: 'u32', panelsPtr: 'u32',
  sidePtr: 'u32', qPtr: 'u32', kPtr: 'u32', vPtr: 'u32', attnPtr: 'u32', outPtr: 'u32', gatePtr: 'u32', upPtr: 'u32', anglesPtr: 'u32',
  scoresPtr: 'u32', scoresBytes: 'u32', logitsPtr: 'u32', reportsPtr: 'u32', deviationsPtr: 'u32', stagesPtr: 'u32', groupsPtr: 'u32',
  partialPtr: 'u32', sketchedPtr: 'u32', samplePtr: 'u32', coarseMean: 'f32', coarseSd: 'f32', fineMean: 'f32', fineSd: 'f32',
  listPtr: 'u32', hPtr: 'u32', scratchPtr: 'u32', usedPtr: 'u32',
  expertWeightsPtr: 'u32', expertInPtr: 'u32', expertOutPtr: 'u32',
} as const satisfies Fields;

export const teamFields = {
  threads: 'i32', workers: 'i32', job: 'u32', parts: 'i32', waits: 'i32', patience: 'i32', grain: 'i32', shares: 'i32', stalls: 'i32',
  leftPtr: 'u32', donePtr: 'u32', asleepPtr: 'u32', waitingPtr: 'u32', faultPtr: 'u32', argsPtr: 'u32',
} as const satisfies Fields;

export const tokenFields = { id: 'i32', sequencePtr: 'u32', position: 'i32', wanted: 'i32' } as const satisfies Fields;

export const sequenceFields = {
  position: 'i32', hasLogits: 'i32', lost: 'i32', capacity: 'i32', kvKind: 'i32', keysPtr: 'u32', valuesPtr: 'u32',
  logitsPtr: 'u32', reportPtr: 'u32', normedPtr: 'u32', margin: 'f32', floor: 'f32', adaptPtr: 'u32', convPtr: 'u32',
} as const satisfies Fields;

export const reportFields = {
  token: 'i32', position: 'i32', surprisal: 'f32', entropy: 'f32', maxLogit: 'f32', logSumExp: 'f32', tailError: 'f32', topToken: 'i32',
  weightWords: 'u32',
  cogLoad: 'f32', factor: 'f32', cost: 'f32', flags: 'i32', refined: 'i32',
} as const satisfies Fields;

export const adaptFields = {
  stages: 'i32', rule: 'i32', collect: 'i32', dirty: 'i32', layersPtr: 'u32', density: 'f32', share: 'f32', inputShare: 'f32',
  shrink: 'f32', compensate: 'i32', nStat: 'i32', skipTokens: 'i32', cogLoadMode: 'i32', forcedCogLoad: 'f32', surprisalWeight: 'f32',
  entropyWeight: 'f32', tokenCogLoadPtr: 'u32', gain: 'f32', linear: 'i32', clamp: 'f32', warmup: 'i32', cogLoadCount: 'i32',
  cogLoadMean: 'f32', cogLoadM2: 'f32', refreshAfter: 'i32', refreshAbove: 'f32', highRun: 'i32', rerunAbove: 'f32', cogLoad: 'f32',
  factor: 'f32', compactPtr: 'u32', compactBytes: 'u32', copied: 'i32', probePtr: 'u32', masked: 'i32',
} as const satisfies Fields;

export const adaptLayerFields = {
  scoreBase: 'f32', gateBase: 'f32', productBase: 'f32', scoreScale: 'f32', scoresPtr: 'u32', gateWeightPtr: 'u32', productWeightPtr: 'u32',
  attentionBase: 'f32', outputBase: 'f32', ffnBase: 'f32', attentionWeightPtr: 'u32', outputWeightPtr: 'u32', ffnWeightPtr: 'u32',
  expertBase: 'f32',
  maskPtr: 'u32', nMask: 'i32', sumHPtr: 'u32', sumNormedPtr: 'u32', sumUpPtr: 'u32', compactGatePtr: 'u32', compactUpPtr: 'u32',
  compactDownPtr: 'u32', compactDownBytes: 'u32', piecesPtr: 'u32', positionsPtr: 'u32', nGate: 'i32', nUp: 'i32', nDown: 'i32',
  nAttention: 'i32', nOutput: 'i32', nFfn: 'i32', nExperts: 'i32',
} as const satisfies Fields;

export const probeFields = {
  nPoints: 'i32', productAtPtr: 'u32', cettPtr: 'u32', maskCettPtr: 'u32', gateAtPtr: 'u32', gateCountPtr: 'u32', tau: 'f32',
  droppedSumPtr: 'u32', droppedCountPtr: 'u32',
} as const satisfies Fields;

/** Bytes of a record. */
export function recordBytes(fields: Fields): number {
  return 4 * Object.keys(fields).length;
}

/** Reads and writes one record by field name. Void once the memory has grown: make it anew. */
export class RecordView<F extends Fields> {
  readonly #index: ReadonlyMap<string, number>;
  readonly #arrays: { i32: Int32Array; u32: Uint32Array; f32: Float32Array };

  constructor(memory: WebAssembly.Memory, ptr: number, private readonly fields: F) {
    const names = Object.keys(fields);
    this.#index = new Map(names.map((name, i) => [name, i]));
    this.#arrays = {
      i32: new Int32Array(memory.buffer, ptr, names.length),
      u32: new Uint32Array(memory.buffer, ptr, names.length),
      f32: new Float32Array(memory.buffer, ptr, names.length),
    };
  }

  get(field: keyof F & string): number {
    return this.#arrays[this.fields[field]!][this.#index.get(field)!]!;
  }

  set(field: keyof F & string, value: number): void {
    this.#arrays[this.fields[field]!][this.#index.get(field)!] = value;
  }

  assign(values: Partial<Record<keyof F & string, number>>): void {
    for (const [field, value] of Object.entries(values)) this.set(field as keyof F & string, value as number);
  }
}
