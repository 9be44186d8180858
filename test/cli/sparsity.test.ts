/** Skipping on the command line: flags, telemetry files, bars, calibrate end to end, and a calibration that goes on where it was cut. */
import { copyFileSync, existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import v8 from 'node:v8';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { readCalibration } from '../../src/adapt/calibration.ts';
import { MemorySource } from '../../src/bytes/memory.ts';
import type { CalibrateOptions, CalibrationState } from '../../src/calibrate/calibrate.ts';
import { calibrate } from '../../src/calibrate/calibrate.ts';
import { parseCommandLine } from '../../src/cli/args.ts';
import { sparsityOf } from '../../src/cli/generate.ts';
import { TelemetryFile, sparkline } from '../../src/cli/telemetry.ts';
import type { GeneratedToken } from '../../src/index.ts';
import { load } from '../../src/index.ts';
import { clada } from '../helpers/cli.ts';
import { codeOf } from '../helpers/errors.ts';
import { tinyPath } from '../helpers/models.ts';
import { temporary, twin } from '../helpers/twin.ts';

const test = suite('cli/sparsity');
const folder = temporary(), model = join(folder, 'tiny.gguf'), beside = join(folder, 'tiny.clada.gguf');
copyFileSync(tinyPath('llama.gguf'), model);
const small = { count: 2, tokens: 32, heldOut: 2, tier: 'base' } as const;
const smallFlags = ['--count', '2', '--tokens', '32', '--held-out', '2', '--tier', 'base'];

/** RFC 4180. */
function parseCsv(text: string): string[][] {
  const rows: string[][] = [[]];
  let field = '', quoted = false;
  for (let i = 0; i < text.length; i++) {
    const c = text[i]!;
    if (quoted) {
      if (c !== '"') field += c;
      else if (text[i + 1] === '"') { field += c; i++; }
      else {
        quoted = false;
        assert.ok([',', '\n', undefined].includes(text[i + 1]), `a quote inside a field, before ${JSON.stringify(text.slice(i, i + 20))}`);
      }
    } else if (c === '"') {
      assert.is(field, '', 'a quote opens a field or none');
      quoted = true;
    } else if (c === ',' || c === '\n') {
      rows.at(-1)!.push(field);
      field = '';
      if (c === '\n') rows.push([]);
    } else field += c;
  }
  assert.not.ok(quoted, 'the last quote is closed');
  assert.equal([rows.pop(), field], [[], ''], 'the last row ends');
  return rows;
}

const flagsOf = (...argv: string[]): ReturnType<typeof sparsityOf> => {
  const parsed = parseCommandLine(['run', ...argv]);
  if (parsed.command !== 'run') throw new Error(parsed.command);
  return sparsityOf(parsed.values);
};

test('flags become options; none of them none', () => {
  assert.is(flagsOf('-p', 'x'), undefined);
  assert.is(flagsOf('--telemetry', 'f.csv'), undefined, 'a dense run has telemetry too');
  assert.equal(flagsOf('--sparsity', 'clada-paper'), { method: 'clada-paper' });
  assert.equal(flagsOf('--density', '.5'), { density: 0.5 });
  assert.equal(flagsOf('--sparsity', 'auto', '--max-kl', '0.02'), { method: 'auto', maxKl: 0.02 });
  assert.equal(flagsOf('--min-top1', '0.9'), { minTop1: 0.9 });
});

test('flags that are wrong or contradict each other', () => {
  for (const [argv, ...mentions] of [
    [['--density', '0'], '--density', 'above 0'], [['--density', '1.1'], '--density'], [['--max-kl', '-1'], '--max-kl'], [['--min-top1', '2'], '--min-top1'], [['--sparsity', 'grifin'], 'griffin?'],
    [['--density', '0.5', '--max-kl', '0.1'], '--density and --max-kl together'], [['--density', '0.5', '--min-top1', '0.9'], '--density and --min-top1 together'],
    [['--max-kl', '0.1', '--min-top1', '0.9'], '--max-kl and --min-top1 together'], [['--telemetry'], '--telemetry'],
  ] as [string[], ...string[]][]) for (const command of ['run', 'chat']) {
    try {
      parseCommandLine([command, ...argv]);
      assert.unreachable(argv.join(' '));
    } catch (error) {
      for (const text of mentions) assert.ok((error as Error).message.includes(text), `${text} is not in: ${(error as Error).message}`);
    }
  }
});

test('sparkline: least to largest, never wider than asked, one level for equal values', () => {
  assert.is(sparkline([0, 1, 2, 3, 4, 5, 6, 7]), '▁▂▃▄▅▆▇█');
  assert.is(sparkline([7, 0]), '█▁');
  assert.is(sparkline([]), '');
  assert.is(sparkline([3]), '▁');
  assert.is(sparkline([3, 3, 3]), '▁▁▁');
  assert.is(sparkline([0, 0, 8, 8], 2), '▁█', 'means of neighbours');
  for (const n of [59, 60, 61, 119, 120, 121, 1000]) assert.ok([...sparkline(Array.from({ length: n }, (_, i) => i))].length <= 60);
  assert.is([...sparkline(Array.from({ length: 61 }, (_, i) => i))].length, 31);
});

const texts = ['plain', 'a "quoted" word', 'comma, and\nline\r\nbreak', '\\n', '', '€😀'];
const made = texts.map((text, i): GeneratedToken => ({
  id: i, text, logprob: -1.5, surprisal: 1.5, entropy: 2,
  ...(i > 0 ? { step: { cogLoad: -0.25, factor: 1.02, density: 0.5, level: 0.004, thresholds: { gate: 0.00408, product: [0.1, 0.2] }, layers: [{ gate: 3, up: 2, down: 1 }], refreshed: false, reran: i === 2, prior: false, weightBytes: 100, refined: 40, tailError: 0.001 } } : {}),
}));

test('telemetry as JSON lines and as CSV: a row a token, whatever its text', async () => {
  const [jsonl, csv] = [join(folder, 'unit.jsonl'), join(folder, 'unit.CSV')];
  for (const path of [jsonl, csv]) {
    const file = new TelemetryFile(path);
    made.forEach((token) => file.add(token));
    await file.close();
  }
  const lines = readFileSync(jsonl, 'utf8').split('\n');
  assert.is(lines.pop(), '');
  const objects = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  assert.equal(objects.map(({ text }) => text), texts);
  assert.equal(objects[0], { index: 0, id: 0, text: 'plain', logprob: -1.5, surprisal: 1.5, entropy: 2, cogLoad: null, factor: null, density: null, level: null, refreshed: null, reran: null, weightBytes: null, thresholds: {}, layers: [] });
  assert.equal(objects[2]!['layers'], [{ gate: 3, up: 2, down: 1 }]);
  assert.equal([objects[2]!['level'], objects[2]!['thresholds']], [0.004, { gate: 0.00408, product: [0.1, 0.2] }]);
  const [head, ...rows] = parseCsv(readFileSync(csv, 'utf8'));
  assert.equal(head, ['index', 'id', 'text', 'logprob', 'surprisal', 'entropy', 'cogLoad', 'factor', 'density', 'level', 'refreshed', 'reran', 'weightBytes']);
  assert.is(rows.length, texts.length);
  assert.equal(rows.map((row) => row[2]), texts);
  assert.equal(rows[0], ['0', '0', 'plain', '-1.5', '1.5', '2', '', '', '', '', '', '', '']);
  assert.equal(rows[2]!.slice(6), ['-0.25', '1.02', '0.5', '0.004', 'false', 'true', '100']);
});

test('a telemetry file that cannot be written', async () => {
  assert.is(await codeOf(() => new TelemetryFile(join(folder, 'no', 'such', 'folder.jsonl'))), 'E_NOT_FOUND');
  const { status, stderr } = clada(['run', '-m', model, '-p', 'The', '-n', '4', '--telemetry', join(folder, 'no', 'f.csv')]);
  assert.is(status, 1);
  assert.match(stderr, /f\.csv.*E_NOT_FOUND/);
  assert.not.match(stderr, /\n {4}at /);
});

test('clada calibrate writes a file that load accepts and run uses', async () => {
  const { status, stdout, stderr } = clada(['calibrate', '-m', model, ...smallFlags]);
  assert.is(status, 0, stderr);
  assert.match(stdout, /tiny\.clada\.gguf: 56 tokens, 7 methods/);
  assert.equal(readdirSync(folder).filter((name) => /clada|partial|new/.test(name)), ['tiny.clada.gguf'], 'nothing else is left');
  const c = await readCalibration(new MemorySource(readFileSync(beside)));
  assert.equal([...c.levels.keys()].sort(), ['cascade', 'cats', 'clada', 'clada-paper', 'griffin', 'mask', 'tt']);
  for (const [method, levels] of c.levels) for (const [i, { cost, kl, top1, up, down }] of levels.entries()) {
    assert.ok(cost >= 0 && cost <= 1 && up >= 0 && up <= 1 && down >= 0 && down <= 1 && kl > -1e-6 && top1 >= 0 && top1 <= 1, `${method} ${i}`);
    if (i > 0) assert.ok(cost < levels[i - 1]!.cost, `${method}: from gentle to hard`);
  }
  assert.ok(Math.abs(c.surprisalWeight + c.entropyWeight - 1) < 1e-6);
  const loaded = await load(model, { sparsity: { density: 0.6 } });
  await loaded.generate('The', { maxTokens: 2 }).text();
  loaded.close();

  const run = clada(['run', '-m', model, '-p', 'The', '-n', '12', '-s', '1', '--sparsity', 'clada', '--density', '0.6', '--stats']);
  assert.is(run.status, 0, run.stderr);
  assert.match(run.stderr, /clada: \d+ % of the layers' weights skipped · calibration: KL [\d.]+ nats, same top token [\d.]+ %/);
  assert.match(run.stderr, /surprisal [▁-█]+\n.*density {3}[▁-█]+ 0\.\d\d … [01]\.\d\d/);
});

test('run: telemetry of every token, in both forms; the statistics say what ran', () => {
  for (const name of ['t.jsonl', 't.csv']) {
    const path = join(folder, name), { status, stdout, stderr } = clada(['run', '-m', model, '-p', 'The', '-n', '40', '-s', '2', '--sparsity', 'clada-paper', '--telemetry', path, '--json']);
    assert.is(status, 0, stderr);
    const stats = JSON.parse(stdout) as { generatedTokens: number; method: string; density: number; text: string };
    assert.is(stats.method, 'clada-paper');
    assert.ok(stats.density < 1);
    const text = readFileSync(path, 'utf8');
    const rows = name.endsWith('csv') ? parseCsv(text).slice(1).map((row) => ({ text: row[2]!, density: Number(row[8]), factor: Number(row[7]) }))
      : text.trimEnd().split('\n').map((line) => JSON.parse(line) as { text: string; density: number; factor: number });
    assert.is(rows.length, stats.generatedTokens);
    assert.is(rows.map((row) => row.text).join(''), stats.text);
    assert.ok(rows.slice(1).every(({ density }) => density > 0 && density <= 1) && rows.some(({ factor }, i) => i > 8 && factor !== 1));
  }
});

test('chat: the telemetry of every answer, one after the other', async () => {
  const chatty = await twin('llama.gguf', { 'tokenizer.chat_template': { type: 'string', value: "{% for m in messages %}{{ m['content'] }}\n{% endfor %}" } }), path = join(folder, 'chat.jsonl');
  const { status, stderr, stdout } = clada(['chat', '-m', chatty, '-n', '6', '-s', '4', '--sparsity', 'griffin', '--telemetry', path, '--json'], 'One.\nTwo.\n');
  assert.is(status, 0, stderr);
  const answers = stdout.trimEnd().split('\n').map((line) => JSON.parse(line) as { generatedTokens: number; text: string });
  const rows = readFileSync(path, 'utf8').trimEnd().split('\n').map((line) => JSON.parse(line) as { index: number; text: string });
  assert.is(answers.length, 2);
  assert.is(rows.map(({ text }) => text).join(''), answers.map(({ text }) => text).join(''));
  assert.equal(rows.map(({ index }) => index), rows.map((_, i) => i));
});

test('run: what cannot be is refused, a missing calibration only warned of', () => {
  const bare = tinyPath('llama.gguf');
  for (const [args, expected, message] of [
    [['-m', bare, '--sparsity', 'tt'], 1, /clada calibrate/], [['-m', model, '--sparsity', 'exact'], 1, /E_METHOD/], [['-m', model, '--sparsity', 'clada', '--max-kl', '1e-9'], 2, /gentlest level/],
  ] as [string[], number, RegExp][]) {
    const { status, stderr, stdout } = clada(['run', '-p', 'The', '-n', '4', ...args]);
    assert.is(status, expected, stderr);
    assert.match(stderr, message);
    assert.is(stdout, '');
  }
  const { status, stderr } = clada(['run', '-p', 'The', '-n', '4', '-m', bare, '--density', '0.6', '--stats']);
  assert.is(status, 0, stderr);
  assert.match(stderr, /sparsity: no calibration of this model: clada falls back to wina/);
  assert.match(stderr, /wina: 40 % .* · loss not calibrated/);
});

test('inspect shows the tables of a calibration', () => {
  const { status, stdout, stderr } = clada(['inspect', beside]);
  assert.is(status, 0, stderr);
  assert.match(stdout, /clada\.fingerprint/);
  for (const method of ['griffin', 'mask', 'tt', 'cats', 'clada-paper', 'cascade', 'clada']) assert.match(stdout, new RegExp(`^ *${method} +0 .*\\d`, 'm'));
  const json = clada(['inspect', beside, '--json']);
  assert.is(json.status, 0, json.stderr);
  assert.is((JSON.parse(json.stdout) as { levels: Record<string, unknown[]> }).levels['griffin']!.length, 6);
});

const plain = (value: unknown): unknown => (value instanceof Map ? [...value].map(([key, inner]) => [key, plain(inner)]) : ArrayBuffer.isView(value) ? Array.from(value as Float32Array)
  : Array.isArray(value) ? value.map(plain) : typeof value === 'object' && value !== null ? Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)])) : value);
