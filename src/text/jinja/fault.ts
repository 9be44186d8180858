/** How a template fails: whose fault it is that it gave no text. */

export type Blame =
  /** The template called `raise_exception`: it will not have these messages. */
  | 'refusal'
  /** Jinja2 would fail there too. */
  | 'mistake'
  /** Jinja2 goes on there; this interpreter does not know the construct. */
  | 'unsupported';

/** Internal: becomes a CladaError where the template is run. */
export class TemplateFault extends Error {
  /** @param line in the template's source, from 1; 0 until known */
  constructor(readonly blame: Blame, message: string, public line: number) { super(message); }
}

const faults = (blame: Blame) => (message: string, line = 0): TemplateFault => new TemplateFault(blame, message, line);
export const refusal = faults('refusal'), mistake = faults('mistake'), unsupported = faults('unsupported');
