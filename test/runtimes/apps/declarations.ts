/** Every entry as a user's TypeScript meets it; what it says is compiled, not run. */
import { CladaError, load, plan, type ErrorCode, type Generation, type LoadOptions, type Model } from 'clada';
import { calibrate } from 'clada/calibrate';
import { openSource, readGguf, writeGguf, type GgufValue } from 'clada/gguf';

export async function use(options: LoadOptions): Promise<ErrorCode | undefined> {
  const model: Model = await load('model.gguf', options), generation: Generation = model.generate('Hello', { maxTokens: 3 });
  for await (const { text, id } of generation) console.log(text, id);
  const snapshot = new Blob([await model.chat().save()]), written = new Response(writeGguf({ key: { type: 'u32', value: 3 } }, []));
  const { metadata } = await readGguf(await openSource('model.gguf')), value: GgufValue | undefined = metadata.get('key');
  console.log(snapshot.size, written.status, value, typeof calibrate, (await plan('model.gguf')).lines());
  await model[Symbol.asyncDispose]();
  try {
    await load('none.gguf');
  } catch (error) {
    if (error instanceof CladaError) return error.code;
  }
  return undefined;
}
