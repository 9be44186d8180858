/** Windows of attention: how many positions each layer sees. */
import type { Keys } from './keys.ts';
import { bad } from './keys.ts';
import type { Family } from './types.ts';

const other = 'Attention through such a window is not run for this family; use another model.';

/**
 * Positions that each layer sees, its own among them; 0: all. As llama.cpp reads it: of each `period` layers all but the last look through
 * the window. It passes over a list of layers, as converters write it, so a list has to say the family's own period.
 * @throws ModelError `E_HPARAM` for a window that the family's layers do not look through, or that they would turn by another base
 */
export function readWindows(
  keys: Keys, { windowPeriod }: Family, nLayers: number, contextLength: number, ropeBase: number,
): readonly number[] {
  const key = 'attention.sliding_window', window = keys.number(key);
  if (!Number.isInteger(window) || window < 0) bad(keys.name(key), window, 'a number of positions, or 0 for none');
  const none = new Array<number>(nLayers).fill(0);
  if (window === 0) return none;
  const windowed = windowPeriod === undefined ? [] : readPattern(keys, nLayers, windowPeriod);
  if (windowed.includes(true)) {
    const base = keys.positive('rope.freq_base_swa', ropeBase);
    if (base !== ropeBase) bad(keys.name('rope.freq_base_swa'), base, `${ropeBase}, the base of all layers`, other);
    return windowed.map((has) => (has ? window : 0));
  }
  // a window that is looked through nowhere would be everything that was asked of it
  if (window < contextLength) bad(keys.name(key), window, `0 or at least the context length, ${contextLength}`, other);
  return none;
}

/** For each layer whether it has a window. */
function readPattern(keys: Keys, nLayers: number, period: number): readonly boolean[] {
  const key = 'attention.sliding_window_pattern', own = inPeriods(nLayers, period), said = keys.list(key);
  if (!said) return inPeriods(nLayers, keys.count(key, 1_024, period));
  const same = said.length === nLayers && own.every((has, i) => has === (said[i] === 1));
  return same ? own : bad(keys.name(key), said.join(', ').slice(0, 100), `of each ${period} layers a window for all but the last`, other);
}

const inPeriods = (nLayers: number, period: number): boolean[] => Array.from({ length: nLayers }, (_, i) => i % period < period - 1);
