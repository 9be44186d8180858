/**
 * How the arena holds matrices, for whoever plans before there is an engine: the host's side of assembly/layouts. A row a layout and a row
 * a dtype;
 * test/model/layouts.test.ts holds every size against the engine's.
 */
import type { GgufDtype } from '../format/gguf/types.ts';

interface LayoutRow {
  readonly number: number;
  /** Columns that cannot be parted, and bytes of 8 rows of them. */
  readonly cols: number;
  readonly bytes: number;
  /** Bytes of a row's four blocks, where there are forms that leave out rows or columns (assembly/kernels/neurons, kernels/columns). */
  readonly rowUnit?: number;
}

const layouts = {
  f32: { number: 2, cols: 1, bytes: 32 },
  f16: { number: 3, cols: 1, bytes: 16 },
  bf16: { number: 4, cols: 1, bytes: 16 },
  q4_0: { number: 5, cols: 32, bytes: 144, rowUnit: 72 },
  q4_1: { number: 6, cols: 32, bytes: 160, rowUnit: 80 },
  q5_0: { number: 12, cols: 32, bytes: 176, rowUnit: 88 },
  q5_1: { number: 8, cols: 32, bytes: 192, rowUnit: 96 },
  q8_0: { number: 7, cols: 32, bytes: 272, rowUnit: 136 },
  iq4_nl: { number: 13, cols: 32, bytes: 144 },
  mxfp4: { number: 15, cols: 32, bytes: 136 },
  q2_k: { number: 17, cols: 256, bytes: 672 },
  q3_k: { number: 16, cols: 256, bytes: 912 },
  iq4_xs: { number: 14, cols: 256, bytes: 1104 },
  q4_k: { number: 9, cols: 256, bytes: 1184, rowUnit: 80 },
  q5_k: { number: 10, cols: 256, bytes: 1440, rowUnit: 96 },
  coded: { number: 18, cols: 256, bytes: 1200 },
  q6_k: { number: 11, cols: 256, bytes: 1680, rowUnit: 112 },
} as const satisfies Record<string, LayoutRow>;

/** `vector`: a plain f32 array, for norms, biases, position tables. */
export type LayoutName = keyof typeof layouts | 'none' | 'vector';

/** The numbers that records and exports know layouts by. */
export const Layout = {
  none: 0, vector: 1, ...Object.fromEntries(Object.entries(layouts).map(([name, { number }]) => [name, number])),
} as Record<LayoutName, number>;

/** Every dtype of weights, and the smallest layout that holds it exactly. */
export const heldAs = {
  f32: 'f32', f16: 'f16', bf16: 'bf16', q4_0: 'q4_0', q4_1: 'q4_1', q5_0: 'q5_0', q5_1: 'q5_1', q8_0: 'q8_0', q2_k: 'q2_k', q3_k: 'q3_k',
  q4_k: 'q4_k', q5_k: 'q5_k', q6_k: 'q6_k', iq4_nl: 'iq4_nl', iq4_xs: 'iq4_xs', mxfp4: 'mxfp4',
  iq1_s: 'coded', iq1_m: 'coded', iq2_xxs: 'coded', iq2_xs: 'coded', iq2_s: 'coded', iq3_xxs: 'coded', iq3_s: 'coded',
  tq1_0: 'coded', tq2_0: 'coded',
} as const satisfies Partial<Record<GgufDtype, LayoutName>>;

export type DtypeName = keyof typeof heldAs;

/** Values as they are, without scales. */
export const isFloat = (layout: LayoutName): boolean => layout === 'f32' || layout === 'f16' || layout === 'bf16';

/** Bytes of a matrix in a layout; vectors are padded to 8 values so that kernels may read on. */
export function layoutBytes(layout: LayoutName, rows: number, cols: number): number {
  if (layout === 'none') return 0;
  if (layout === 'vector') return rows === 1 ? 4 * 8 * Math.ceil(cols / 8) : 4 * rows * cols;
  const { cols: unit, bytes } = layouts[layout];
  return Math.ceil(rows / 8) * (cols / unit) * bytes;
}

function rowOf(layout: LayoutName): LayoutRow | undefined {
  return layout === 'none' || layout === 'vector' ? undefined : layouts[layout];
}

/** Blocks of 32 columns in superblocks, which read a format of x of their own (assembly/kernels/quantize). */
export function isSuper(layout: LayoutName): boolean { return rowOf(layout)?.cols === 256; }

/** Bytes of a matrix whose rows can be read one by one; 0 where the layout has no such form, or not with this many columns. */
export function rowFormBytes(layout: LayoutName, rows: number, cols: number): number {
  const { cols: unit = 1, rowUnit } = rowOf(layout) ?? {};
  if (rowUnit === undefined || cols % unit !== 0) return 0;
  const nBlocks = cols / 32, rest = nBlocks % 4;
  return rows * (rowUnit * (Math.floor(nBlocks / 4) + (rest === 0 ? 0 : rest === 3 ? 1 : 0.5)) + 8);
}

/** The same of one whose columns can: tiles of 64 rows. */
export function columnFormBytes(layout: LayoutName, rows: number, cols: number): number {
  const { cols: unit = 1, rowUnit } = rowOf(layout) ?? {};
  if (rowUnit === undefined || cols % unit !== 0) return 0;
  return layoutBytes(layout, 64 * Math.ceil(rows / 64), cols);
}
