/**
 * `clada run --compare`: the prompt answered dense; then what skipping neurons makes of speed and quality on this machine, side by side.
 */
import type { GenerateOptions, Generation, GenerationStats, Model, SparsityOptions } from 'clada';
import { closing, stream, type Streamed } from './generate.ts';
import { note, print } from './output.ts';
import { styleFor } from './style.ts';

const dense: SparsityOptions = { method: 'dense' };

interface Answered extends Streamed { readonly generation: Generation }

/**
 * `sparsity` of the options, 'auto' where they have none: where that decides for dense it says why, and what turns out slower is not shown
 * as the point.
 */
export async function compare(start: (options: GenerateOptions) => Generation, options: GenerateOptions, model: Model): Promise<void> {
  const sparsity = options.sparsity ?? { method: 'auto' }, isAuto = sparsity.method === 'auto', seed = options.seed ?? 1;
  const { bold } = styleFor(process.stderr, process.env);
  const answer = async (own: SparsityOptions, quiet: boolean): Promise<Answered> => {
    const generation = start({ ...options, seed, sparsity: own, telemetry: true });
    return Object.assign(await stream(generation, quiet), { generation });
  };
  note(bold('dense'));
  await warm(model, dense, options.signal);
  const first = await answer(dense, false);
  closing(first.generation, model, first);
  if (first.aborted) return;
  const { method = '', warnings } = await warm(model, sparsity, options.signal);
  for (const why of warnings) note(`\nskipping: ${why}`);
  if (method === 'dense') return;
  if (!isAuto) note(`\n${bold(method)}`);
  const second = await answer(sparsity, isAuto), speed = ({ generation }: Answered): number => generation.stats().generatePerSecond;
  if (second.aborted) return;
  if (isAuto && !(speed(second) > speed(first))) {
    note(`\nskipping: ${method} keeps the bound and was the fastest of those measured, but took longer than dense in this answer `
      + `(${speed(second).toFixed(1)} tok/s): dense is the better choice here.`);
    return;
  }
  if (isAuto) { note(`\n${bold(method)}`); print(second.text); }
  table([first, second]);
  let same = 0;
  while (same < first.text.length && first.text[same] === second.text[same]) same++;
  note(`The answers are the same for the first ${same} characters. `
    + "KL and agreement are the calibration's; speed is this machine's, one answer after the other.");
}

/** Some other words first: code is compiled, weights are packed, 'auto' is measured. */
async function warm(model: Model, sparsity: SparsityOptions, signal: AbortSignal | undefined): Promise<GenerationStats> {
  const generation = model.generate('Once', { sparsity, maxTokens: 8, ...(signal ? { signal } : {}) });
  await generation.text();
  return generation.stats();
}

function table(answers: readonly Answered[]): void {
  const rows = answers.map(({ generation }) => {
    const { generatePerSecond, density, expected, weightBytesPerSecond, method } = generation.stats();
    const unknown = method === 'dense' ? ['0', '100 %'] : ['not calibrated', 'not calibrated'];
    return [
      method ?? '', generatePerSecond.toFixed(1), (weightBytesPerSecond / generatePerSecond / 1e6).toFixed(1),
      `${(100 * density).toFixed(0)} %`,
      ...(expected ? [expected.kl.toFixed(3), `${(100 * expected.top1).toFixed(1)} %`] : unknown),
    ];
  });
  const head = ['', 'tok/s', 'MB a token', 'weights used', 'KL (nats)', 'same top token'];
  const widths = head.map((name, i) => Math.max(name.length, ...rows.map((row) => row[i]!.length)));
  const padded = (cell: string, i: number): string => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!));
  note('');
  for (const row of [head, ...rows]) note(row.map(padded).join('   '));
}
