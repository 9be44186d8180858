/**
 * Where the values of a compact list of neurons (copies.ts) go: every neuron into its slot, behind the listed ones under the same scale.
 * Test: test/kernels/compact.test.ts.
 */
import { neuronsOfScale } from './source';

/** Slot (the block's first neuron + rank among the block's listed) of every compact row, u16 [n]. */
export function scatterPositions(layout: i32, list: usize, n: i32, out: usize): void {
  const size = neuronsOfScale(layout);
  let block = -1, slot = 0;
  for (const end = list + (<usize>n << 1); list < end; list += 2, out += 2) {
    const i = <i32>load<u16>(list);
    if (i / size != block) { block = i / size; slot = block * size; }
    store<u16>(out, <u16>slot);
    slot++;
  }
}

/** out f32 [ffn] = zeros, but h[k] at positions[k]; h f32 [n]. */
export function scatter(h: usize, positions: usize, n: i32, ffn: i32, out: usize): void {
  memory.fill(out, 0, <usize>ffn << 2);
  for (const end = h + (<usize>n << 2); h < end; h += 4, positions += 2) {
    store<f32>(out + (<usize>load<u16>(positions) << 2), load<f32>(h));
  }
}
