/** Native llama.cpp (node-llama-cpp in bench/peers, f32 cache) asked for the distributions of a small model. */
interface Evaluated { next: { probabilities: Map<number, number> } }
interface Sequence {
  controlledEvaluate(input: unknown): Promise<(Evaluated | undefined)[]>;
  evaluate(tokens: readonly number[], options: object): AsyncGenerator<unknown>;
  eraseContextTokenRanges(ranges: object[]): Promise<void>;
  nextTokenIndex: number;
}
interface Context { getSequence(): Sequence; dispose(): Promise<void>; _ctx: { getEmbedding(tokens: number): Float64Array } }
interface Model { createContext(options: object): Promise<Context>; dispose(): Promise<void> }

const peer = '../bench/peers/node_modules/node-llama-cpp/dist/index.js';
const { getLlama } = (await import(peer)) as { getLlama(options: object): Promise<{ loadModel(options: object): Promise<Model> }> };
const llama = await getLlama({ gpu: false, build: 'never', logLevel: 'error' });
const whole = { temperature: 1, topK: 0, topP: 1, minP: 0 };

/** Log-probabilities by id. */
function row({ next: { probabilities } }: Evaluated, vocab: number): Float32Array {
  if (probabilities.size !== vocab) throw new Error(`${probabilities.size} probabilities of ${vocab}`);
  const values = new Float32Array(vocab);
  for (const [id, p] of probabilities) values[id] = Math.log(p);
  return values;
}

/** Opens a model; `evaluate` appends tokens to the sequence and gives the distribution after each. */
export async function withNative<T>(
  path: string, vocab: number, contextSize: number, use: (evaluate: (tokens: readonly number[]) => Promise<Float32Array[]>) => Promise<T>,
): Promise<T> {
  const model = await llama.loadModel({ modelPath: path, gpuLayers: 0 });
  const context = await model.createContext({
    contextSize, batchSize: 256, threads: 1, flashAttention: false, experimentalKvCacheKeyType: 'F32', experimentalKvCacheValueType: 'F32',
  });
  const sequence = context.getSequence();
  try {
    return await use(async (tokens) => {
      const evaluated = await sequence.controlledEvaluate(tokens.map((id) => [id, { generateNext: { probabilities: true, options: whole } }]));
      return (evaluated as Evaluated[]).map((one) => row(one, vocab));
    });
  } finally {
    await context.dispose();
    await model.dispose();
  }
}

/** What it embeds texts to, given as tokens, pooled as the file says; not normalised. */
export async function embedNative(path: string, contextSize: number, texts: readonly (readonly number[])[]): Promise<Float32Array[]> {
  const model = await llama.loadModel({ modelPath: path, gpuLayers: 0 });
  const context = await model.createContext({
    contextSize, batchSize: contextSize, threads: 2, flashAttention: false, experimentalKvCacheKeyType: 'F32', experimentalKvCacheValueType: 'F32', _embeddings: true,
  });
  const sequence = context.getSequence(), vectors: Float32Array[] = [];
  for (const tokens of texts) {
    await sequence.eraseContextTokenRanges([{ start: 0, end: sequence.nextTokenIndex }]);
    for await (const _ of sequence.evaluate(tokens, { _noSampling: true })) break;
    vectors.push(Float32Array.from(context._ctx.getEmbedding(tokens.length)));
  }
  await context.dispose();
  await model.dispose();
  return vectors;
}
