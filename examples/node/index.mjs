/**
 * A Node script against the public API: an answer streamed, a continuation repeated exactly, a text scored, a mistake caught.
 *
 *   node examples/node/index.mjs
 */
import { CladaError, load } from 'clada';

const file = new URL('../../models/smollm2-135m-instruct-q4_1.gguf', import.meta.url);
const model = await load(file, { contextSize: 1024 });  // from Node 24 on, and in TypeScript: await using model = …

console.log('# A chat, streamed');
const chat = model.chat({ system: 'You answer in one sentence.' });
for await (const { text } of chat.send('What is the capital of France?', { maxTokens: 40, temperature: 0 })) process.stdout.write(text);

console.log('\n\n# The same seed gives the same text');
const options = { maxTokens: 12, temperature: 0.8, seed: 7 };
const once = await model.generate('Once upon a time', options).text(), again = await model.generate('Once upon a time', options).text();
console.log(JSON.stringify(once), once === again);

console.log('\n# How surprising is a text?');
for (const text of ['The cat sat on the mat.', 'The cat sat on the theorem.']) {
  const { perplexity } = await model.score(text);
  console.log(text, 'perplexity', perplexity.toFixed(1));
}

console.log('\n# A mistake has a code and a remedy');
try {
  await model.generate('Hello', { maxTokens: 5, temperature: -1 }).text();
} catch (error) {
  if (!(error instanceof CladaError)) throw error;
  console.log(error.message);
}

model.close();
