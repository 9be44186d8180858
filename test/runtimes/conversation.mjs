/**
 * A conversation that begins in one runtime and goes on in another, on the build `base`: saved in the middle of an answer that skips neurons.
 * Plain JavaScript, as conformance.mjs.
 */
const greedy = { temperature: 0, ignoreEos: true }, before = 8;

/** @returns {Promise<{ snapshot: Uint8Array, rest: number[] }>} the saved conversation, and the token ids that follow where it began */
export async function begin(model) {
  const chat = model.chat({ system: 'You are a terse painter.' }), ids = [];
  await chat.send('Name a colour that you like.', { ...greedy, maxTokens: 16 }).text();
  let snapshot;
  for await (const { id } of chat.send('Why that one?', { ...greedy, maxTokens: 40, sparsity: { method: 'clada', density: 0.7 } })) {
    ids.push(id);
    if (ids.length === before) snapshot = await chat.save();
  }
  return { snapshot, rest: ids.slice(before) };
}

/** @returns {Promise<number[]>} the token ids that follow here */
export async function goOn(model, snapshot) {
  return (await (await model.restore(snapshot)).resume().tokens()).map(({ id }) => id);
}
