/** Opening the model of a command, with progress on stderr. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { LoadOptions, Model, NetworkOptions } from 'clada';
import { InputError, load, openSource, plan } from 'clada';
import { isRemote } from '../net/address.ts';
import type { Values } from './commands.ts';
import { addressOf, looksLikeName } from './names.ts';
import { note } from './output.ts';
import { styleFor } from './style.ts';
import { readTextFile } from './text.ts';

/** In a checkout, seen from this file, as it is here and as it is built; not part of the published package. */
const embedded = ['../../models', '../models', '../../../models']
  .map((folder) => fileURLToPath(new URL(`${folder}/smollm2-135m-instruct-q4_1.gguf`, import.meta.url)));

/**
 * The file or address to load: `-m`, by its short name where no file has that name, or the embedded model.
 * @throws InputError `E_NOT_FOUND` where neither is there.
 */
export function modelPath(given: string | undefined): string {
  if (given !== undefined) {
    if (given.startsWith('file:') && URL.canParse(given)) return fileURLToPath(given);
    return isRemote(given) || !looksLikeName(given) || existsSync(given) ? given : addressOf(given);
  }
  const found = embedded.find((path) => existsSync(path));
  if (found !== undefined) return found;
  throw new InputError('E_NOT_FOUND', {
    subject: 'model', found: 'no -m, and no embedded model beside this program', expected: 'a GGUF file',
    remedy: 'Name one: clada run -m model.gguf',
  });
}

/**
 * How the embedded model is talked to: with 135M parameters it wanders into other languages and loops otherwise. Found by asking 29 simple
 * questions.
 */
export const embeddedChat = {
  system: 'You are a helpful assistant. Answer in English, in one or two sentences.', temperature: 0.1, repeatPenalty: 1.05,
} as const;

/** The system message: --system, or what the embedded model needs; other models keep their template's. */
export function systemOf({ system, model, chatTemplate }: Pick<Values<'run'>, 'system' | 'model' | 'chatTemplate'>): string | undefined {
  return system ?? (model === undefined && chatTemplate === undefined ? embeddedChat.system : undefined);
}

/** The flags of a chat, with what the embedded model needs where they say nothing. */
export function chatting<T extends Pick<Values<'run'>, 'model' | 'temperature' | 'repeatPenalty'>>(values: T): T {
  const { temperature, repeatPenalty } = embeddedChat;
  return values.model === undefined ? { temperature, repeatPenalty, ...values } : values;
}

/** How the flags of a command want a model fetched; notes of the cache go to stderr. */
export function networkOf({ verify }: { readonly verify?: boolean }, signal: AbortSignal): NetworkOptions {
  const onNote = (text: string): void => { note(`${process.stderr.isTTY ? '\r\x1b[K' : ''}${text}`); };
  return { signal, onNote, ...(verify ? { verify } : {}) };
}

/** Of a model on the network: makes sure that the cache holds what was downloaded, for who loads it without --verify from then on. */
export async function verifyCopy(path: string, values: { readonly verify?: boolean }, signal: AbortSignal): Promise<void> {
  if (!isRemote(path)) return;
  const source = await openSource(path, networkOf(values, signal), { mode: 'whole' });
  await (source.verified?.() ?? Promise.resolve()).finally(() => source.close());
}

/** What loading noticed; --json keeps stderr for errors. */
export function tellWarnings({ info: { warnings } }: Model, { json }: { readonly json?: boolean }): void {
  if (!json) warnings.forEach(note);
}

type Loading = Pick<Values<'run'>, 'model' | 'contextSize' | 'kv' | 'tier' | 'verify' | 'json'> & { readonly threads?: number | undefined };

type Opening = Loading & { calibration?: string; chatTemplate?: string; sequences?: number };

export async function openModel(values: Opening, signal: AbortSignal): Promise<Model> {
  const { stderr } = process, path = modelPath(values.model);
  const { dim } = styleFor(stderr, process.env);
  if (!values.json && values.model !== undefined && isRemote(path) && !isRemote(values.model)) note(`${values.model} is ${path}`);
  const network = networkOf(values, signal), options: LoadOptions = { ...network };
  if (values.chatTemplate !== undefined) options.chatTemplate = await readTextFile(values.chatTemplate);
  if (values.contextSize === 0) {
    const { onNote: _toldByLoad, ...quiet } = network;
    options.contextSize = (await plan(path, quiet)).model.hparams.contextLength;
  } else if (values.contextSize !== undefined) options.contextSize = values.contextSize;
  if (values.kv !== undefined) options.kv = values.kv;
  if (values.sequences !== undefined) options.sequences = values.sequences;
  if (values.tier !== undefined) options.tier = values.tier;
  if (values.threads !== undefined) options.threads = values.threads;
  if (values.calibration !== undefined) options.calibration = values.calibration === 'none' ? false : values.calibration;
  if (stderr.isTTY) {
    options.onProgress = ({ loaded, total }) => { stderr.write(`\r${dim(`loading ${Math.floor((100 * loaded) / total)} %`)}`); };
  }
  const model = await load(path, options).finally(() => { if (stderr.isTTY) stderr.write('\r\x1b[K'); });
  tellWarnings(model, values);
  return model;
}
