/** `clada pull`: a model into the cache, with a bar on stderr and the paths on stdout. Cut by Ctrl-C it goes on the next time. */
import { InputError, pull as fetchModel, type PullOptions, type PullProgress } from 'clada';
import type { Values } from './commands.ts';
import { modelPath, networkOf } from './model.ts';
import { note, print, printJson, redact } from './output.ts';
import { bar } from './style.ts';

const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(1);

/** Draws the bar at most ten times a second. */
function progressLine(): (progress: PullProgress) => void {
  let drawn = -Infinity, file = '', from = 0, started = 0;
  return ({ file: current, loaded, total }) => {
    const now = performance.now();
    if (current !== file) { file = current; from = loaded; started = now; }
    if (now - drawn < 100 && loaded !== total) return;
    drawn = now;
    const seconds = (now - started) / 1000, rate = seconds > 0.2 ? ` at ${megabytes((loaded - from) / seconds)} MB/s` : '';
    const share = total === undefined ? megabytes(loaded)
      : `${bar(loaded / Math.max(total, 1))} ${megabytes(loaded)} of ${megabytes(total)}`;
    process.stderr.write(`\r\x1b[K${redact(file).split('/').pop()!.slice(0, 40)} ${share} MB${rate}`);
  };
}

export async function pull(values: Values<'pull'>, signal: AbortSignal): Promise<void> {
  const { model, sha256, cache, connections, retries, offline } = values, { stderr } = process;
  if (model === undefined) throw new InputError('E_USAGE', {
    subject: 'clada pull', found: 'no address', expected: 'a URL, hf:owner/repo/file or a name',
    remedy: 'clada pull hf:owner/repo/model.gguf',
  });
  const options: PullOptions = {
    ...networkOf(values, signal), ...(sha256 ? { sha256 } : {}), ...(cache === undefined ? {} : { cache: { directory: cache } }),
    ...(connections === undefined ? {} : { connections }),
    ...(retries === undefined ? {} : { retries }), ...(offline ? { offline } : {}), ...(stderr.isTTY ? { onProgress: progressLine() } : {}),
  };
  const files = await fetchModel(modelPath(model), options).finally(() => { if (stderr.isTTY) stderr.write('\r\x1b[K'); });
  if (values.json) { printJson(files.map((file) => ({ ...file, url: redact(file.url) }))); return; }
  for (const { path, url, bytes, sha256, cached } of files) {
    print(path ?? redact(url));
    note(`${cached ? 'was here already' : 'fetched'}, ${megabytes(bytes)} MB${sha256 === undefined ? '' : `, sha256 ${sha256}`}`);
  }
}
