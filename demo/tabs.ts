/** Where the window is too narrow for both: conversation and instruments as two tabs (ARIA's pattern, chosen as the arrows move). */
import { byId } from './dom.ts';

const panels = ['chat', 'instruments'] as const;

/** `changed` hears when another panel is in sight. */
export function startTabs(changed: () => void): void {
  const narrow = matchMedia('(max-width: 900px)'), tabs = panels.map((name) => byId(`${name}-tab`));
  let at = 0;
  const show = (): void => {
    for (const [i, name] of panels.entries()) {
      const panel = byId(name), tab = tabs[i]!;
      panel.hidden = narrow.matches && i !== at;
      if (narrow.matches) panel.setAttribute('role', 'tabpanel');
      else panel.removeAttribute('role');
      tab.setAttribute('aria-selected', String(i === at));
      tab.tabIndex = i === at ? 0 : -1;
    }
    changed();
  };
  for (const [i, tab] of tabs.entries()) {
    tab.addEventListener('click', () => { at = i; show(); });
    tab.addEventListener('keydown', ({ key }) => {
      if (key !== 'ArrowLeft' && key !== 'ArrowRight') return;
      at = 1 - i;
      show();
      tabs[at]!.focus();
    });
  }
  narrow.addEventListener('change', show);
  show();
}
