/** Small statistics and Markdown tables. */
import { showSpread, type Spread } from '../scripts/page.ts';

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b), half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}

/** Median, least and most. */
export const spreadOf = (values: readonly number[]): Spread => [median(values), Math.min(...values), Math.max(...values)];

/** Half the range over the median, in per cent. */
export function spread(values: readonly number[]): string {
  return `${Math.round((50 * (Math.max(...values) - Math.min(...values))) / median(values))} %`;
}

/** "median (least … most)". */
export const range = (values: readonly number[], digits: number): string => showSpread(spreadOf(values), digits);

/** Markdown, columns as wide as their content. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((name, i) => Math.max(name.length, 4, ...rows.map((row) => row[i]!.length)));
  const line = (cells: readonly string[]): string => `| ${cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join(' | ')} |`;
  return [line(head), line(widths.map((width, i) => (i === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`))), ...rows.map(line)].join('\n');
}
