/**
 * Products of one x with a matrix in planes (planes.ts), by the number of the layout that both together are.
 * Test: test/kernels/planes.test.ts.
 */
import { bothEights, firstEights } from './eights';
import { isEights } from './planes';
import { bothSixes, firstSixes } from './sixes';

/**
 * y [8 groups] = W x from the first plane alone, and of every element the deviation of what that leaves out. `x`: records of
 * `planesFormat`, completed.
 */
export function firstProduct(layout: i32, first: usize, groups: i32, cols: i32, x: usize, y: usize, deviation: usize): void {
  if (!ASC_FEATURE_RELAXED_SIMD) unreachable();
  else if (isEights(layout)) firstEights(first, groups, cols, x, y, deviation);
  else firstSixes(first, groups, cols, x, y, deviation);
}

/** The same from both: bit for bit what kernels/matvec gives for the layout. */
export function bothProduct(layout: i32, first: usize, second: usize, groups: i32, cols: i32, x: usize, y: usize): void {
  if (!ASC_FEATURE_RELAXED_SIMD) unreachable();
  else if (isEights(layout)) bothEights(first, second, groups, cols, x, y);
  else bothSixes(first, second, groups, cols, x, y);
}
