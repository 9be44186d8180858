/**
 * Scores of neurons that are kept or left out by fours. A copy of columns (copies.ts) holds those under one scale in chunks of four: one of
 * three costs as much as one of four. Test: test/kernels/fours.test.ts.
 */
import { isFloat } from '../../layouts/kinds';
import { forLayout } from '../../layouts/table';
import { hasForms, neuronsOfScale } from './source';

@unmanaged class IsCopiedByFours {
  @inline on<L>(_a: usize, _b: usize, _c: usize, _d: usize, _e: usize, _f: usize, _g: usize, _h: usize, _i: usize): usize {
    return <usize>(!isFloat<L>() && hasForms<L>());
  }
}

/**
 * Makes the scores [ffn] of neurons whose columns are in `layout` those of fours: under each scale the four largest get the root of their
 * mean square, then the next four. A threshold then takes or leaves all of a four, and what leaving one out costs (its squares) still
 * decides. Nothing happens where columns are not copied by fours. Preconditions: scores >= 0; `spare` has room for 32 u16.
 */
export function scoreFours(layout: i32, scores: usize, ffn: i32, spare: usize): void {
  if (!forLayout<IsCopiedByFours>(layout)) return;
  const size = neuronsOfScale(layout);
  for (let first = 0; first < ffn; first += size) {
    for (let i = 0; i < size; i++) { // `spare`: places in the scores, the largest first
      const score = load<f32>(scores + (<usize>(first + i) << 2));
      let at = spare + (<usize>i << 1);
      for (; at > spare; at -= 2) {
        const before = load<u16>(at - 2);
        if (load<f32>(scores + (<usize>before << 2)) >= score) break;
        store<u16>(at, before);
      }
      store<u16>(at, <u16>(first + i));
    }
    for (let p = spare, end = spare + (<usize>size << 1); p < end; p += 8) {
      let sum: f64 = 0;
      for (let q = p; q < p + 8; q += 2) {
        const score = <f64>load<f32>(scores + (<usize>load<u16>(q) << 2));
        sum += score * score;
      }
      const root = <f32>sqrt<f64>(.25 * sum);
      for (let q = p; q < p + 8; q += 2) store<f32>(scores + (<usize>load<u16>(q) << 2), root);
    }
  }
}
