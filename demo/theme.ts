/** Light and dark: the system's choice unless the reader makes one, which is remembered. */
import { byId } from './dom.ts';

const themes = ['system', 'light', 'dark'] as const;
const key = 'clada-theme';
const listeners: (() => void)[] = [];
const probe = document.createElement('i');
/** Asking the browser for a colour lays the page out anew: each once. */
const known = new Map<string, string>();

/** The colour of a custom property as the page shows it now: `rgb(r, g, b)`. */
export function colour(name: string): string {
  const found = known.get(name);
  if (found !== undefined) return found;
  if (!probe.isConnected) { probe.hidden = true; document.body.append(probe); }
  probe.style.color = `var(${name})`;
  const value = getComputedStyle(probe).color;
  known.set(name, value);
  return value;
}

/** Its three channels, 0 … 255. */
export function channels(name: string): [number, number, number] {
  const [r = 0, g = 0, b = 0] = colour(name).match(/[\d.]+/g)!.map(Number);
  return [r, g, b];
}

/** Called when colours change: canvases paint again. */
export function onTheme(listener: () => void): void {
  listeners.push(listener);
}

function remembered(): string | null {
  try { return localStorage.getItem(key); } catch { return null; } // storage switched off
}

export function startTheme(): void {
  const button = byId('theme');
  let theme = themes.find((name) => name === remembered()) ?? 'system';
  const apply = (): void => {
    if (theme === 'system') delete document.documentElement.dataset['theme'];
    else document.documentElement.dataset['theme'] = theme;
    button.textContent = `Theme: ${theme}`;
    known.clear();
    listeners.forEach((listener) => { listener(); });
  };
  button.addEventListener('click', () => {
    theme = themes[(themes.indexOf(theme) + 1) % themes.length]!;
    try { localStorage.setItem(key, theme); } catch { /* it holds for this visit */ }
    apply();
  });
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', apply);
  apply();
}
