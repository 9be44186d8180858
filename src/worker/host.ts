/** The model of a worker, and the pages that have it: one, or of a shared worker all that asked for it. */
import type { CalibrationSource, LoadOptions, Model, ModelSource, Progress } from 'clada';
import { AbortedError, InputError } from '../errors.ts';
import { sourceFromWire } from './sources.ts';

/** Who asks: a page. */
export interface Guest { readonly told: (progress: Progress) => void; readonly noted: (note: string) => void }

interface Loading {
  /** Source and options, to tell whether two pages mean the same. */
  readonly key: string;
  readonly model: Promise<Model>;
  readonly abort: AbortController;
  readonly guests: Set<Guest>;
}

export class Host {
  #loading: Loading | undefined;

  /** The model, loaded by the first who asks. @throws as `load`; InputError `E_OPTION` where it is not the one that others have */
  async join(guest: Guest, source: unknown, options: Record<string, unknown>): Promise<Model> {
    const key = JSON.stringify([source, options], (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value));
    const loading = this.#loading ??= this.#load(key, source, options);
    if (loading.key !== key) {
      throw new InputError('E_OPTION', {
        subject: 'shared model', found: 'another source, or other options, than those that it was loaded with',
        expected: 'the same from every page',
        remedy: 'Give another name (shared) to what is another model.',
      });
    }
    loading.guests.add(guest);
    const model = await loading.model;
    if (!loading.guests.has(guest)) throw new AbortedError('load'); // it left meanwhile
    return model;
  }

  /** The last one closes the door: what is being loaded is given up, what was loaded gives its memory back. */
  leave(guest: Guest): void {
    const loading = this.#loading;
    if (!loading?.guests.delete(guest) || loading.guests.size > 0) return;
    this.#loading = undefined;
    loading.abort.abort();
    loading.model.then((model) => { model.close(); }, () => undefined);
  }

  #load(key: string, source: unknown, options: Record<string, unknown>): Loading {
    const abort = new AbortController(), guests = new Set<Guest>();
    const load = async (): Promise<Model> => {
      const { load: start } = await import('clada'), calibration = sourceFromWire(options['calibration']) as CalibrationSource | undefined;
      return start(sourceFromWire(source) as ModelSource, {
        ...options as LoadOptions, ...(calibration === undefined ? {} : { calibration }), signal: abort.signal,
        onProgress: (progress) => { for (const guest of guests) guest.told(progress); },
        onNote: (note) => { for (const guest of guests) guest.noted(note); },
      });
    };
    const loading = { key, model: load(), abort, guests };
    loading.model.catch(() => { if (this.#loading === loading) this.#loading = undefined; }); // the next one may try again
    return loading;
  }
}
