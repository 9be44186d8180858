/** Results come in the order in which they are ready; custom_id says whose each is: node results.mjs out.jsonl */
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';

for await (const line of createInterface({ input: createReadStream(process.argv[2]) })) {
  const { custom_id, response, error } = JSON.parse(line), body = response?.body;
  console.log(`${custom_id}: ${error?.message ?? body.error?.message ?? body.choices[0].message.content}`);
}
