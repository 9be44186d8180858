/** What a call into the engine answers: everything but `ok` is an error here. */
import { ModelError, StateError } from '../errors.ts';
import { Status } from '../model/enums.ts';

/** @throws ModelError `E_LOGITS` where a pass left the numbers; StateError `E_ABI` */
export function checkStatus(status: number): void {
  if (status === Status.ok) return;
  if (status === Status.notFinite) {
    throw new ModelError('E_LOGITS', {
      subject: 'the pass of a token', found: 'activations or logits that are not finite', expected: 'numbers',
      remedy: 'The weights are damaged, or the activations overflowed: compare the checksum of the file; '
        + 'the sequence stands where it did before.',
    });
  }
  throw new StateError('E_ABI', {
    subject: 'pass', found: `status ${status}`, expected: '0',
    remedy: 'This is a bug in clada: the host must check what it asks for. Please report it.',
  });
}
