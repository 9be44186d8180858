/**
 * What a service of clada answers the official client: text, a stream, an object that follows a schema, vectors, a mistake.
 *
 *   npm install openai && node client.mjs
 */
import OpenAI from 'openai';

const client = new OpenAI({ baseURL: process.env.BASE_URL ?? 'http://127.0.0.1:8080/v1', apiKey: process.env.API_KEY ?? 'none' });
const [{ id: model }] = (await client.models.list()).data;
const messages = [{ role: 'system', content: 'You answer in one sentence.' }, { role: 'user', content: 'What is the capital of France?' }];

const answer = await client.chat.completions.create({ model, messages, temperature: 0, max_tokens: 60 });
console.log(answer.choices[0].message.content, answer.usage);

for await (const { choices } of await client.chat.completions.create({ model, messages, temperature: 0, max_tokens: 60, stream: true })) {
  process.stdout.write(choices[0]?.delta.content ?? '');
}

const properties = { city: { type: 'string', maxLength: 20 }, country: { enum: ['France', 'Italy'] } };
const schema = { type: 'object', properties, required: ['city', 'country'], additionalProperties: false };
const object = await client.chat.completions.create({
  model, messages, temperature: 0, max_tokens: 60, response_format: { type: 'json_schema', json_schema: { name: 'capital', schema, strict: true } },
});
console.log('\n', JSON.parse(object.choices[0].message.content));

const { data } = await client.embeddings.create({ model, input: ['The cat sleeps.', 'A kitten naps.'] });
console.log(`${data.length} vectors of ${data[0].embedding.length} dimensions`);

try {
  await client.chat.completions.create({ model: 'gpt-4', messages });
} catch (error) {
  console.log(error.status, error.message);
}
