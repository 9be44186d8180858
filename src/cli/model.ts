/** Opening the model of a command, with progress on stderr. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { LoadOptions, Model } from 'clada';
import { InputError, load } from 'clada';
import type { Values } from './commands.ts';
import { styleFor } from './style.ts';

/** Beside dist/ in a checkout; not part of the published package. */
const embedded = fileURLToPath(new URL('../models/smollm2-135m-instruct-q4_1.gguf', import.meta.url));

/** The file to load: `-m`, or the embedded model. @throws InputError `E_NOT_FOUND` where neither is there. */
export function modelPath(given: string | undefined): string {
  if (given !== undefined) return given;
  if (existsSync(embedded)) return embedded;
  throw new InputError('E_NOT_FOUND', {
    subject: 'model', found: 'no -m, and no embedded model beside this program', expected: 'a GGUF file', remedy: 'Name one: clada run -m model.gguf',
  });
}

export async function openModel(values: Pick<Values<'run'>, 'model' | 'contextSize' | 'kv' | 'tier'> & { calibration?: string }, signal: AbortSignal): Promise<Model> {
  const { stderr } = process;
  const { dim } = styleFor(stderr, process.env);
  const options: LoadOptions = { signal };
  if (values.contextSize !== undefined) options.contextSize = values.contextSize;
  if (values.kv !== undefined) options.kv = values.kv;
  if (values.tier !== undefined) options.tier = values.tier;
  if (values.calibration !== undefined) options.calibration = values.calibration === 'none' ? false : values.calibration;
  if (stderr.isTTY) {
    options.onProgress = ({ loaded, total }) => { stderr.write(`\r${dim(`loading ${Math.floor((100 * loaded) / total)} %`)}`); };
  }
  try {
    return await load(modelPath(values.model), options);
  } finally {
    if (stderr.isTTY) stderr.write('\r\x1b[K');
  }
}

/** The text of `-p`, of `-f FILE`, or of standard input where it is not a terminal. */
export async function readText(values: { prompt?: string; file?: string }, command: string): Promise<string> {
  if (values.prompt !== undefined) return values.prompt;
  if (values.file !== undefined && values.file !== '-') {
    return readFile(values.file, 'utf8').catch((cause: unknown) => {
      throw new InputError('E_NOT_FOUND', { subject: values.file!, found: (cause as { code?: string }).code ?? String(cause), expected: 'a text file', remedy: 'Check the path.', cause });
    });
  }
  if (values.file === '-' || !process.stdin.isTTY) {
    const chunks: Buffer[] = [];
    for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
    return Buffer.concat(chunks).toString('utf8');
  }
  throw new InputError('E_USAGE', { subject: `clada ${command}`, found: 'no text', expected: '-p TEXT, -f FILE, or text on standard input', remedy: `clada ${command} --help shows the flags.` });
}

export const print = (line: string): void => { process.stdout.write(`${line}\n`); };
export const printJson = (value: unknown): void => { print(JSON.stringify(value)); };
export const note = (line: string): void => { process.stderr.write(`${styleFor(process.stderr, process.env).dim(line)}\n`); };
