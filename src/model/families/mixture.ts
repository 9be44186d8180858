/** Tensors of a mixture of experts, in place of a feed-forward part's three matrices. */
import type { Experts, TensorRole } from '../types.ts';
import { matrix } from './parts.ts';

const ofEach = (role: TensorRole): TensorRole => ({ ...role, count: 'experts' });

const chosen: readonly TensorRole[] = [
  matrix('router', 'blk.{}.ffn_gate_inp.weight', 'experts', 'hidden'),
  ofEach(matrix('expertGate', 'blk.{}.ffn_gate_exps.weight', 'ffn', 'hidden')),
  ofEach(matrix('expertUp', 'blk.{}.ffn_up_exps.weight', 'ffn', 'hidden')),
  ofEach(matrix('expertDown', 'blk.{}.ffn_down_exps.weight', 'hidden', 'ffn')),
];
const shared: readonly TensorRole[] = [
  matrix('sharedGate', 'blk.{}.ffn_gate_shexp.weight', 'sharedFfn', 'hidden'),
  matrix('sharedUp', 'blk.{}.ffn_up_shexp.weight', 'sharedFfn', 'hidden'),
  matrix('sharedDown', 'blk.{}.ffn_down_shexp.weight', 'hidden', 'sharedFfn'),
];
/** What a sigmoid makes the weight of the shared expert. */
export const sharedRouter = matrix('sharedRouter', 'blk.{}.ffn_gate_inp_shexp.weight', 'one', 'hidden');

export const expertTensors = ({ sharedFfn }: Experts): readonly TensorRole[] => (sharedFfn > 0 ? [...chosen, ...shared] : chosen);
