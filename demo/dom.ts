/** Elements by id and by description. */
export function byId<T extends HTMLElement = HTMLElement>(id: string): T {
  return document.getElementById(id) as T;
}

type Attributes = Record<string, string | number | boolean>;

/** An element with attributes and children; text becomes text, never markup. */
export function element<K extends keyof HTMLElementTagNameMap>(name: K, attributes: Attributes = {}, ...children: (Node | string)[]): HTMLElementTagNameMap[K] {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === 'boolean') made.toggleAttribute(key, value);
    else made.setAttribute(key, String(value));
  }
  made.append(...children);
  return made;
}

/** A number to so many digits behind the point; a dash where there is none. */
export const digits = (value: number | undefined, count: number): string => (value === undefined || !Number.isFinite(value) ? '–' : value.toFixed(count).replace('-', '−'));
export const percent = (share: number | undefined, count = 0): string => digits(share === undefined ? undefined : 100 * share, count);
/** Divergences span decades: two digits that matter, or more. */
export const nats = (value: number | undefined): string => (value === undefined || !Number.isFinite(value) ? '–' : value >= 1 ? value.toFixed(2) : value >= 0.01 ? value.toFixed(3) : value.toFixed(4));
