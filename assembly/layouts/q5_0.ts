/**
 * q5_0, held as q8_0: value = d (q - 16), q of 5 bits.
 * In the file (ggml-common.h, block_q5_0): d, 32 fifth bits, 16 bytes of nibbles; byte i holds columns i and i + 16.
 */
import { copyHalf, fifthBits, highNibbles, laneOffset, lowNibbles, storeBytes } from './lanes';

@unmanaged export class Q5_0 {
  @inline get dtype(): i32 { return 6; }
  @inline get fileBytes(): usize { return 22; }

  @inline unpack(src: usize, dst: usize, lane: i32): i32 {
    const v = v128.load(src + 6), middle = i8x16.splat(16);
    const first = v128.or(lowNibbles(v), fifthBits(load<u16>(src + 2))), second = v128.or(highNibbles(v), fifthBits(load<u16>(src + 4)));
    storeBytes(dst + laneOffset(lane), i8x16.sub(first, middle), i8x16.sub(second, middle));
    return copyHalf(dst + 256 + (<usize>lane << 1), src);
  }
}
