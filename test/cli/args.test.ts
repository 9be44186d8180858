import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { AbortedError, InputError } from '../../src/errors.ts';
import { exitCodeOf, parseCommandLine, samplerOptionsOf } from '../../src/cli/args.ts';
import { commandNames, commands, type Command } from '../../src/cli/commands.ts';
import { helpText } from '../../src/cli/help.ts';
import { plainStyle, styleFor, wrap } from '../../src/cli/style.ts';
import { resolveSamplerOptions, samplerOptionNames } from '../../src/sampler/options.ts';

const test = suite('cli/args');

const parse = (...argv: string[]) => parseCommandLine(argv);

/** The usage error of a command line, which must mention every given text. */
function refused(argv: string[], ...mentions: string[]): void {
  try {
    parseCommandLine(argv);
  } catch (error) {
    assert.instance(error, InputError);
    assert.is((error as InputError).code, 'E_USAGE');
    assert.is(exitCodeOf(error), 2);
    for (const text of mentions) assert.ok((error as Error).message.includes(text), `${JSON.stringify(text)} is not in: ${(error as Error).message}`);
    return;
  }
  assert.unreachable(`accepted: ${argv.join(' ')}`);
}

test('run: every flag becomes a typed property', () => {
  assert.equal(parse('run', '-m', 'a.gguf', '-p', 'Once upon', '-n', '128', '--temp', '.7', '--top-k=0', '--top-p', '1', '--min-p', '0.1',
    '--typical', '0.9', '--repeat-penalty', '1.1', '--frequency-penalty', '-0.5', '--presence-penalty', '1e-1', '--repeat-last-n', '-1',
    '--logit-bias', '15043+1', '--logit-bias', '7-inf', '-s', '42', '--stop', 'END', '--stop', '\n\n', '-c', '512', '--kv', 'q8',
    '--tier', 'base', '--system', 'Be brief.', '--chat', '--json', '--stats'), {
    command: 'run',
    values: {
      model: 'a.gguf', prompt: 'Once upon', predict: 128, temperature: 0.7, topK: 0, topP: 1, minP: 0.1, typicalP: 0.9, repeatPenalty: 1.1,
      frequencyPenalty: -0.5, presencePenalty: 0.1, repeatLastN: -1, logitBias: new Map([[15043, 1], [7, -Infinity]]), seed: 42,
      stop: ['END', '\n\n'], contextSize: 512, kv: 'q8', tier: 'base', system: 'Be brief.', chat: true, json: true, stats: true,
    },
  });
});

test('absent flags are absent, the last of several wins', () => {
  assert.equal(parse('run'), { command: 'run', values: {} });
  assert.equal(parse('run', '-n', '1', '-n', '2'), { command: 'run', values: { predict: 2 } });
  assert.equal(parse('doctor', '--json'), { command: 'doctor', values: { json: true } });
});

test('bench has lists and the names of llama-bench', () => {
  assert.equal(parse('bench', '-p', '512,64', '-n', '0', '-d', '0,512', '-r', '3', '-t', '1,2', '-o', 'csv'), {
    command: 'bench', values: { nPrompt: [512, 64], nGen: [0], nDepth: [0, 512], repetitions: 3, threads: [1, 2], output: 'csv' },
  });
  assert.equal(parse('bench', '-n', '16', '-n', '32-64+16,1-8*2', '-pg', '512,128', '-pg=64,16', '-m', 'a.gguf', '-m', 'b.gguf'), {
    command: 'bench', values: { nGen: [16, 32, 48, 64, 1, 2, 4, 8], nPromptGen: [512, 128, 64, 16], model: ['a.gguf', 'b.gguf'] },
  });
  assert.equal(parse('bench', '-pl', '1-3'), { command: 'bench', values: { parallel: [1, 2, 3] } });
  for (const range of ['8-4', '1-8*1', '0-8*2', '1-8+0', '1-']) refused(['bench', '-n', range], JSON.stringify(range), 'commas');
  refused(['bench', '-pg', '0,16'], 'from 1 up');
  refused(['bench', '-pl', '2', '-d', '64'], '--pl and --n-depth together');
  refused(['bench', '-p', '512,'], '-p', '"512,"', 'commas');
  refused(['bench', '-t', '0'], '1 … 64');
  refused(['bench', '-o', 'xml'], 'md, json, jsonl or csv');
  refused(['bench', '--json', '-o', 'md'], '--json and --output together');
});