/** States as they were after every call of onState, in the form that they are stored in. */
const states: Buffer[] = [];
const whole = await calibrate(model, { ...small, onState: (state) => states.push(v8.serialize(state)) });
const stored = (i: number): CalibrationState => v8.deserialize(states[i]!) as CalibrationState;

/** The phases of a run up to the tables, which take long. */
async function phasesOf(options: CalibrateOptions): Promise<string[]> {
  const abort = new AbortController(), phases = new Set<string>();
  const code = await codeOf(() => calibrate(model, { ...options, signal: abort.signal, onProgress: (phase) => { phases.add(phase); if (phase === 'thresholds') abort.abort(); } }));
  assert.is(code, 'E_ABORTED');
  return [...phases];
}

test('a calibration that was cut goes on, and ends as one that was not', async () => {
  assert.is(states.length, 4 + 2 + 2, 'after every sample, document and held-out document');
  for (const i of [0, 4, 6]) assert.equal(plain(await calibrate(model, { ...small, state: stored(i) })), plain(whole), `state ${i}`);
  assert.equal(await phasesOf({ ...small, state: stored(3) }), ['statistics', 'thresholds']);
  assert.equal(await phasesOf({ ...small, state: stored(5) }), ['thresholds']);
});

test('an abort leaves a state that is sound', async () => {
  const abort = new AbortController();
  let kept: CalibrationState | undefined;
  assert.is(await codeOf(() => calibrate(model, { ...small, signal: abort.signal, onState: (state) => { kept = state; }, onProgress: (phase) => { if (phase === 'levels') abort.abort(); } })), 'E_ABORTED');
  assert.equal(plain(await calibrate(model, { ...small, state: v8.deserialize(v8.serialize(kept)) as CalibrationState })), plain(whole));
});

