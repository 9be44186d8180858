/**
 * iq4_nl, held as q8_0: value = d v[q], v a table of 16 signed bytes (ggml-common.h, kvalues_iq4nl).
 * In the file (block_iq4_nl): d, 16 bytes of nibbles; byte i holds columns i and i + 16.
 */
import { copyHalf, highNibbles, laneOffset, lowNibbles, storeBytes } from './lanes';

@unmanaged export class IQ4_NL {
  @inline get dtype(): i32 { return 20; }
  @inline get fileBytes(): usize { return 18; }

  @inline unpack(src: usize, dst: usize, lane: i32): i32 {
    const v = v128.load(src + 2), values = i8x16(-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113);
    storeBytes(dst + laneOffset(lane), i8x16.swizzle(values, lowNibbles(v)), i8x16.swizzle(values, highNibbles(v)));
    return copyHalf(dst + 256 + (<usize>lane << 1), src);
  }
}
