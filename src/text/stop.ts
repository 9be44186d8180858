/**
 * Stop strings over streamed text. What could still become a stop string is held back, everything else leaves at once. The
 * outcome does not depend on how the text is cut into pushes: the stop that is complete first wins, the longest one if several
 * end at the same place.
 */
import { InputError } from '../errors.ts';
import { show } from '../options.ts';

export interface StopResult {
  /** Text that is safe to show: never part of a stop string. */
  text: string;
  stopped: boolean;
  /** The stop string that was met; present if stopped. */
  stop?: string;
}

export interface Stopper {
  /** Takes the next piece of text. After a stop, everything is swallowed. */
  push(text: string): StopResult;
  /** The text held back, at the end of the stream: it never became a stop string. Starts over, ready for another stream. */
  flush(): string;
}

/** @throws InputError `E_OPTION` for an empty stop string, which every text contains, or anything that is not a string */
export function createStopper(stops: readonly string[]): Stopper {
  if (!Array.isArray(stops)) throw badStop(show(stops));
  for (const stop of stops) if (typeof stop !== 'string' || stop === '') throw badStop(show(stop));
  const known = [...stops];
  const longest = known.reduce((max, stop) => Math.max(max, stop.length), 0);
  let held = '';
  let met: string | undefined;
  return {
    push(text) {
      if (met !== undefined) return { text: '', stopped: true, stop: met };
      const all = held + text;
      const found = firstComplete(all, known);
      if (found) {
        held = '';
        met = found.stop;
        return { text: all.slice(0, found.start), stopped: true, stop: met };
      }
      const keep = heldLength(all, known, longest);
      held = all.slice(all.length - keep);
      return { text: all.slice(0, all.length - keep), stopped: false };
    },
    flush() {
      const rest = held;
      held = '';
      met = undefined;
      return rest;
    },
  };
}

/** The stop string that ends first in `text`; of those that end together the one that starts first. */
function firstComplete(text: string, stops: readonly string[]): { start: number; stop: string } | undefined {
  let best: { start: number; stop: string } | undefined;
  let bestEnd = Infinity;
  for (const stop of stops) {
    const start = text.indexOf(stop);
    if (start < 0) continue;
    const end = start + stop.length;
    if (end < bestEnd || (end === bestEnd && start < best!.start)) {
      best = { start, stop };
      bestEnd = end;
    }
  }
  return best;
}

/** Length of the longest suffix of `text` that begins a stop string. */
function heldLength(text: string, stops: readonly string[], longest: number): number {
  for (let length = Math.min(longest - 1, text.length); length > 0; length--) {
    const suffix = text.slice(text.length - length);
    if (stops.some((stop) => stop.startsWith(suffix))) return length;
  }
  return 0;
}

function badStop(found: string): InputError {
  return new InputError('E_OPTION', {
    subject: 'option stop', found, expected: 'an array of strings that are not empty', remedy: 'Remove it, or give the text to stop at.',
  });
}
