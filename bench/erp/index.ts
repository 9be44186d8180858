/**
 * The whole study: predictors of words from every model that is here, statistics in R, the page.
 *
 *   npm run bench:erp [-- --models NAME,… --corpus alone|listed|stories --methods LIST --data DIR --all --no-page]
 *
 * Needs the tables of people (../shared/erp beside the checkout, or --data DIR) and R with lme4 (Debian: apt-get install r-base-core r-cran-lme4). The models are the
 * embedded one and what `npm run models` has fetched; a calibration models/NAME.clada.gguf or beside the model is used. Words are kept in build/erp and not computed
 * again, results in bench/results/erp; `--corpus listed --methods NEW:0.8` adds a method, `--all` makes the statistics of everything anew.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { methodNames } from 'clada';
import { realModelPath, realModels } from '../../scripts/models.ts';
import { parseMethod } from '../../src/eval/subject.ts';
import { modelFile } from '../model.ts';
import { predict } from './predict.ts';

const root = fileURLToPath(new URL('../..', import.meta.url)), words = join(root, 'build/erp'), results = join(root, 'bench/results/erp');
const { values } = parseArgs({ options: {
  models: { type: 'string' }, corpus: { type: 'string' }, methods: { type: 'string' }, data: { type: 'string', default: join(root, '../shared/erp') },
  all: { type: 'boolean' }, 'no-page': { type: 'boolean' },
} });

const load = 'cascade:maxKl=0.02+cogLoad=true+cogLoadWarmup=2'; // sentences are shorter than the eight tokens before which loads do not count
const uncalibrated = ['griffin:0.8', 'griffin:0.6', 'cats:0.8+topK=true', 'tt:0.8+topK=true', 'teal:0.8', 'teal:0.6', 'wina:0.8', 'wina:0.6'];
const calibrated = [
  ...['clada', 'cascade'].flatMap((name) => ['0.9', '0.8', '0.7', '0.6', '0.5', 'maxKl=0.02'].map((budget) => `${name}:${budget}`)),
  ...['griffin', 'mask', 'cats', 'clada-paper', 'teal', 'wina'].flatMap((name) => [`${name}:0.8`, `${name}:0.6`]), 'tt:0.8', 'tt:0.733',
];
/** What runs where nothing else was asked for, of the methods that this build has. */
const plan = (isCalibrated: boolean): Record<string, readonly string[]> => ({
  alone: ['dense', ...(isCalibrated ? ['clada:0.7', 'cascade:0.7', 'cascade:0.6', 'clada-paper:0.6', load] : [])],
  listed: ['dense', ...(isCalibrated ? calibrated : uncalibrated)],
  stories: ['dense', ...(isCalibrated ? ['clada:0.7', 'cascade:0.7'] : [])],
});

const isKnown = (method: string): boolean => (methodNames as readonly string[]).includes(parseMethod(method).name);

function fail(text: string): never {
  console.error(text);
  process.exit(1);
}

/** Where every table of words came from: its first line. */
function collectRuns(): void {
  const path = join(results, 'runs.jsonl'), key = ({ name, corpus, method }: Record<string, unknown>): string => [name, corpus, method].join(' ');
  const old = existsSync(path) ? readFileSync(path, 'utf8').split('\n').filter(Boolean) : [];
  const found = (readdirSync(words, { recursive: true }) as string[]).filter((file) => file.endsWith('.tsv'))
    .map((file) => readFileSync(join(words, file), 'utf8').split('\n', 1)[0]!.slice(2));
  const runs = new Map([...old, ...found].map((line) => [key(JSON.parse(line) as Record<string, unknown>), line]));
  mkdirSync(results, { recursive: true });
  writeFileSync(path, [...runs].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, line]) => `${line}\n`).join(''));
}

if (!existsSync(join(values.data, 'frank2015-trials.tsv'))) fail(`${values.data} has no frank2015-trials.tsv: the tables of people lie in ../shared/erp, or name their folder with --data`);
if (spawnSync('Rscript', ['--version']).error) fail('Rscript was not found. On Debian: apt-get install r-base-core r-cran-lme4');
const models = [join(root, modelFile), ...Object.keys(realModels).map(realModelPath)].filter((path) => existsSync(path) && (values.models === undefined || values.models.split(',').includes(basename(path, '.gguf'))));
if (models.length === 0) fail('no model of these names is here: npm run models fetches those that are not in the checkout');
for (const model of models) {
  const calibration = [join(root, 'models', basename(model).replace(/\.gguf$/, '.clada.gguf')), model.replace(/\.gguf$/, '.clada.gguf')].find((path) => existsSync(path));
  for (const [corpus, methods] of Object.entries(plan(calibration !== undefined))) {
    if (values.corpus !== undefined && values.corpus !== corpus) continue;
    await predict({ model, calibration, corpus, methods: values.methods?.split(',') ?? methods.filter(isKnown), data: values.data, out: words });
  }
}
execFileSync('Rscript', [join(root, 'bench/erp/analyse.R'), values.data, words, results, ...(values.all ? ['all'] : [])], { stdio: 'inherit' });
collectRuns();
if (!values['no-page']) execFileSync(process.execPath, ['--import', 'tsx', join(root, 'scripts/erp-page.ts')], { stdio: 'inherit', cwd: root });
