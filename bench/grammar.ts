/**
 * What a constraint costs: text under a JSON schema against free text of as many tokens in turns, with a fresh schema each time and with one
 * that is known; then the tokens of a vocabulary sorted, schemas compiled and masks of a text at every token. Milliseconds of the processor
 * (one thread and the runtime's own), so that what else runs on the machine hardly counts.
 *
 *   tsx bench/grammar.ts [MODEL.gguf] [--vocabulary OTHER.gguf] [--rounds 5] [--tokens 64]
 */
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { load, type Constraint, type Tokenizer } from 'clada';
import { createGrammar } from 'clada/grammar';
import { openFile } from '../src/bytes/file.ts';
import { readGguf } from '../src/format/gguf/read.ts';
import { createTokenizer } from '../src/tokenizer/tokenizer.ts';
import { median } from './report.ts';
import { takeTurns } from './turns.ts';

const { values, positionals } = parseArgs({ allowPositionals: true, options: {
  vocabulary: { type: 'string' }, rounds: { type: 'string', default: '5' }, tokens: { type: 'string', default: '64' },
} });
const path = positionals[0] ?? fileURLToPath(new URL('../models/smollm2-135m-instruct-q4_1.gguf', import.meta.url));
const rounds = Number(values.rounds), wanted = Number(values.tokens);
const text = { type: 'string' };
const schema = {
  type: 'object', required: ['name', 'age', 'tags', 'address', 'note'],
  properties: {
    name: text, age: { type: 'integer', minimum: 0, maximum: 130 }, tags: { type: 'array', items: { ...text, maxLength: 20 } },
    address: { type: 'object', required: ['street', 'zip'], properties: { street: text, zip: { ...text, pattern: '^[0-9]{5}$' } } },
    note: { ...text, minLength: 5, maxLength: 300 },
  },
};
const document = JSON.stringify({
  name: 'Ada Lovelace', age: 36, tags: ['mathematics', 'poetry', 'analytical'], address: { street: '12 St James Square, London', zip: '12345' },
  note: 'She wrote the first published algorithm for a machine, and saw that it might compose music of any complexity.',
});
/** Milliseconds of the processor so far. */
function spent(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
let made = 0;
/** One that was never seen: what was compiled for another does not serve it. */
const fresh = (): object => ({ ...schema, title: `schema ${made++}` });

function figures(name: string, tokenizer: Tokenizer): void {
  const grammar = createGrammar(tokenizer), ids = tokenizer.encode(document);
  const timed = (run: () => void): number => { const started = spent(); run(); return spent() - started; };
  const start = timed(() => { grammar.regex('a'); }), compiled: number[] = [], first: number[] = [], worst: number[] = [], again: number[] = [];
  for (let round = 0; round < 4 * rounds; round++) {
    const one = fresh();
    compiled.push(timed(() => { grammar.jsonSchema(one); }));
    for (const list of [first, again]) {
      const constraint = grammar.jsonSchema(one);
      let most = 0;
      list.push(timed(() => {
        for (const id of ids) {
          most = Math.max(most, timed(() => { constraint.mask(); }));
          constraint.accept(id);
        }
      }) / ids.length);
      if (list === first) worst.push(most);
    }
  }
  const show = (label: string, list: number[]): string => `${label} ${list[0]!.toFixed(2)} at first, median ${median(list).toFixed(4)}`;
  console.log(`${name}, ${tokenizer.vocabSize} tokens: sorted in ${start.toFixed(0)} ms; ${show('compiled', compiled)}; ${ids.length} tokens, a mask at each:\n`
    + `  first text: ${show('mean', first)}; ${show('worst', worst)}; later texts: ${show('mean', again)}`);
}

await using model = await load(path, { contextSize: 512, threads: 1, calibration: false });
const grammar = createGrammar(model.tokenizer), prompt = 'A person as JSON: ';
/** Masks that were asked for, all in all, and what they took; tokens. */
const asked = { masks: 0, ms: 0, tokens: 0 };
async function constrained(one: object): Promise<[ms: number, tokens: number]> {
  const started = spent(), constraint = grammar.jsonSchema(one);
  const timed: Constraint = {
    allows: (id) => constraint.allows(id), accept: (id) => { constraint.accept(id); }, save: () => constraint.save(), restore: (state) => { constraint.restore(state); },
    mask: () => {
      const before = spent(), mask = constraint.mask();
      asked.ms += spent() - before;
      asked.masks++;
      return mask;
    },
  };
  const generation = model.generate(prompt, { constraint: timed, maxTokens: wanted, temperature: 0 });
  await generation.text();
  const tokens = generation.stats().generatedTokens;
  asked.tokens += tokens;
  return [spent() - started, tokens];
}
async function free(maxTokens: number): Promise<number> {
  const started = spent();
  await model.generate(prompt, { ignoreEos: true, maxTokens, temperature: 0 }).text();
  return spent() - started;
}
await free(wanted); // warm
const opening = await constrained(fresh()), tokens = opening[1];
console.log(`${path.split('/').pop()}: the first text of all ${(opening[0] / await free(tokens)).toFixed(2)} of the time of free text, ${tokens} tokens`);
const speeds = { fresh: [] as number[], known: [] as number[] };
await takeTurns(['fresh', 'known'] as const, rounds, () => free(tokens), async (which) => (await constrained(which === 'fresh' ? fresh() : schema))[0],
  (which, ms, against) => { speeds[which].push(against / ms); });
for (const which of ['fresh', 'known'] as const) {
  console.log(`  ${which} schema: ${median(speeds[which]).toFixed(3)} of the speed of free text (${speeds[which].map((speed) => speed.toFixed(2)).join(' ')})`);
}
console.log(`  a mask at ${asked.masks} of ${asked.tokens} tokens, ${(asked.ms / asked.tokens).toFixed(4)} ms a token`);
figures(path.split('/').pop()!, model.tokenizer);
if (values.vocabulary !== undefined) {
  const { metadata } = await readGguf(await openFile(values.vocabulary));
  figures(values.vocabulary.split('/').pop()!, createTokenizer(metadata));
}
