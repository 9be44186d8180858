/**
 * An agent with three tools of this machine: a calculator, the files of one folder, the clock. Ctrl-C aborts it.
 *
 *   npm install clada zod && node agent.mjs model.gguf "How many days are left in this year?"
 */
import { readdir, readFile } from 'node:fs/promises';
import { load } from 'clada';
import { runTools } from 'clada/chat';
import { z } from 'zod';

const [file = 'model.gguf', question = 'What is 1234 * 5678?', folder = '.'] = process.argv.slice(2);

const tools = [
  {
    name: 'calculate', description: 'Computes one operation on two numbers exactly.',
    parameters: z.object({ a: z.number(), operation: z.enum(['+', '-', '*', '/']), b: z.number() }),
    execute: ({ a, operation, b }) => ({ '+': a + b, '-': a - b, '*': a * b, '/': a / b })[operation],
  },
  {
    name: 'read_file', description: 'The text of a file of the folder.',
    parameters: z.object({ name: z.enum(await filesOf(folder)) }), // the schema names the files, so no other can be asked for
    execute: ({ name }, { signal }) => readFile(`${folder}/${name}`, { encoding: 'utf8', signal }),
  },
  { name: 'now', description: 'Date and time in this moment.', execute: () => new Date().toString() },
];

const model = await load(file, { contextSize: 4096 }), stop = new AbortController();
process.once('SIGINT', () => { stop.abort(); });

const run = runTools(model, {
  messages: [{ role: 'system', content: 'You answer with the help of tools.' }, { role: 'user', content: question }],
  tools, maxSteps: 5, timeout: 10_000, maxTokens: 300, temperature: 0, signal: stop.signal,
});
try {
  for await (const part of run) {
    if (part.type === 'text') process.stdout.write(part.text);
    if (part.type === 'tool-call') console.log(`→ ${part.call.name}(${part.call.arguments})`);
    if (part.type === 'tool-result') console.log(`← ${part.content.slice(0, 200)}`);
  }
  console.log();
} catch (error) {
  if (error.code !== 'E_ABORTED') throw error;
  console.log('\nstopped');
} finally {
  model.close();
}

async function filesOf(path) {
  return (await readdir(path, { withFileTypes: true })).filter((entry) => entry.isFile()).map(({ name }) => name);
}
