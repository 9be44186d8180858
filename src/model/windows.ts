/** Windows of attention: how many positions each layer sees. */
import type { Keys } from './keys.ts';
import { bad } from './keys.ts';
import type { WindowRule } from './types.ts';

/**
 * Positions that each layer sees, its own among them; 0: all. The file says which layers have the window, layer by layer or as a period, of
 * which all but the last do; else the family's period holds.
 * @throws ModelError `E_HPARAM` for a window that the family's layers do not look through
 */
export function readWindows(keys: Keys, rule: WindowRule | undefined, nLayers: number, contextLength: number): readonly number[] {
  const key = 'attention.sliding_window', window = keys.has(key) ? keys.number(key) : rule?.size ?? 0, least = rule?.size ? 1 : 0;
  if (!Number.isInteger(window) || window < least) {
    bad(keys.name(key), window, `a number of positions${least ? '' : ', or 0 for none'}`);
  }
  if (window === 0 && saysWindows(keys)) {
    bad(keys.name(key), keys.has(key) ? window : 'nothing', 'the window of the layers that the pattern names');
  }
  const windowed = window > 0 && rule ? readPattern(keys, nLayers, rule.period) : [];
  if (windowed.includes(true)) return windowed.map((has) => (has ? window : 0));
  // a window that is looked through nowhere would be everything that was asked of it
  if (window > 0 && window < contextLength) {
    const remedy = 'Attention through a window is not run for this family; use another model.';
    bad(keys.name(key), window, `0 or at least the context length, ${contextLength}`, remedy);
  }
  return new Array<number>(nLayers).fill(0);
}

/** Whether a pattern of the file gives some layer a window. */
function saysWindows(keys: Keys): boolean {
  const key = 'attention.sliding_window_pattern', said = keys.list(key);
  return said ? said.some((one) => one !== 0) : keys.has(key) && keys.count(key, 1_024) > 1;
}

/** For each layer whether it has a window. */
function readPattern(keys: Keys, nLayers: number, period: number): readonly boolean[] {
  const key = 'attention.sliding_window_pattern', said = keys.list(key);
  if (!said) {
    const own = keys.has(key) ? keys.count(key, 1_024) : period;
    return Array.from({ length: nLayers }, (_, i) => i % own < own - 1);
  }
  if (said.length !== nLayers) bad(keys.name(key), `${said.length} values`, `a period, or one for each of ${nLayers} layers`);
  return said.map((one) => one === 1 || (one !== 0 && bad(keys.name(key), one, 'true or false for each layer')));
}
