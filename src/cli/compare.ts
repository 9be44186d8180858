/** `clada run --compare`: the prompt answered dense; then what skipping neurons makes of speed and quality on this machine, side by side. */
import type { GenerateOptions, Generation, Model, SparsityOptions } from 'clada';
import { bandwidthOf, closing, machineParts, stream, type Streamed } from './generate.ts';
import { note } from './output.ts';
import { styleFor } from './style.ts';

const dense: SparsityOptions = { method: 'dense' };

interface Answered extends Streamed { readonly generation: Generation }

/** `sparsity` of the options, 'auto' where they have none: where that decides for dense it says why, and nothing slower is shown. */
export async function compare(start: (options: GenerateOptions) => Generation, options: GenerateOptions, model: Model): Promise<void> {
  const sparsity = options.sparsity ?? { method: 'auto' }, seed = options.seed ?? 1, { bold } = styleFor(process.stderr, process.env);
  const answer = async (own: SparsityOptions): Promise<Answered> => {
    await start({ ...options, sparsity: own, maxTokens: 8 }).text(); // warm: compiled, packed
    const generation = start({ ...options, seed, sparsity: own, telemetry: true });
    return Object.assign(await stream(generation, false), { generation });
  };
  note(bold('dense'));
  const first = await answer(dense);
  closing(first.generation, model, first);
  if (options.signal?.aborted) return;
  note('');
  if (sparsity.method === 'auto') note('Measuring what could be skipped …');
  const trial = start({ ...options, sparsity, maxTokens: 1 });
  await trial.text();
  const { method, warnings } = trial.stats();
  warnings.forEach((why) => { note(`skipping: ${why}`); });
  if (method === 'dense') return;
  note(bold(method ?? ''));
  const second = await answer(sparsity);
  if (second.aborted) return;
  table([first, second]);
  let same = 0;
  while (same < first.text.length && first.text[same] === second.text[same]) same++;
  note(`The answers are the same for the first ${same} characters. KL and agreement are the calibration's; speed is this machine's, one answer after the other.`);
  note([`memory bandwidth ${bandwidthOf(model).toFixed(1)} GB/s`, ...machineParts(model)].join(' · '));
}

function table(answers: readonly Answered[]): void {
  const rows = answers.map(({ generation }) => {
    const { generatePerSecond, density, expected, weightBytesPerSecond, method } = generation.stats(), unknown = method === 'dense' ? ['0', '100 %'] : ['not calibrated', 'not calibrated'];
    return [
      method ?? '', generatePerSecond.toFixed(1), (weightBytesPerSecond / generatePerSecond / 1e6).toFixed(1), `${(100 * density).toFixed(0)} %`,
      ...(expected ? [expected.kl.toFixed(3), `${(100 * expected.top1).toFixed(1)} %`] : unknown),
    ];
  });
  const head = ['', 'tok/s', 'MB a token', 'weights used', 'KL (nats)', 'same top token'], widths = head.map((name, i) => Math.max(name.length, ...rows.map((row) => row[i]!.length)));
  note('');
  for (const row of [head, ...rows]) note(row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join('   '));
}