test('a state of something else is not taken', async () => {
  const all = ['samples', 'statistics', 'thresholds'];
  for (const other of [{ seed: 2 }, { count: 3 }, { tokens: 40 }, { heldOut: 3 }]) assert.equal(await phasesOf({ ...small, ...other, state: stored(5) }), all, JSON.stringify(other));
  const document = (seed: number): number[] => Array.from({ length: 96 }, (_, i) => 3 + ((i * (89 + seed)) % 440)), documents = [1, 2, 3, 4].map(document);
  let ofThese: CalibrationState | undefined;
  const keep = (state: CalibrationState): void => { ofThese = v8.deserialize(v8.serialize(state)) as CalibrationState; };
  assert.equal(await phasesOf({ ...small, documents, onState: keep }), ['statistics', 'thresholds']);
  assert.equal(await phasesOf({ ...small, documents, state: { ...ofThese!, statisticsDone: true } }), ['thresholds']);
  assert.equal(await phasesOf({ ...small, documents: [5, 6, 7, 8].map(document), state: { ...ofThese!, statisticsDone: true } }), ['statistics', 'thresholds'], 'as many documents, but others');
});

test('documents that are too short to be measured on', async () => {
  const short = [1, 2, 3, 4].map((seed) => Array.from({ length: 64 }, (_, i) => 3 + ((i * (89 + seed)) % 440)));
  assert.is(await codeOf(() => calibrate(model, { ...small, documents: short })), 'E_OPTION');
  assert.is(await codeOf(() => calibrate(model, { ...small, documents: [] })), 'E_OPTION');
  for (const wrong of [{ count: 0 }, { heldOut: 1 }, { tokens: 1.5 }, { seed: -1 }, { contexts: 1 }]) assert.is(await codeOf(() => calibrate(model, wrong)), 'E_OPTION', JSON.stringify(wrong));
});

