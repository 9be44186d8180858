/**
 * q5_1, held as q8_1: value = d q + m, q of 5 bits.
 * In the file (ggml-common.h, block_q5_1): d, m, 32 fifth bits, 16 bytes of nibbles; byte i holds columns i and i + 16.
 */
import { copyHalf, fifthBits, highNibbles, laneOffset, lowNibbles, storeBytes } from './lanes';

@unmanaged export class Q5_1 {
  @inline get dtype(): i32 { return 7; }
  @inline get fileBytes(): usize { return 24; }

  @inline unpack(src: usize, dst: usize, lane: i32): i32 {
    const v = v128.load(src + 8), scales = dst + 256 + (<usize>lane << 1);
    const first = v128.or(lowNibbles(v), fifthBits(load<u16>(src + 4)));
    const second = v128.or(highNibbles(v), fifthBits(load<u16>(src + 6)));
    storeBytes(dst + laneOffset(lane), first, second);
    return copyHalf(scales, src) + copyHalf(scales + 16, src + 2);
  }
}
