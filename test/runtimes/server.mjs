/** The server's handler, asked as its clients ask: what it answers. Plain JavaScript, as conformance.mjs. */

/** @returns {Promise<object>} texts and statuses, the same everywhere */
export async function answers(fetch) {
  const ask = (path, body) => fetch(new Request(`http://clada.test${path}`, body && { method: 'POST', body: JSON.stringify(body) }));
  const chat = { messages: [{ role: 'user', content: 'What is the capital of France?' }], temperature: 0, max_tokens: 12 };
  const whole = await (await ask('/v1/chat/completions', chat)).json();
  const frames = (await (await ask('/v1/chat/completions', { ...chat, stream: true })).text()).trim().split('\n\n');
  const pieces = frames.slice(0, -1).map((frame) => JSON.parse(frame.slice('data: '.length)).choices[0].delta.content ?? '');
  const reader = (await ask('/v1/chat/completions', { ...chat, max_tokens: 200, ignore_eos: true, stream: true })).body.getReader();
  await reader.read();
  await reader.cancel();
  let slots;
  for (let i = 0; i < 100 && (i === 0 || slots.some((slot) => slot.is_processing)); i++) { // the news of its end takes its time
    if (i > 0) await new Promise((resolve) => { setTimeout(resolve, 50); });
    slots = await (await ask('/slots')).json();
  }
  const refused = await ask('/v1/chat/completions', { ...chat, model: 'another' });
  return {
    text: whole.choices[0].message.content, streamed: pieces.join(''), last: frames.at(-1), pieces: pieces.length > 5, usage: whole.usage.completion_tokens,
    busy: slots.filter((slot) => slot.is_processing).length, refused: [refused.status, (await refused.json()).error.code],
    health: await (await ask('/health')).json(),
  };
}
