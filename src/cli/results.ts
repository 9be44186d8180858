/** Results files of `clada eval`: reading what a run left, appending to it, and the header that says where numbers come from. */
import { execFileSync } from 'node:child_process';
import { appendFileSync, existsSync, readFileSync, truncateSync } from 'node:fs';
import { basename, isAbsolute } from 'node:path';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { Model } from 'clada';
import type { HeaderRecord, ResultLog, ResultRecord } from '../eval/records.ts';
import { checkSameRun, memoryLog, parseRecords } from '../eval/records.ts';
import { redact, unwritable } from './output.ts';

/**
 * Opens a results file for appending, a new one or that of an earlier run, whose torn last line is cut off; without a path results are kept
 * in memory only. The header goes in front of the first record that this run adds.
 * @throws FormatError `E_DATA`; InputError `E_OPTION` for a file of another model, `E_NOT_FOUND` where it cannot be written
 */
export function openLog(path: string | undefined, header: HeaderRecord): ResultLog {
  if (path === undefined) return memoryLog([header]);
  let written = false;
  const text = existsSync(path) ? readFileSync(path, 'utf8') : '';
  const { records, length } = parseRecords(text, path);
  const log = memoryLog(records);
  checkSameRun(log, header);
  try {
    if (length < text.length) truncateSync(path, Buffer.byteLength(text.slice(0, length)));
    appendFileSync(path, ''); // what cannot be written says so before anything runs
  } catch (cause) {
    throw unwritable(path, cause);
  }
  const add = (record: ResultRecord): void => {
    appendFileSync(path, `${JSON.stringify(record)}\n`);
    log.append(record);
  };
  return {
    records: log.records,
    append: (record) => {
      if (!written) add(header);
      written = true;
      add(record);
    },
  };
}

/** Absolute paths are shortened to their last part: a results file is published, and says nothing about whose machine it was. */
export function headerFor({ info }: Model, argv: readonly string[], now = new Date()): HeaderRecord {
  const [processor, ...more] = cpus();
  const word = (text: string): string => (/^[\w./:,=@+-]+$/.test(text) ? text : JSON.stringify(text));
  return {
    type: 'header', version: 1,
    command: ['clada', ...argv.map((argument) => word(isAbsolute(argument) ? `…/${basename(argument)}` : redact(argument)))].join(' '),
    machine: `${processor?.model.trim() ?? 'unknown processor'}, ${more.length + 1} cores`, commit: commit(), date: now.toISOString(),
    runtime: `Node ${process.versions.node}`,
    model: info.name, modelBytes: info.fileBytes, kv: info.kv, tier: info.tier, contextSize: info.contextSize,
  };
}

/** Of the checkout that this program stands in, marked where files differ from it; null where it is none. */
function commit(): string | null {
  // dist/ or dist/node/cli/ in a build, src/cli in the sources
  const above = ['..', '../..', '../../..'].map((up) => fileURLToPath(new URL(`${up}/`, import.meta.url)));
  const root = above.find((folder) => existsSync(`${folder}.git`));
  if (root === undefined) return null;
  try {
    const git = (...args: string[]): string =>
      execFileSync('git', args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
    const changes = git('status', '--porcelain', '--untracked-files=no', '--', 'src', 'assembly');
    return git('rev-parse', '--short', 'HEAD') + (changes === '' ? '' : ' with changes');
  } catch {
    return null;
  }
}
