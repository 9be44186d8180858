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
import type { Spread } from '../scripts/page.ts';
import { absent, reals, textNames, type Real } from '../test/real/real.ts';
import { engines } from './engines.ts';
import { run } from './legs.ts';
import { spreadOf } from './report.ts';

const root = fileURLToPath(new URL('..', import.meta.url)), execute = promisify(execFile);
const prompt = 256, predict = 64;

const json = async (command: string, args: readonly string[]): Promise<unknown> =>
  JSON.parse((await execute(command, args, { cwd: root, maxBuffer: 2 ** 26 })).stdout);

/** One thread each, ratios within a round. */
async function speedOf({ name, path }: Real, rounds: number): Promise<RealRecord['speed']> {
  const entrants = [engines.native, engines.relaxed, engines.base].map((engine) => ({ engine, threads: 1 }));
  const records = await run({ name, topic: 'native', file: name, model: () => path, entrants, asked: { prompt, predict, contextSize: 512 }, rounds, weight: 1 }, { command: '' });
  const failed = records.find((record) => record.type === 'skip');
  if (failed) throw new Error(`${failed.entrant}: ${failed.reason}`);
  const runs = records.filter((record) => record.type === 'run'), of = (entrant: string): typeof runs => runs.filter((one) => one.entrant === entrant);
  const against = of(engines.native.name);
  const ratio = (list: typeof runs, what: 'prompt' | 'decode'): Spread =>
    spreadOf(list.map((one) => one[what]! / against.find(({ round }) => round === one.round)![what]!));
  return {
    prompt, predict, rounds, bandwidth: spreadOf(of(engines.relaxed.name).map(({ bandwidth }) => bandwidth!)),
    engines: entrants.map(({ engine }) => {
      const list = of(engine.name);
      return {
        name: engine === engines.native ? list[0]!.engine : engine.name, prefill: spreadOf(list.map((one) => one.prompt!)), decode: spreadOf(list.map((one) => one.decode!)),
        prefillRatio: ratio(list, 'prompt'), decodeRatio: ratio(list, 'decode'),
      };
    }),
  };
}

async function measure(real: Real, rounds: number): Promise<RealRecord> {
  const { name, path } = real, truth = real.truth(), speed = await speedOf(real, rounds);
  const { seconds, before, peak, memoryBytes } = (await json(process.execPath, ['test/helpers/peak.mjs', path])) as RealRecord['load'];
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
