/** Batches for tests: requests to a tiny model, and what became of them. */
import { existsSync, readFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import type { BatchResult } from '../../src/batch/index.ts';
import { load } from '../../src/index.ts';
import { createServer } from '../../src/server/index.ts';

const words = ['one', 'the house', 'water and', 'I am', 'a', 'Zürich', 'once upon', 'x = 5'];

/** A file of requests whose answers never vary; a third asks for more tokens than others. */
export function requests(count: number, tokens = 6): string {
  return Array.from({ length: count }, (_, i) => `${JSON.stringify({
    custom_id: `request-${i}`, method: 'POST', url: '/v1/completions',
    body: { prompt: `${words[i % words.length]} ${i}`, max_tokens: i % 3 === 0 ? 3 * tokens : tokens, temperature: i % 2, seed: i },
  })}\n`).join('');
}

export function readResults(path: string): BatchResult[] {
  const text = existsSync(path) ? readFileSync(path, 'utf8') : '';
  assert.ok(text === '' || text.endsWith('\n'), 'the last line is whole');
  return text.split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as BatchResult);
}

/** What was said, by custom_id; every line once. */
export function answersOf(results: readonly BatchResult[]): Map<string, string> {
  const answers = new Map<string, string>();
  for (const { custom_id: id, response, error } of results) {
    assert.not.ok(answers.has(id!), `${id} twice`);
    const body = response?.body as { choices?: { text: string; finish_reason: string }[] } | undefined, choice = body?.choices?.[0];
    assert.ok(choice, `${id}: ${JSON.stringify(error ?? response)}`);
    answers.set(id!, `${choice.finish_reason}: ${choice.text}`);
  }
  return answers;
}

/** What a server in this process answers, one after the other. */
export async function expectedOf(model: string, text: string): Promise<Map<string, string>> {
  await using loaded = await load(model);
  const server = createServer(loaded), answers = new Map<string, string>();
  for (const line of text.trim().split('\n')) {
    const { custom_id: id, url, body } = JSON.parse(line) as { custom_id: string; url: string; body: object };
    const response = await server.fetch(new Request(`http://localhost${url}`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }));
    const { choices } = await response.json() as { choices: { text: string; finish_reason: string }[] };
    answers.set(id, `${choices[0]!.finish_reason}: ${choices[0]!.text}`);
  }
  await server.close();
  return answers;
}
