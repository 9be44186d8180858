/** Requests in OpenAI's batch format, one a line: node requests.mjs > in.jsonl */
const places = ['France', 'Italy', 'Spain', 'Poland', 'Greece', 'Norway', 'Japan', 'Egypt', 'Peru', 'Kenya', 'Cuba', 'India'];

for (const place of places) {
  const messages = [{ role: 'system', content: 'You answer in one sentence.' }, { role: 'user', content: `What is the capital of ${place}?` }];
  const body = { messages, max_tokens: 40, temperature: 0 };
  console.log(JSON.stringify({ custom_id: place, method: 'POST', url: '/v1/chat/completions', body }));
}
