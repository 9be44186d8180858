/** What an action fails with: its error's code, 'none' where it succeeds. */
import type { CladaError } from '../../src/errors.ts';

export async function codeOf(run: () => unknown): Promise<string> {
  try {
    await run();
    return 'none';
  } catch (error) {
    return (error as CladaError).code ?? String(error);
  }
}
