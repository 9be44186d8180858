/** Recorded answers of every family, cut at every place: the same parts, whatever came in one piece. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { AnswerForm } from '../../src/chat/answer.ts';
import { AnswerReader } from '../../src/chat/answer.ts';
import { formats, thinkingOf } from '../../src/chat/formats.ts';
import type { ChatPart } from '../../src/chat/index.ts';
import { recorded, tools, type Recorded } from './recorded.ts';

const test = suite('families\' answers');

const formOf = ({ format, thinking, opened }: Recorded): AnswerForm => ({
  tools, format: formats.get(format)!, thinking: thinking === undefined ? undefined : thinkingOf(thinking), opened: opened === true,
});

/** What the parts come to: pieces joined, ids left out, in their order. */
function joined(parts: readonly ChatPart[]): unknown[] {
  const all: unknown[][] = [];
  for (const part of parts) {
    const last = all.at(-1);
    if (part.type === 'finish') continue;
    if (part.type === 'tool-call') all.push([part.type, part.index, part.call.name, part.call.arguments, part.call.invalid]);
    else if (part.type === 'tool-call-start') all.push([part.type, part.index, part.name]);
    else {
      const text = part.type === 'tool-call-delta' ? part.arguments : part.text;
      assert.ok(text !== '', 'no empty pieces');
      if (last?.[0] === part.type) last[1] = `${String(last[1])}${text}`;
      else all.push([part.type, text]);
    }
  }
  return all;
}

function read(one: Recorded, pieces: readonly string[], cut = false): unknown[] {
  const reader = new AnswerReader(formOf(one));
  return joined([...pieces.flatMap((piece) => reader.push(piece)), ...reader.finish(cut)]);
}

const parsed = (text: string): unknown => {
  try { return JSON.parse(text); } catch { return text; }
};

for (const one of recorded) {
  test(`${one.format}: ${one.name}`, () => {
    const parts = read(one, [one.text]) as [string, ...unknown[]][];
    const told = (type: string): string => parts.filter(([of]) => of === type).map(([, text]) => text as string).join('');
    assert.is(told('text'), one.said ?? '');
    assert.is(told('reasoning'), one.reasoning ?? '');
    const calls = parts.filter(([of]) => of === 'tool-call').map(([, , name, args, invalid]) => ({ name, args: parsed(args as string), invalid }));
    assert.equal(calls.map(({ name, args }) => [name, args]), (one.calls ?? []).map(([name, args]) => [name, args]));
    for (const [i, { invalid }] of calls.entries()) {
      const expected = one.calls![i]![2];
      if (expected) assert.match(String(invalid), expected);
      else assert.is(invalid, undefined);
    }
    for (let at = 1; at < one.text.length; at++) assert.equal(read(one, [one.text.slice(0, at), one.text.slice(at)]), parts, `cut at ${at}`);
    assert.equal(read(one, one.text.split('')), parts, 'cut everywhere');
  });
}

test('what ends too soon is no call, wherever that is', () => {
  for (const one of recorded.filter(({ calls }) => calls?.length === 1 && !calls[0]![2])) {
    const whole = read(one, [one.text]) as [string, ...unknown[]][], form = formOf(one);
    for (let at = 0; at < one.text.length; at++) {
      const parts = read(one, [one.text.slice(0, at)], true) as [string, ...unknown[]][];
      for (const part of parts.filter(([type]) => type === 'tool-call')) assert.equal(part, whole.find(([type]) => type === 'tool-call'), `${form.format!.name} ${at}`);
    }
  }
});

test.run();