test('eval has lists of known words', () => {
  assert.equal(parse('eval', '--tasks', 'piqa, boolq,piqa', '--data', 'd', '--methods', 'dense,clada:0.6', '--limit', '5', '--protocol', 'strict', '--out', 'o.jsonl'), {
    command: 'eval', values: { tasks: ['piqa', 'boolq'], data: 'd', methods: ['dense', 'clada:0.6'], limit: 5, protocol: 'strict', out: 'o.jsonl' },
  });
  const all = parse('eval', '--tasks', 'all');
  assert.ok(all.command === 'eval' && all.values.tasks!.length === 9 && !all.values.tasks!.includes('xsum'));
  refused(['eval', '--tasks', 'piqa,bolq'], '--tasks', '"bolq"', 'Did you mean boolq?');
  refused(['eval', '--tasks', 'piqa,'], 'commas between');
  refused(['eval', '--tasks', 'nothing-like-it'], 'any of boolq', 'Change the value.');
  refused(['eval', '--tasks', 'piqa', '-f', 'a'], '--file and --tasks together');
});

test('bare arguments: a model for inspect, a text for tokenize, none for run', () => {
  assert.equal(parse('inspect', 'm.gguf', '--json'), { command: 'inspect', values: { model: 'm.gguf', json: true } });
  assert.equal(parse('tokenize', '--', '--model'), { command: 'tokenize', values: { prompt: '--model' } });
  refused(['run', 'hello'], 'one argument too many', '"hello"', 'flags only');
  refused(['inspect', 'a.gguf', 'b.gguf'], '"b.gguf"', 'one model');
  refused(['inspect', '-m', 'a.gguf', 'b.gguf'], '"b.gguf"');
});

test('values may begin with a dash, but a flag is not a value', () => {
  assert.equal(parse('run', '-p', '-hello-'), { command: 'run', values: { prompt: '-hello-' } });
  assert.equal(parse('run', '--prompt=--json'), { command: 'run', values: { prompt: '--json' } });
  assert.equal(parse('run', '-p', ''), { command: 'run', values: { prompt: '' } });
  assert.equal(parse('run', '-p=Once', '-n=8', '--seed', '-1', '--top-k', '-1'), { command: 'run', values: { prompt: 'Once', predict: 8, seed: -1, topK: -1 } });
  assert.equal(parse('run', '-p', '=x', '-m=', '-s7'), { command: 'run', values: { prompt: '=x', model: '', seed: 7 } });
  assert.equal(parse('run', '-pa=b'), { command: 'run', values: { prompt: 'a=b' } });
  assert.equal(parse('run', '-f', '-'), { command: 'run', values: { file: '-' } });
  refused(['run', '-p', '--json'], '--json, a flag, where its value should be', '--prompt=VALUE');
  refused(['run', '-p'], 'no value');
  refused(['run', '--json=yes'], '"yes"', 'no value');
});

test('numbers: wrong ones name the flag, what was found and the range', () => {
  refused(['run', '--top-p', '1.5'], '--top-p', '"1.5"', 'a number in 0 … 1');
  refused(['run', '--temp', '-1'], 'a number from 0 up');
  refused(['run', '--repeat-penalty', '0'], 'a number above 0');
  refused(['run', '-n', '1.5'], 'an integer from -1 up');
  refused(['run', '-s', '4294967296'], 'an integer in -1 … 4294967295');
  for (const text of ['NaN', 'Infinity', '0x10', '', ' 1', '1,5', '1e999', '--5']) refused(['run', '--temp', text], '--temp');
  for (const text of ['7', '7*2', '+1', '7+', '7+-1', '7+inf', '7+x', '-7+1', '99999999999999999+1']) refused(['run', '--logit-bias', text], 'token id');
  refused(['run', '--stop', ''], 'not empty');
});

