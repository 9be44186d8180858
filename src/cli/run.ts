/** `clada run`: one prompt continued or answered; text streamed to stdout, everything else to stderr. */
import type { GenerateOptions, Generation, Model } from 'clada';
import { compare } from './compare.ts';
import type { Values } from './commands.ts';
import { afterwards, closing, generateOptions, stream, summaryOf, withTelemetry } from './generate.ts';
import { chatting, openModel, systemOf } from './model.ts';
import { printJson, redact } from './output.ts';
import { chatOf, checkSessionPath, continued, likeSession, readSession, savingAfter } from './session.ts';
import { readText } from './text.ts';

export async function run(values: Values<'run'>, signal: AbortSignal): Promise<void> {
  await checkSessionPath(values.saveSession);
  const saved = await readSession(values.loadSession), hasText = !saved || values.prompt !== undefined || values.file !== undefined;
  const prompt = hasText ? await readText(values, 'run', { signal, join: true, chomp: true }) : '';
  await withTelemetry(values.telemetry, async (telemetry) => {
    await using model = await openModel(likeSession(values, saved), signal);
    const chats = saved ? saved.info.kind === 'chat' : values.chat ?? (values.system !== undefined || values.chatTemplate !== undefined);
    const given = generateOptions(values, signal), options = chats ? generateOptions(chatting(values), signal) : given;
    const newText = (own: GenerateOptions): Generation => model.generate(values.parseSpecial ? model.tokenizer.encode(prompt, { addSpecial: true, parseSpecial: true }) : prompt, own);
    if (values.compare) {
      const system = systemOf(values);
      await compare((own) => (chats ? model.chat(system === undefined ? {} : { system }).send(prompt, own) : newText(own)), options, model); // awaited here: the model closes behind it
      return;
    }
    const conversation = chats ? await chatOf(model, saved, saved ? undefined : systemOf(values), options) : undefined;
    const generation = conversation ? (hasText ? conversation.send(prompt, options) : conversation.resume(withoutSparsity(given)))
      : saved ? await continued(model, saved, hasText ? prompt : undefined, options, values.parseSpecial) : newText(options);
    await savingAfter(values.saveSession, () => conversation ?? generation, async () => {
      const streamed = await stream(generation, values.json === true, telemetry);
      if (values.json) printJson({ prompt, ...summaryOf(generation, streamed), model: infoOf(model) });
      afterwards(generation, model);
      if (values.stats) closing(generation, model, streamed);
    });
  });
}

/** The model's info; an address without what is secret in it. */
const infoOf = ({ info }: Model): object => ({ ...info, file: redact(info.file) });

/** An answer that goes on keeps the method that it began with. */
function withoutSparsity({ sparsity: _sparsity, ...options }: GenerateOptions): GenerateOptions {
  return options;
}
