/** What a call into the engine answers: everything but `ok` is an error here. */
import { ModelError, StateError } from '../errors.ts';
import { Status } from '../model/enums.ts';

/** Of a sequence that has left the numbers. */
export const notFinite = (): ModelError => new ModelError('E_LOGITS', {
  subject: 'the pass of a token', found: 'activations or logits that are not finite', expected: 'numbers',
  remedy: 'The weights are damaged, or the activations overflowed: compare the checksum of the file; '
    + 'the sequence stands where it did before.',
});

/** After a trap nothing in memory is what it should be. */
export const poisoned = (trap: unknown): StateError => new StateError('E_POISONED', {
  subject: 'engine', found: `a trap: ${String(trap)}`, expected: 'no trap',
  remedy: 'Load the model again, and please report the trap.', cause: trap,
});

/** @throws ModelError `E_LOGITS` where a pass left the numbers; StateError `E_ABI` */
export function checkStatus(status: number): void {
  if (status === Status.ok) return;
  if (status === Status.notFinite) throw notFinite();
  throw new StateError('E_ABI', {
    subject: 'pass', found: `status ${status}`, expected: '0',
    remedy: 'This is a bug in clada: the host must check what it asks for. Please report it.',
  });
}
