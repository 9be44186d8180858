/**
 * What attention keeps of a tile of rows while it walks over a stretch of positions. A row is one head's query of one token. All distances
 * are constants, so that the loops address every row from one pointer. ROW is no multiple of 4 KiB / ROWS: rows do not share sets of L1.
 */

/** Rows that share the reading of keys and values: their sums and what they are multiplied with fill 14 of the 15 registers that V8 has. */
export const ROWS: i32 = 4;
/** Of a cache of f16, whose cells take two more registers to widen: with four rows V8 keeps a sum in memory, three times slower. */
export const ROWS_F16: i32 = 3;
/** Of a cache of f32, which is for comparing: fewer forms of the loops. */
export const ROWS_F32: i32 = 2;
/** Positions between two corrections of a row by its running maximum: begins at multiples of it, wherever a pass begins. */
export const STRETCH: i32 = 256;

/** Bytes from row to row: query [headDim] i16 or f32, scores and then weights [STRETCH] f32, and a few numbers. */
export const ROW: usize = 3136;
export const SCORES: usize = 2048;
/** Factor of the integers of the scores, or of the floats. */
export const FACTOR: usize = 3072;
/** Largest score so far, and the sum of the weights relative to it. */
export const PEAK: usize = 3076;
export const SUM: usize = 3080;
/** What the sums of the stretches before are multiplied by, and what the integers of this one are. */
export const FADE: usize = 3084;
export const GAIN: usize = 3088;
/** What was read only so that it is in the cache later. */
export const TOUCHED: usize = 3120;

/** Bytes of scratch that a call of `attend` needs, whatever the context; src/model/memory.ts knows the same. */
export const SCRATCH: usize = 4 * ROW;

/** The number of rows of a tile, and the type of a cache's cells, as types: templates are folded to what each needs. */
@unmanaged export class Rows1 { @inline get n(): i32 { return 1; } }
@unmanaged export class Rows2 { @inline get n(): i32 { return 2; } }
@unmanaged export class Rows3 { @inline get n(): i32 { return 3; } }
@unmanaged export class Rows4 { @inline get n(): i32 { return 4; } }
@unmanaged export class CellsF32 { @inline get kind(): i32 { return 0; } }
@unmanaged export class CellsF16 { @inline get kind(): i32 { return 1; } }

@inline export function numberOf<R>(): i32 { return changetype<R>(0).n; }
@inline export function kindOf<K>(): i32 { return changetype<K>(0).kind; }
