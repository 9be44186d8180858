/** A chat from a pipe: commands, full contexts, and answers that end. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { slashCommands } from '../../src/cli/commands.ts';
import { snapshotInfo } from '../../src/index.ts';
import { clada } from '../helpers/cli.ts';
import { tinyPath } from '../helpers/models.ts';

const test = suite('cli/chat');
const folder = mkdtempSync(join(tmpdir(), 'clada-chat-')), template = join(folder, 'chat.jinja');
writeFileSync(template, "{% for message in messages %}{{ message.role[0] }}:{{ message.content }}\n{% endfor %}{% if add_generation_prompt %}a:{% endif %}");
const tiny = ['-m', tinyPath('llama.gguf'), '--chat-template', template, '--tier', 'base'];
test.after(() => { rmSync(folder, { recursive: true }); });

interface Line { message: string; text: string; promptTokens: number; seed: number; stopReason: string; error?: { code: string } }

/** The lines that a chat printed as JSON. */
function talk(lines: string[], ...args: string[]): { answers: Line[]; stderr: string; status: number | null } {
  const { status, stdout, stderr } = clada(['chat', ...tiny, '--json', '-n', '6', ...args], lines.join('\n'));
  return { status, stderr, answers: stdout.split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as Line) };
}

test('commands: /help, /reset, /regen, /quit; one that is none says so; other lines are messages', () => {
  const { answers, stderr, status } = talk(['/help', 'Hi', '/regen', 'More', '/reset', 'Hi', '/nonsense', ' /regen', '/usr/bin', '/clear', '/regen', '/quit', 'never'], '-s', '7');
  assert.is(status, 0, stderr);
  assert.equal(answers.map(({ message }) => message), ['Hi', 'Hi', 'More', 'Hi', ' /regen', '/usr/bin']);
  const [first, anew, more, again] = answers as [Line, Line, Line, Line];
  assert.equal([first.seed, anew.seed, more.seed], [7, 8, 7]);
  assert.is(anew.promptTokens, first.promptTokens, 'the answer before is not in the prompt');
  assert.ok(more.promptTokens > first.promptTokens);
  assert.is.not(anew.text, first.text, 'another seed');
  assert.equal([again.promptTokens, again.text], [first.promptTokens, first.text], 'as in the beginning');
  for (const name of Object.keys(slashCommands)) assert.ok(stderr.includes(`  ${name} `), stderr);
  assert.match(stderr, /\/nonsense is no command \(\/help lists them\)/);
  assert.match(stderr, /There is nothing to answer anew/);
});

test('/reset keeps the system message; /exit ends as /quit does', () => {
  const { answers } = talk(['Hi', '/reset', 'Hi', '/exit', 'never'], '--system', 'Be brief, be kind.', '--temp', '0');
  assert.is(answers.length, 2);
  assert.is(answers[0]!.promptTokens, answers[1]!.promptTokens);
  assert.ok(answers[0]!.promptTokens > 20);
});

test('/save: where it says, or where --save-session does; one that cannot be does not end the chat', () => {
  const here = join(folder, 'here.clada'), later = join(folder, 'later.clada');
  const { answers, stderr, status } = talk(['Hi', `/save ${here}`, `/save ${join(folder, 'none', 'x')}`, '/save', 'More']);
  assert.is(status, 0);
  assert.is(answers.length, 2);
  assert.is(snapshotInfo(readFileSync(here)).kind, 'chat');
  assert.match(stderr, /none\/x: found ENOENT/);
  assert.match(stderr, /\/save FILE: where to\?/);
  assert.match(talk(['Hi', '/save'], '--save-session', later).stderr, /(session saved: .*later[^]*){2}/);
  const onward = clada(['chat', ...tiny, '--load-session', here, '-n', '3', '--json'], 'And?\n');
  assert.is(onward.status, 0, onward.stderr);
});

test('a chat whose context is full says so, goes on, and is saved', () => {
  const path = join(folder, 'full.clada');
  const { answers, stderr, status } = talk(['Tell me a story about a cat.', 'Go on and on and on.', 'x'.repeat(300), '/reset', 'Hi'], '-c', '96', '-n', '40', '--ignore-eos', '--save-session', path);
  assert.is(status, 0, stderr);
  assert.is(answers.at(-1)!.message, 'Hi');
  assert.ok(answers.at(-1)!.text.length > 0, 'answered after /reset');
  assert.ok(answers.some(({ error }) => error?.code === 'E_CONTEXT_FULL'), JSON.stringify(answers));
  assert.match(stderr, /E_CONTEXT_FULL\]\nThe conversation fills the context: \/reset/);
  assert.ok(existsSync(path));
});

test('an answer that loops is stopped in a chat, and in a run where it is asked for', () => {
  const loop = ['--logit-bias', '9+1000', '--ignore-eos'], chat = talk(['Hi'], ...loop, '-n', '90');
  assert.is(chat.answers[0]!.stopReason, 'loop');
  assert.match(chat.stderr, /Stopped: it said the same thing over and over \(--loop-guard\)/);
  assert.is(talk(['Hi'], ...loop, '-n', '90', '--loop-guard', '0').answers[0]!.stopReason, 'length');
  const run = (...args: string[]): string => (JSON.parse(clada(['run', ...tiny.slice(0, 2), '-p', 'Hi', '--json', '-n', '90', ...loop, ...args]).stdout) as Line).stopReason;
  assert.equal([run(), run('--loop-guard', '3')], ['length', 'loop']);
});

test('--parse-special reads control tokens; --chat-template is used, and refused where it is none', () => {
  const count = (...args: string[]): number => (JSON.parse(clada(['run', '-p', '<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n', '-n', '1', '--json', ...args]).stdout) as Line).promptTokens;
  assert.is(count('--parse-special'), 10);
  assert.ok(count() > 20);
  const bad = join(folder, 'bad.jinja');
  writeFileSync(bad, '{% for %}');
  const refused = clada(['chat', '-m', tinyPath('llama.gguf'), '--chat-template', bad], 'Hi\n');
  assert.is(refused.status, 1);
  assert.match(refused.stderr, /E_CHAT_TEMPLATE/);
});

test('simple questions to the embedded model: answered, in English, to an end', () => {
  const questions: [string, RegExp][] = [['What is the capital of France?', /Paris/], ['How many days are in a week?', /7|seven/i], ['Who wrote Romeo and Juliet?', /Shakespeare/], ['What is the capital of Japan?', /Tokyo/]];
  const { stdout } = clada(['chat', '--json', '--tier', 'base', '--seed', '2'], questions.map(([question]) => `/reset\n${question}`).join('\n'));
  const answers = stdout.trimEnd().split('\n').map((line) => JSON.parse(line) as Line);
  for (const [i, [question, expected]] of questions.entries()) {
    assert.match(answers[i]!.text, expected, question);
    assert.is(answers[i]!.stopReason, 'eog', answers[i]!.text);
  }
});

test('statistics only where asked for', () => {
  assert.is(clada(['chat', ...tiny, '-n', '3'], 'Hi\n').stderr, '');
  assert.match(clada(['chat', ...tiny, '-n', '3', '--stats'], 'Hi\n').stderr, /prompt \d+ tokens/);
});

test.run();
