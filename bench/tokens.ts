/**
 * Whole tokens, head and layers together: what each method, and each bound on the loss, makes of the time of a dense token whose head is read whole. All
 * take turns in one process, every run between two runs of that reference, greedily after the same prompt; half of the rounds with the reference loaded first,
 * half with it loaded last.
 *
 *   tsx bench/tokens.ts MODEL|SHAPE [--methods mask:0.7,clada:0.8] [--bounds 0.02,0.05,0.1] [--tier relaxed] [--threads 1] [--rounds 8] [--tokens 32] [--calibration FILE] [--out FILE]
 *
 * SHAPE: a name of bench/shapes.ts, random weights. Prints the median of the ratios, their mean with its standard error, and what `auto` chose. With bounds it fails where `auto` is slower than .98 of the
 * dense token by more than two standard errors.
 */
import { parseArgs } from 'node:util';
import type { MethodName, Model, SparsityOptions, Tier } from 'clada';
import { load } from 'clada';
import { headerFor, openLog } from '../src/cli/results.ts';
import type { ResultLog } from '../src/eval/records.ts';
import { parseMethod } from '../src/eval/subject.ts';
import { median, spreadOf, table } from './report.ts';
import { pathOf } from './shapes.ts';
import { takeTurns } from './turns.ts';

const { values, positionals } = parseArgs({ allowPositionals: true, options: {
  methods: { type: 'string', default: '' }, bounds: { type: 'string', default: '' }, tier: { type: 'string', default: 'relaxed' }, threads: { type: 'string', default: '1' },
  rounds: { type: 'string', default: '8' }, tokens: { type: 'string', default: '32' }, calibration: { type: 'string' }, out: { type: 'string' },
} });
const text = 'The harbour lay quiet under a low sky. Fishing boats knocked against the wall, and on the quay two men were counting crates by the light of a lamp. '
  + '"How many are there?" asked the younger. "Forty-one," said the other, and wrote it down. They had expected fifty, and both of them knew what the difference meant:';
const path = await pathOf(positionals[0]!), maxTokens = Number(values.tokens), rounds = Number(values.rounds);
const shared = { tier: values.tier as Tier, threads: Number(values.threads), contextSize: 512, ...(values.calibration === undefined ? {} : { calibration: values.calibration }) };
interface Contender { label: string; sparsity: SparsityOptions; bound?: boolean; ratios: number[]; ms: number[]; once: number[]; chose?: string; density?: number }
const contenders: Contender[] = [
  { label: 'dense', sparsity: { method: 'dense' }, ratios: [], ms: [], once: [] },
  ...values.methods.split(',').filter(Boolean).map((label): Contender => { const { name, options } = parseMethod(label); return { label, sparsity: { ...options, method: name as MethodName }, ratios: [], ms: [], once: [] }; }),
  ...values.bounds.split(',').filter(Boolean).map((kl): Contender => ({ label: `auto, KL <= ${kl}`, sparsity: { method: 'auto', maxKl: Number(kl) }, bound: true, ratios: [], ms: [], once: [] })),
];
const once = async (one: Model, sparsity: SparsityOptions, into?: Contender): Promise<number> => {
  const generation = one.generate(text, { temperature: 0, ignoreEos: true, maxTokens, sparsity });
  const at: number[] = [];
  for await (const _ of generation) at.push(performance.now());
  const { method, density, warnings } = generation.stats(), ms = (at.at(-1)! - at[1]!) / (at.length - 2); // copies for a mask are made for the second token
  if (into) { into.chose = method === 'dense' && into.bound ? `dense: ${warnings.at(-1) ?? ''}` : method!; into.density = density; into.once.push(at[1]! - at[0]! - ms); }
  return ms;
};
let log: ResultLog | undefined, tier = '', deviations = 0;
for (const first of ['model', 'plain']) { // what is loaded first is up to 7 % slower on some machines, whatever it is
  const open = (name: string): Promise<Model> => load(path, name === 'model' ? shared : { ...shared, head: 'whole', calibration: false });
  await using one = await open(first);
  await using other = await open(first === 'model' ? 'plain' : 'model');
  const [model, plain] = first === 'model' ? [one, other] : [other, one];
  // a file that is another model's is refused before anything is measured
  log ??= openLog(values.out, { ...headerFor(model, []), command: `tsx bench/tokens.ts ${path.split('/').pop()!} --tier ${values.tier} --threads ${values.threads}` });
  tier = model.info.tier;
  deviations = model.info.headDeviations;
  for (const { sparsity } of contenders) await once(model, sparsity); // what auto measures, it measures here; and how a matrix is read
  for (const _ of contenders) await once(plain, { method: 'dense' });
  await takeTurns(contenders, rounds / 2, () => once(plain, { method: 'dense' }), (contender) => once(model, contender.sparsity, contender), ({ ratios, ms }, own, against) => {
    ratios.push(against / own);
    ms.push(own);
  });
}
const failures: string[] = [];
const rows = contenders.map(({ label, bound, ratios, ms, once, chose, density }) => {
  const n = ratios.length, mean = ratios.reduce((a, b) => a + b, 0) / n, error = Math.sqrt(ratios.reduce((sum, r) => sum + (r - mean) ** 2, 0) / Math.max(1, n - 1) / n);
  if (bound && mean + 2 * error < 0.98) failures.push(`${label}: ${mean.toFixed(3)} +- ${error.toFixed(3)} of dense`);
  log!.append({ type: 'token', subject: label.replace(':', ' '), rounds: n, threads: shared.threads, cost: density!, ms: spreadOf(ms), token: spreadOf(ratios) });
  return [label, median(ms).toFixed(2), `${median(ratios).toFixed(3)}x`, `${mean.toFixed(3)} ± ${error.toFixed(3)}`, median(once).toFixed(0), density!.toFixed(3), chose!];
});
console.log(`${path.split('/').pop()!}, ${tier}, ${shared.threads} thread(s), head ${deviations > 0 ? 'in two stages' : 'whole'}\n${table(['what', 'ms a token', 'of dense, whole head', 'mean ± error', 'ms once a prompt', 'density', 'ran'], rows)}`);
for (const failure of failures) console.error(failure);
process.exit(failures.length > 0 ? 1 : 0);
