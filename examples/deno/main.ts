/**
 * Deno: the package from npm, a model from a path.
 *
 *   deno add npm:clada && deno run --allow-read main.ts model.gguf
 */
import process from 'node:process';
import { load } from 'clada';

const [path] = process.argv.slice(2);
if (path === undefined) throw new Error('deno run --allow-read main.ts model.gguf');
await using model = await load(path, { contextSize: 1024 });
const answer = model.chat({ system: 'You answer in one sentence.' }).send('What is the capital of France?', { temperature: 0 });
for await (const { text } of answer) process.stdout.write(text);
console.log(`\n${answer.stats().generatedTokens} tokens, build ${model.info.tier}: ${model.info.tierReason}`);
