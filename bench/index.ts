/**
 * What is fast, and what is not: kernels over cold memory, skipped neurons, then whole tokens.
 *
 *   npm run bench -- [--kernels | --neurons | --model | --sparse] [--rounds N] [--out FILE.jsonl]     (--out: results of --sparse)
 *   npm run bench -- --neurons --dtype q6_k --layer 1536x8960       one feed-forward layer, hidden x ffn; SmolLM2-135M's in q4_1 unless said
 *   npm run bench -- --save FILE.json | --compare FILE.json [--tolerance 0.1]       the regression check: kept, or held against what was kept (fails where slower)
 *   npm run bench -- --soak MINUTES [--file FILE.gguf]      mixed requests, memory, gaps, errors (fails where something grows, stalls or is left)
 *   npm run bench -- --real [NAME …] [--rounds N]     the real models beside native llama.cpp, for docs/models.md
 *
 * Numbers of different runs do not compare on a shared machine; ratios within one run do. Against other engines: bench/peers.
 */
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { describeRuntime } from 'clada';
import { benchKernels } from './kernels.ts';
import { check } from './check.ts';
import { benchModel } from './model.ts';
import { benchNeurons, layerOf } from './neurons.ts';
import { benchReal } from './real.ts';
import { soak } from './soak.ts';
import { benchSparse } from './sparse.ts';

const flag = { type: 'boolean' } as const;
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    kernels: flag, neurons: flag, model: flag, sparse: flag, real: flag, rounds: { type: 'string', default: '7' },
    dtype: { type: 'string', default: 'q4_1' }, layer: { type: 'string', default: '576x1536' }, out: { type: 'string' },
    save: { type: 'string' }, compare: { type: 'string' }, tolerance: { type: 'string', default: '0.1' }, soak: { type: 'string' }, file: { type: 'string' },
  },
});
const rounds = Number(values.rounds);
if (!(Number.isInteger(rounds) && rounds > 0)) throw new Error(`--rounds ${values.rounds}: expected a whole number from 1`);
const tolerance = Number(values.tolerance), minutes = Number(values.soak ?? 0);
if (!(tolerance >= 0)) throw new Error(`--tolerance ${values.tolerance}: expected a share, 0.1 for a tenth`);
if (values.soak !== undefined && !(minutes > 0)) throw new Error(`--soak ${values.soak}: expected minutes`);
const checks = values.save !== undefined || values.compare !== undefined;
const all = !values.kernels && !values.neurons && !values.model && !values.sparse && !values.real && !checks && values.soak === undefined;

const { relaxedSimd } = await describeRuntime();
console.log(`${cpus()[0]?.model.trim() ?? 'unknown processor'}, ${cpus().length} cores, Node ${process.versions.node}, relaxed SIMD ${relaxedSimd ? 'yes' : 'no: that build is skipped'}`);
const builds = relaxedSimd ? (['base', 'relaxed'] as const) : (['base'] as const);
if (all || values.kernels) for (const build of builds) await benchKernels(build);
if (all || values.neurons) for (const build of builds) benchNeurons(build, 5 * rounds, layerOf(values.dtype, values.layer));
if (all || values.model) await benchModel(rounds, builds);
if (all || values.sparse) await benchSparse(rounds, values.out);
if (values.real) await benchReal(rounds, positionals);
if (checks && !(await check(builds, rounds, { ...values, tolerance }))) process.exitCode = 1;
if (values.soak !== undefined) {
  if (!(await soak(minutes, values.file))) process.exitCode = 1;
  setTimeout(() => { console.log(`still alive: ${process.getActiveResourcesInfo().join(', ')}`); process.exit(1); }, 10_000).unref();
}