test('a damaged partial is said to be, and not gone on from', () => {
  const out = join(folder, 'damaged.clada.gguf');
  writeFileSync(`${out}.partial`, states[5]!.subarray(0, states[5]!.length >> 1));
  const { status, stderr } = clada(['calibrate', '-m', model, ...smallFlags, '--out', out]);
  assert.is(status, 0, stderr);
  assert.match(stderr, /damaged: beginning anew/);
  assert.equal(readFileSync(out), readFileSync(beside));
});

test('the command goes on from NAME.clada.gguf.partial and removes it', async () => {
  const out = join(folder, 'resumed.clada.gguf'), partial = `${out}.partial`;
  writeFileSync(partial, states[5]!);
  const { status, stderr } = clada(['calibrate', '-m', model, ...smallFlags, '--out', out]);
  assert.is(status, 0, stderr);
  assert.match(stderr, /going on from .*resumed/);
  assert.not.ok(existsSync(partial));
  assert.equal(readFileSync(out), readFileSync(beside), 'the same bytes as of a run that was not cut');
});

test('a model without a gate: calibrated for what it can do', async () => {
  const gpt2 = tinyPath('gpt2.gguf'), out = join(folder, 'gpt2.clada.gguf');
  const { status, stderr } = clada(['calibrate', '-m', gpt2, ...smallFlags, '--out', out]);
  assert.is(status, 0, stderr);
  const loaded = await load(gpt2, { calibration: out, tier: 'base' });
  for (const method of ['griffin', 'mask', 'tt', 'clada-paper'] as const) {
    const generation = loaded.generate([5, 6, 7, 8, 9, 10, 11], { maxTokens: 8, ignoreEos: true, sparsity: { method, density: 0.7 } });
    await generation.text();
    assert.ok(generation.stats().density < 0.98, `${method}: ${generation.stats().density}`);
  }
  assert.is(await codeOf(() => loaded.generate([5], { sparsity: { method: 'cascade' } })), 'E_METHOD');
  loaded.close();
});

