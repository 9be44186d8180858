/**
 * q4_0 and q4_1 of a GGUF file (rows of blocks: d[, m], 16 bytes of nibbles; byte i holds columns i and i + 16) into the interleaved
 * layouts of the same names. `rows` rows at `src`; the last group's missing rows become zeros. Returns how many scales are not finite.
 * Nothing is requantised. Test: test/kernels/repack.test.ts.
 */
import { copyHalf, laneOffset, storeNibbles } from './store';

@inline function repackQ4(hasMin: bool, src: usize, dst: usize, rows: i32, cols: i32): i32 {
  const nBlocks = cols >> 5;
  const fileBytes: usize = hasMin ? 20 : 18, blockBytes: usize = hasMin ? 160 : 144;
  const rowBytes = <usize>nBlocks * fileBytes, groupBytes = <usize>nBlocks * blockBytes;
  const low = i8x16.splat(15);
  let bad = 0;
  for (let row = 0; row < rows; row += 8, dst += groupBytes, src += 8 * rowBytes) {
    const nLanes = min(8, rows - row);
    if (nLanes < 8) memory.fill(dst, 0, groupBytes);
    for (let lane = 0; lane < nLanes; lane++) {
      let p = src + <usize>lane * rowBytes, q = dst;
      const at = laneOffset(lane), scale = <usize>lane << 1;
      for (let iBlock = 0; iBlock < nBlocks; iBlock++, p += fileBytes, q += blockBytes) {
        const v = v128.load(p + (hasMin ? 4 : 2));
        storeNibbles(q + at, v128.and(v, low), i8x16.shr_u(v, 4));
        bad += copyHalf(q + 128 + scale, p);
        if (hasMin) bad += copyHalf(q + 144 + scale, p + 2);
      }
    }
  }
  return bad;
}

export function repackQ40(src: usize, dst: usize, rows: i32, cols: i32): i32 { return repackQ4(false, src, dst, rows, cols); }
export function repackQ41(src: usize, dst: usize, rows: i32, cols: i32): i32 { return repackQ4(true, src, dst, rows, cols); }
