/**
 * Calibrations that lie in the repository (models/NAME.clada.gguf), for files that many people have: taken where none lies beside the
 * model, by the fingerprint of its weights. Only in a checkout, for the package is small: others name a path or an address.
 */
import { openSource } from '../bytes/open.ts';
import type { ByteSource } from '../bytes/source.ts';
import { CladaError } from '../errors.ts';

/** Fingerprints, and the files they have. */
const shipped: Readonly<Record<string, string>> = {
  '89a8bf478fe5d37d3a9bc44773ea4f55': 'smollm2-135m-instruct-q4_1',
  '42713964c71041eddd6464712bf07c2e': 'qwen2.5-coder-0.5b',
  'fbf40bada51d57452e520b0be8bc4278': 'qwen2.5-coder-1.5b',
  'b87abebca5ebefe77015096e4f902577': 'gemma-3-270m',
};

/** From this file, as it is here and as it is built. */
const folders = ['../../models', '../models', '../../../models'];

/** The calibration of weights with this fingerprint, if it is here. */
export async function openShipped(fingerprint: string): Promise<ByteSource | undefined> {
  const name = shipped[fingerprint], here: string | undefined = import.meta.url; // a name, which bundlers do not take for a file to bring
  if (name === undefined || !here?.startsWith('file:')) return undefined;
  for (const folder of folders) {
    try {
      return await openSource(new URL(`${folder}/${name}.clada.gguf`, here));
    } catch (error) {
      if (!(error instanceof CladaError && error.code === 'E_NOT_FOUND')) throw error;
    }
  }
  return undefined;
}
