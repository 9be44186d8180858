/** What of a sequence's logits is exact, and more of it where somebody asks. */
import type { Engine } from '../engine/engine.ts';
import type { Exact } from '../sampler/exact.ts';
import type { State } from './request.ts';

/** Of the sequence at `ptr`, as it is whenever it is looked at. */
export function exactOf(engine: Engine, ptr: number): Exact {
  return {
    get floor() { return engine.floor(ptr); },
    get logSumExp() { return engine.report(ptr).logSumExp; },
    get tailError() { return engine.report(ptr).tailError; },
    get top() {
      const { logSumExp, topToken } = engine.report(ptr);
      return Number.isFinite(logSumExp) ? topToken : undefined;
    },
    refine: (floor, ids) => { engine.refine(ptr, floor, ids); },
  };
}

/** What its last token left, exact within the margin: logits that an earlier request did not want may not be yet. */
export function stateOf(engine: Engine, ptr: number, margin: number): Pick<State, 'logits' | 'report' | 'exact'> {
  if (margin === Infinity) engine.refine(ptr);
  return { logits: engine.logits(ptr), report: engine.report(ptr), exact: exactOf(engine, ptr) };
}
