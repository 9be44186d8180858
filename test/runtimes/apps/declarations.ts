/** Every entry as a user's TypeScript meets it; what it says is compiled, not run. */
import { CladaError, load, plan, type ErrorCode, type Generation, type LoadOptions, type Model } from 'clada';
import { createClada, type CladaLanguageModel, type CladaLanguageOptions } from 'clada/ai-sdk';
import { calibrate } from 'clada/calibrate';
import { respond, type ChatRequest } from 'clada/chat';
import { openSource, readGguf, writeGguf, type GgufValue } from 'clada/gguf';

export async function use(options: LoadOptions): Promise<ErrorCode | undefined> {
  const model: Model = await load('model.gguf', options), generation: Generation = model.generate('Hello', { maxTokens: 3 });
  for await (const { text, id } of generation) console.log(text, id);
  const snapshot = new Blob([await model.chat().save()]), written = new Response(writeGguf({ key: { type: 'u32', value: 3 } }, []));
  const { metadata } = await readGguf(await openSource('model.gguf')), value: GgufValue | undefined = metadata.get('key');
  console.log(snapshot.size, written.status, value, typeof calibrate, (await plan('model.gguf')).lines());
  const request: ChatRequest = { messages: [{ role: 'user', content: 'Hello' }] }, own: CladaLanguageOptions = { sparsity: { density: 0.6 } };
  const previous: CladaLanguageModel<'v3'> = createClada(model, { specification: 'v3' }).languageModel();
  console.log((await respond(model, request).result()).text, previous.modelId, own);
  await model[Symbol.asyncDispose]();
  try {
    await load('none.gguf');
  } catch (error) {
    if (error instanceof CladaError) return error.code;
  }
  return undefined;
}
