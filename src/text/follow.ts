/** A given text under a method, token by token. Fetched when somebody asks for it. */
import type { Selection } from '../adapt/selection.ts';
import type { StepReport } from '../engine/engine.ts';
import type { SequencePool } from '../session/pool.ts';
import type { FollowOptions } from './types.ts';

/** What `model.follow` does, `selection` being what its sparsity has come to. */
export async function followTokens(
  pool: SequencePool, selection: Selection, prompt: readonly number[], continuation: readonly number[],
  each: (logits: Float32Array, report: StepReport, fed: number) => void, options: FollowOptions,
): Promise<void> {
  const { from = 0, together = false, owner = selection, signal } = options, tokens = [...prompt, ...continuation], at = prompt.length;
  await pool.run(tokens, signal, async (sequence) => {
    if (together && selection.stages === 0) {
      return sequence.score(tokens, (report, logits, i) => { each(logits, report, i + 1 - at); }, { signal }, at - 1 + from);
    }
    if (from === 0) await sequence.evaluate(prompt, ({ logits, report }) => { each(logits, report, 0); }, { selection, owner, signal });
    await sequence.evaluate(tokens, () => undefined, {
      selection, owner, together, decodeFrom: at, computeFrom: from === 0 ? at : at + from - 1, signal,
      onStep: ({ logits, report }, i) => { each(logits, report, i + 1 - at); },
    });
  });
}
