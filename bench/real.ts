/**
 * The real models that are here (npm run models), one after the other: speed beside native llama.cpp, loading, mean NLL against native's. Writes a line
 * for each to bench/results/models.jsonl, which docs/models.md is made of (scripts/models-page.ts).
 *
 *   npm install --prefix bench/peers --ignore-scripts && npm run bench -- --real [NAME …] [--rounds N]
 */
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { load } from 'clada';
import { readRecords, results, type RealRecord } from '../scripts/models-page.ts';
import { absent, reals, textNames, type Real } from '../test/real/real.ts';

const root = fileURLToPath(new URL('..', import.meta.url)), execute = promisify(execFile);

const json = async (command: string, args: readonly string[]): Promise<unknown> =>
  JSON.parse((await execute(command, args, { cwd: root, maxBuffer: 2 ** 26 })).stdout);

async function measure(real: Real, rounds: number): Promise<RealRecord> {
  const { name, path } = real, truth = real.truth(), node = process.execPath;
  const speed = (await json(node, ['bench/peers/compare.mjs', '--json', '--model', path, '--rounds', String(rounds), '--prompt', '256', '--predict', '64'])) as RealRecord['speed'];
  const { seconds, before, peak, memoryBytes } = (await json(node, ['test/helpers/peak.mjs', path])) as RealRecord['load'];
  await using model = await load(path, { tier: 'relaxed', kv: 'f32', contextSize: 1024, calibration: false });
  const nll: RealRecord['nll'] = {};
  for (const text of textNames) {
    const { ids, nll: { length }, meanNll, exactNll } = truth[text];
    nll[text] = [(await model.score(ids.slice(0, length + 1))).meanNll, meanNll, exactNll];
  }
  const { architecture: family, params, fileBytes, weightBytes, weightBytesPerToken } = model.info;
  return {
    name, family, file: basename(path), params, quantisation: name === 'smollm2-135m' ? 'Q4_1' : 'Q4_K_M', fileBytes, weightBytes, weightBytesPerToken, load: { seconds, before, peak, memoryBytes },
    speed, nll, machine: `${cpus()[0]?.model.trim()}, ${cpus().length} cores`, runtime: `Node ${process.versions.node}`,
    commit: (await execute('git', ['rev-parse', '--short', 'HEAD'], { cwd: root })).stdout.trim(), date: new Date().toISOString().slice(0, 10),
  };
}

export async function benchReal(rounds: number, names: readonly string[]): Promise<void> {
  const records = new Map(readRecords().map((record) => [record.name, record]));
  for (const real of reals.filter(({ name }) => names.length === 0 || names.includes(name))) {
    if (!real.isHere) { console.log(absent(real)); continue; }
    const record = await measure(real, rounds), relaxed = record.speed.engines[1]!;
    records.set(real.name, record);
    console.log(`${real.name}: prefill ${relaxed.prefillRatio[0].toFixed(2)}, decode ${relaxed.decodeRatio[0].toFixed(2)} times native; loaded in ${record.load.seconds.toFixed(2)} s`);
    const order = reals.flatMap(({ name }) => records.get(name) ?? []);
    writeFileSync(results, order.map((one) => `${JSON.stringify(one)}\n`).join(''));
  }
}