test('unknown commands, flags and choices: the nearest known one is named', () => {
  refused(['rnu'], '"rnu"', 'Did you mean clada run?');
  refused(['tokenise', 'x'], 'clada tokenize?');
  refused(['--prompt', 'x'], 'a command: run, chat');
  refused(['frobnicate'], 'Try clada --help');
  refused(['run', '--top_k', '3'], 'unknown flag --top_k', 'Did you mean --top-k?');
  refused(['run', '--temprature', '3'], '--temp');
  refused(['chat', '--frobnicate'], 'unknown flag --frobnicate', 'clada chat --help');
  refused(['chat', '-p', 'x'], 'unknown flag -p');
  refused(['run', '--kv', 'q80'], 'Did you mean q8?');
  refused(['run', '--tier', 'fast'], 'auto, base or relaxed');
  refused(['run', '--__proto__', 'x'], 'unknown flag');
});

test('contradictions are refused', () => {
  refused(['eval', '-p', 'a', '-f', 'b'], '--prompt and --file together');
  refused(['run', '--chat', '--parse-special'], '--parse-special and --chat together');
  refused(['run', '--chat', '--raw'], '--chat and --raw together');
  refused(['run', '--raw', '--system', 'x'], '--system and --raw together');
});

test('help and version', () => {
  assert.equal(parse(), { command: 'help' });
  assert.equal(parse('--help'), { command: 'help' });
  assert.equal(parse('help', 'run'), { command: 'help', topic: 'run' });
  assert.equal(parse('bench', '--nonsense', '-h'), { command: 'help', topic: 'bench' });
  assert.equal(parse('--version'), { command: 'version' });
  refused(['help', 'rnu'], 'clada run?');
});

test('help texts: at most 80 columns, every flag and command in them', () => {
  for (const topic of [undefined, ...commandNames]) {
    for (const line of helpText(topic).split('\n')) assert.ok(line.length <= 80, `${line.length} columns: ${line}`);
  }
  for (const name of commandNames) {
    assert.ok(helpText().includes(name));
    for (const flag of Object.values((commands[name] as Command).flags)) assert.ok(helpText(name).includes(`--${flag.name}`), `${name} --${flag.name}`);
  }
  assert.ok(helpText('run').includes('(default 0.95)'));
  assert.equal(wrap('aa bb cc', 5), ['aa bb', 'cc']);
});

test('the table is sound: names and letters are unique, references exist', () => {
  for (const name of commandNames) {
    const { flags, positional, conflicts }: Command = commands[name];
    const names = Object.values(flags).flatMap((flag) => [flag.name, ...(flag.short ? [flag.short] : [])]);
    assert.is(new Set([...names, 'help', 'h']).size, names.length + 2, `${name}: ${names.join(' ')}`);
    for (const key of [...(conflicts ?? []).flat(), ...[positional ?? []].flat()]) assert.ok(key in flags, `${name}: ${key}`);
  }
});

test('sampling flags become sampler options, all of them and nothing else', () => {
  const parsed = parse('run', '-p', 'x', '--temp', '0.5', '-s', '7', '--logit-bias', '3-1', '--stop', 'a');
  if (parsed.command !== 'run') return assert.unreachable();
  const options = samplerOptionsOf(parsed.values);
  assert.equal(options, { temperature: 0.5, seed: 7, logitBias: new Map([[3, -1]]) });
  assert.is(resolveSamplerOptions(options).temperature, 0.5);
  for (const name of samplerOptionNames) assert.ok(name in commands.run.flags && name in commands.chat.flags, name);
});

test('exit codes', () => {
  assert.is(exitCodeOf(new AbortedError('generation')), 130);
  assert.is(exitCodeOf(new Error('anything')), 1);
  assert.is(exitCodeOf(new InputError('E_CONTEXT_FULL', { subject: 's', found: 'f', expected: 'e', remedy: 'r' })), 1);
  assert.is(exitCodeOf(new InputError('E_OPTION', { subject: 's', found: 'f', expected: 'e', remedy: 'r' })), 2);
});

test('colours: only on a terminal, never with NO_COLOR', () => {
  assert.is(styleFor({ isTTY: true }, {}).bold('x'), '\u001b[1mx\u001b[22m');
  for (const [stream, env] of [[{}, {}], [{ isTTY: false }, {}], [{ isTTY: true }, { NO_COLOR: '1' }], [{ isTTY: true }, { TERM: 'dumb' }]] as const) {
    assert.is(styleFor(stream, env), plainStyle);
  }
  assert.ok(helpText('run', styleFor({ isTTY: true }, {})).includes('\u001b['));
  assert.not.ok(helpText('run').includes('\u001b['));
});

test.run();
