/**
 * What is fast, and what is not: kernels over cold memory, skipped neurons, then whole tokens.
 *
 *   npm run bench -- [--kernels | --neurons | --model | --sparse] [--rounds N] [--out FILE.jsonl]     (--out: results of --sparse)
 *   npm run bench -- --neurons --dtype q6_k --layer 1536x8960       one feed-forward layer, hidden x ffn; SmolLM2-135M's in q4_1 unless said
 *   npm run bench -- --real [NAME …] [--rounds N]     the real models beside native llama.cpp, for docs/models.md
 *
 * Numbers of different runs do not compare on a shared machine; ratios within one run do. Against other engines: bench/peers.
 */
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { describeRuntime } from 'clada';
import { benchKernels } from './kernels.ts';
import { benchModel } from './model.ts';
import { benchNeurons, layerOf } from './neurons.ts';
import { benchReal } from './real.ts';
import { benchSparse } from './sparse.ts';

const flag = { type: 'boolean' } as const;
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    kernels: flag, neurons: flag, model: flag, sparse: flag, real: flag, rounds: { type: 'string', default: '7' },
    dtype: { type: 'string', default: 'q4_1' }, layer: { type: 'string', default: '576x1536' }, out: { type: 'string' },
  },
});
const rounds = Number(values.rounds);
if (!(Number.isInteger(rounds) && rounds > 0)) throw new Error(`--rounds ${values.rounds}: expected a whole number from 1`);
const all = !values.kernels && !values.neurons && !values.model && !values.sparse && !values.real;

const { relaxedSimd } = await describeRuntime();
console.log(`${cpus()[0]?.model.trim() ?? 'unknown processor'}, ${cpus().length} cores, Node ${process.versions.node}, relaxed SIMD ${relaxedSimd ? 'yes' : 'no: that build is skipped'}`);
if (all || values.kernels) for (const build of relaxedSimd ? (['base', 'relaxed'] as const) : (['base'] as const)) await benchKernels(build);
if (all || values.neurons) for (const build of relaxedSimd ? (['base', 'relaxed'] as const) : (['base'] as const)) benchNeurons(build, 5 * rounds, layerOf(values.dtype, values.layer));
if (all || values.model) await benchModel(rounds, relaxedSimd ? ['base', 'relaxed'] : ['base']);
if (all || values.sparse) await benchSparse(rounds, values.out);
if (values.real) await benchReal(rounds, positionals);
