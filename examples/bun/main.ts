/**
 * Bun: the package from npm, a model as one of Bun's files, which are Blobs and are read piece by piece.
 *
 *   bun add clada && bun main.ts model.gguf
 */
import { load } from 'clada';

declare const Bun: { file(path: string): Blob; argv: string[]; write(to: Blob, text: string): Promise<number>; stdout: Blob };

const [path] = Bun.argv.slice(2);
if (path === undefined) throw new Error('bun main.ts model.gguf');
await using model = await load(Bun.file(path), { contextSize: 1024 });
const answer = model.chat({ system: 'You answer in one sentence.' }).send('What is the capital of France?', { temperature: 0 });
for await (const { text } of answer) await Bun.write(Bun.stdout, text);
console.log(`\n${answer.stats().generatedTokens} tokens, build ${model.info.tier}: ${model.info.tierReason}`);
