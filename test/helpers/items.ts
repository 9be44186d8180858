/** Items of our own making in the schemas of the evaluation data, two a task, as JSON lines. */
import type { GenerationName } from '../../src/eval/generation.ts';
import type { TaskName } from '../../src/eval/items.ts';

const lines = (task: string, items: readonly object[]): string => items.map((item, i) => `${JSON.stringify({ id: `${task}-${i}`, task, ...item })}\n`).join('');
const ask = (question: string): string => `Question: ${question}\nAnswer:`;

export const madeUp: Record<TaskName | GenerationName, string> = {
  'boolq': lines('boolq', [
    { ctx: `The Ferry of Oss carries cars and bicycles across the river every day except Sunday.\n${ask('does the ferry of oss run on sunday?')}`, choices: ['no', 'yes'], label: 0 },
    { ctx: `Copper conducts heat better than steel does.\n${ask('does copper conduct heat better than steel?')}`, choices: ['no', 'yes'], label: 1 },
  ]),
  'piqa': lines('piqa', [
    { ctx: ask('How do I open a jar that is stuck?'), choices: ['Warm the lid under hot water.', 'Warm the lid in the café.'], label: 0 },
    { ctx: ask('How do I keep a door from closing?'), choices: ['Put a feather under it.', 'Put a wedge under it.'], label: 1 },
  ]),
  'arc-easy': lines('arc-easy', [
    { ctx: ask('What do plants take from the air?'), choices: ['carbon dioxide', 'iron', 'salt', 'sand'], label: 0 },
    { ctx: ask('Which of these is a liquid at room temperature?'), choices: ['wood', 'water', 'gold', 'glass'], label: 1 },
  ]),
  'arc-challenge': lines('arc-challenge', [
    { ctx: ask('Why does a metal spoon feel colder than a wooden one?'), choices: ['It is heavier.', 'It leads heat away faster.', 'It is smoother.', 'It is darker.'], label: 1 },
    { ctx: ask('What happens to the pitch of a string that is shortened?'), choices: ['It rises.', 'It falls.', 'It stays.', 'It stops.'], label: 0 },
  ]),
  'hellaswag': lines('hellaswag', [
    { ctx: 'Baking bread: A man kneads dough on a table. He', choices: ['puts it into a bowl and covers it.', 'throws it out of the window and sings.', 'paints the table blue.', 'reads it a letter.'], label: 0 },
    { ctx: 'Playing chess: Two girls sit at a board. One of them', choices: ['swims to the other side.', 'eats the clock.', 'moves a pawn.', 'sells the chair.'], label: 2 },
  ]),
  'winogrande': lines('winogrande', [
    { ctx: 'The hammer did not go into the drawer below the ladder because the', choices: ['drawer was full.', 'ladder was full.'], label: 0, options: ['drawer', 'ladder'],
      ctx_options: ['The hammer did not go into the drawer below the ladder because the drawer', 'The hammer did not go into the drawer below the ladder because the ladder'], target: 'was full.' },
    { ctx: 'Ida asked Ruth for help because', choices: ['Ida was lost.', 'Ruth was lost.'], label: 0, options: ['Ida', 'Ruth'], ctx_options: ['Ida asked Ruth for help because Ida', 'Ida asked Ruth for help because Ruth'], target: 'was lost.' },
  ]),
  'openbookqa': lines('openbookqa', [
    { ctx: 'A magnet pulls a', choices: ['paper clip', 'paper sheet', 'wool sock', 'glass bead'], label: 0 },
    { ctx: 'In winter many birds fly', choices: ['backwards', 'under water', 'south', 'to the moon'], label: 2 },
  ]),
  'sciq': lines('sciq', [
    { ctx: `Sound needs a medium to travel in.\n${ask('What does sound need to travel?')}`, choices: ['a medium', 'a vacuum', 'a lens', 'a magnet'], label: 0 },
    { ctx: ask('Which organ pumps blood?'), choices: ['the liver', 'the heart', 'the lung', 'the skin'], label: 1 },
  ]),
  'lambada': lines('lambada', [
    { ctx: 'Mina fed the parrot and the parrot thanked', target: 'Mina', text: 'Mina fed the parrot and the parrot thanked Mina' },
    { ctx: 'One, two, three, four, five, six,', target: 'seven', text: 'One, two, three, four, five, six, seven' },
  ]),
  'xsum': lines('xsum', [
    { prompt: 'Article: A bakery in Oss has baked a loaf of nine metres.\n\nSummarize the above article in 1 sentence.\n', reference: 'A bakery in Oss made a nine-metre loaf.', prompt_1shot: '' },
    { prompt: 'Article: The lighthouse keeper retired after forty years.\n\nSummarize the above article in 1 sentence.\n', reference: 'A lighthouse keeper has retired.', prompt_1shot: '' },
  ]),
  'humaneval': lines('humaneval', [
    { prompt: 'import math\n\ndef half(x):\n    return x / 2\n\ndef area(r):\n    """Half of a disc."""\n', entry_point: 'area', test: 'def check(candidate):\n    assert abs(candidate(2) - 6.283185) < 1e-5\n' },
    { prompt: 'def double(x):\n    """Twice x."""\n', entry_point: 'double', test: 'def check(candidate):\n    assert candidate(4) == 8\n' },
  ]),
  'gsm8k': lines('gsm8k', [
    { prompt: 'Tom has 3 nets with 4 lemons each. How many lemons has he?', reference: '3 x 4 = 12\n#### 12', answer: '12' },
    { prompt: 'A tram holds 1,000 people and is half full. How many people are in it?', reference: '1000 / 2 = 500\n#### 500', answer: '500' },
  ]),
};