test('--compare answers twice and shows both, side by side', () => {
  const { status, stdout, stderr } = clada(['run', '-m', model, '-p', 'a tale', '-n', '8', '--temp', '0', '--compare', '--sparsity', 'griffin', '--density', '0.5', '--ctx-size', '64']);
  assert.is(status, 0, stderr);
  assert.is(stdout.trimEnd().split('\n').length >= 2, true);
  const rows = stderr.split('\n').filter((line) => /^(dense|griffin) +\d/.test(line));
  assert.is(rows.length, 2, stderr);
  assert.match(rows[0]!, /100 % +0 +100 %/);
  assert.match(rows[1]!, /50 %/);
});

test('--compare alone: dense and one line of figures, then what auto says; what is slower is never shown beside it', () => {
  const { status, stdout, stderr } = clada(['run', '-m', model, '-p', 'a tale', '-n', '24', '--temp', '0', '--ignore-eos', '--compare', '--ctx-size', '64']);
  assert.is(status, 0, stderr);
  assert.match(stderr, /^dense\nprompt \d+ tokens.* · generated 24 at .*\n/);
  const speeds = [...stderr.matchAll(/^(?:dense|[a-z-]+) +(\d+\.\d) +/gm)].map(([, speed]) => Number(speed));
  if (speeds.length === 0) assert.match(stderr, /\nskipping: .*dense is (the fastest|the better choice)/);
  else assert.ok(speeds.length === 2 && speeds[1]! >= speeds[0]!, stderr);
  assert.ok(stdout.trim().length > 0);
});

test.run();
