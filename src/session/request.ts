/** What a sequence is asked for, and what it answers. */
import { isFixedMask, type Selection } from '../adapt/selection.ts';
import type { Engine, StepReport } from '../engine/engine.ts';
import { InputError } from '../errors.ts';
import { copiesExactly } from '../model/forms.ts';
import type { Exact } from '../sampler/exact.ts';

/** The state after the tokens that were asked for. Views and numbers are valid during the callback only. */
export interface State {
  /** Logits after the last token, [vocab] f32: a view of engine memory. Where a `margin` was asked for, `exact` says which are. */
  readonly logits: Float32Array;
  readonly exact: Exact;
  /** What the last token decided. */
  readonly report: StepReport;
  /** Tokens taken from the cache, and tokens computed. */
  readonly reused: number;
  readonly computed: number;
  /**
   * Where the last token was decoded and then checked: what the sparse step said, and decided. Logits and report are the dense ones then.
   */
  readonly sparse?: Distribution & { readonly report: StepReport };
}

/** Logits [vocab] with what one sweep over them gave. */
export interface Distribution {
  readonly logits: Float32Array;
  readonly logSumExp: number;
  readonly topToken: number;
}

/** How tokens are evaluated. */
export interface EvaluateOptions {
  /** @internal What tokens from `decodeFrom` on may skip. Default: nothing. */
  readonly selection?: Selection | undefined;
  /** @internal The widest selection that may follow: a mask that must grow has its room from the beginning. Default: the selection. */
  readonly room?: Selection | undefined;
  /**
   * Tokens before this index are the prompt, computed dense in chunks; those from it on are decoded one by one. Default: all are prompt.
   */
  readonly decodeFrom?: number | undefined;
  /**
   * @internal Rows of the prompt that are cached from sparse steps (an earlier answer) may stay where decoding is sparse. Default false:
   * they are computed again, dense.
   */
  readonly keepSparse?: boolean | undefined;
  /** @internal What is decoded dense, or under a mask that stays, is computed in passes of many tokens. Default false. */
  readonly together?: boolean | undefined;
  /** @internal Sparse steps note which neurons they used (`engine.used`). Default false. */
  readonly watch?: boolean | undefined;
  /**
   * @internal The last token, where it is decoded, is computed a second time, dense and in the same place; the tokens that follow go on
   * from there. Default false.
   */
  readonly check?: boolean | undefined;
  /** @internal Logits are wanted exactly that are at most so far below the largest. Default: all. */
  readonly margin?: number | undefined;
  /** @internal Who decodes: tokens that another one decoded are decoded again, even where they are the same. Default: the selection. */
  readonly owner?: object | undefined;
  /** Ends it between two steps. */
  readonly signal?: AbortSignal | undefined;
  /** Tokens from this index on are computed even where the cache holds them. Default: what is cached stays. */
  readonly computeFrom?: number | undefined;
  /** @internal After each token that is decoded, with its index. */
  readonly onStep?: ((state: Pick<State, 'logits' | 'report'>, index: number) => void) | undefined;
  /** After each chunk of the prompt. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/** What no sequence holds: so many tokens, or a text of which it is known before it is tokenised (megabytes take seconds). */
export const contextFull = (found: string, contextSize: number): InputError => new InputError('E_CONTEXT_FULL', {
  subject: 'context', found, expected: `at most ${contextSize} tokens (contextSize)`,
  remedy: 'Shorten the prompt, or load the model with a larger contextSize.',
});

/** Whether tokens under a selection can be computed in passes with others, and are what they are alone. */
export const sharesPasses = ({ plan }: Engine, selection: Selection, { watch = false, check = false }: EvaluateOptions): boolean =>
  selection.stages === 0 || (isFixedMask(selection) && copiesExactly(plan) && !watch && !check);

/** @throws InputError `E_EMPTY_PROMPT`, `E_CONTEXT_FULL`, `E_TOKEN_RANGE` */
export function checkTokens(tokens: ArrayLike<number>, { contextSize, vocab }: Pick<Engine, 'contextSize' | 'vocab'>): void {
  if (tokens.length === 0) {
    throw new InputError('E_EMPTY_PROMPT', {
      subject: 'prompt', found: 'no tokens', expected: 'at least one token', remedy: 'Give some text, or start from the BOS token.',
    });
  }
  if (tokens.length > contextSize) throw contextFull(`${tokens.length} tokens`, contextSize);
  for (let i = 0; i < tokens.length; i++) {
    const id = tokens[i]!;
    if (!(Number.isInteger(id) && id >= 0 && id < vocab)) {
      throw new InputError('E_TOKEN_RANGE', {
        subject: `token ${i}`, found: String(id), expected: `an integer from 0 to ${vocab - 1}`,
        remedy: 'Encode the text with the tokenizer of this model.',
      });
    }
  }
}
