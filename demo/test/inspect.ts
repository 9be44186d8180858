/** Questions to the page, each a function that runs inside it and so must stand alone. */
import type { CDPSession } from 'playwright-core';

/** Different colours on the map, margins left out. */
export function mapColours(): number {
  const canvas = document.getElementById('map') as HTMLCanvasElement, { data } = canvas.getContext('2d')!.getImageData(30, 0, canvas.width - 100, canvas.height);
  const found = new Set<number>();
  for (let i = 0; i < data.length; i += 4) if (data[i + 3] === 255) found.add(data[i]! * 65536 + data[i + 1]! * 256 + data[i + 2]!);
  return found.size;
}

/** Megabytes in the library's cache, and how many files of more than 10 MB their blocks belong to. */
export async function keptBytes(): Promise<number[]> {
  const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle('clada'), files = new Map<string, number>();
  for await (const handle of (folder as unknown as { values(): AsyncIterable<FileSystemFileHandle> }).values()) {
    const copy = handle.name.replace(/-\d+$/, ''), { size } = await handle.getFile();
    files.set(copy, (files.get(copy) ?? 0) + size);
  }
  const large = [...files.values()].filter((size) => size > 10e6);
  return [Math.round(large.reduce((sum, size) => sum + size, 0) / 1e6), large.length];
}

/** What has the focus: its id, of a radio its value, else its text. */
export function focusedId(): string {
  const at = document.activeElement as HTMLInputElement;
  return at.type === 'radio' ? at.value : at.id || at.textContent!.trim().slice(0, 30);
}

/** Everything that Tab must reach, named as focusedId names it; of radios that belong together the checked one. */
export function focusable(): string[] {
  const all = [...document.querySelectorAll<HTMLInputElement>('a[href], button, input, textarea, summary, [tabindex="0"]')];
  return all.filter((node) => !node.disabled && node.checkVisibility() && (node.type !== 'radio' || node.checked))
    .map((node) => (node.type === 'radio' ? node.value : node.id || node.textContent!.trim().slice(0, 30)));
}

interface Contrast { text: string; ratio: number; background: number[] }

/** Every visible text with the contrast of its colour to what lies behind it (WCAG 2). `tint`: words as surprising as can be. */
export function contrasts(tint: number): Contrast[] {
  for (const token of document.querySelectorAll<HTMLElement>('.token')) token.style.setProperty('--tint', String(tint));
  const parse = (css: string): number[] => {
    const numbers = css.match(/[\d.]+(?:e-?\d+)?/g)!.map(Number), scale = css.startsWith('color(') ? 255 : 1;
    return [numbers[0]! * scale, numbers[1]! * scale, numbers[2]! * scale, numbers[3] ?? 1];
  };
  const over = (top: number[], below: number[]): number[] => [0, 1, 2].map((i) => top[i]! * top[3]! + below[i]! * (1 - top[3]!));
  const behind = (node: Element | null): number[] => {
    if (!node) return matchMedia('(prefers-color-scheme: dark)').matches ? [0, 0, 0] : [255, 255, 255];
    const own = parse(getComputedStyle(node).backgroundColor);
    return own[3] === 1 ? own.slice(0, 3) : over(own, behind(node.parentElement));
  };
  const luminance = (rgb: number[]): number => {
    const [r, g, b] = rgb.map((value) => { const c = value / 255; return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; });
    return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!;
  };
  const found: Contrast[] = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode.textContent!.trim(), node = walker.currentNode.parentElement!;
    if (text === '' || !node.checkVisibility() || (node as HTMLInputElement).disabled) continue;
    const background = behind(node), a = luminance(over(parse(getComputedStyle(node).color), background)), b = luminance(background);
    found.push({ text: text.slice(0, 40), ratio: (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), background });
  }
  return found;
}

/** Role and accessible name of every control, as a screen reader gets them. */
export async function controlNames(session: CDPSession): Promise<{ role: string; name: string }[]> {
  const { nodes } = await session.send('Accessibility.getFullAXTree');
  const roles = ['button', 'textbox', 'slider', 'checkbox', 'radio', 'link', 'log', 'image', 'img', 'DisclosureTriangle', 'radiogroup', 'group', 'progressbar', 'region'];
  return nodes.filter(({ ignored, role }) => !ignored && roles.includes(String(role?.value)))
    .map(({ role, name }) => ({ role: String(role!.value), name: String(name?.value ?? '') }));
}
