/**
 * iq2_xxs, iq2_xs, iq2_s, iq3_xxs, iq3_s, iq1_s, iq1_m, held as coded (codes.ts): values are points of a grid (grids.ts), each with a sign
 * or, in iq1, moved by an eighth, times d (2 s + 1), s a scale of 16 or 32 columns. A code is the digit of the grid, + 8 where negative
 * (iq1: moved down). In the file: ggml-common.h, block_iq*; how they are read: ggml-quants.c, dequantize_row_iq*.
 */
import { storeCoded, storeFactors } from './codes';
import { iq1At, iq2sAt, iq2xsAt, iq2xxsAt, iq3sAt, iq3xxsAt } from './grids';
import { halfFinite } from './lanes';

// value + 64: of iq2, of iq3_xxs, of iq3_s, of iq1 (8 times)
const TABLES: usize = memory.data<u8>([
  72, 89, 107, 64, 64, 64, 64, 64, 56, 39, 21, 64, 64, 64, 64, 64,
  68, 76, 84, 92, 100, 108, 116, 126, 60, 52, 44, 36, 28, 20, 12, 2,
  65, 67, 69, 71, 73, 75, 77, 79, 63, 61, 59, 57, 55, 53, 51, 49,
  57, 65, 73, 64, 64, 64, 64, 64, 55, 63, 71, 64, 64, 64, 64, 64,
], 16);

/** 8 in each byte whose bit of the four is set. */
@inline function signs4(bits: u32): u32 { return ((bits & 15) * 0x00204081 & 0x01010101) << 3; }

/** Eight signs of which seven are stored: there is an even number of them. */
@inline function evenSigns(bits: u32): u32 { return bits & 127 | (popcnt(bits & 127) & 1) << 7; }

function storePoints(unit: usize, lane: i32, half: usize, sc: i32, a: u64, s: u32, b: u64, t: u32): void {
  const first = <u32>a | signs4(s), second = <u32>(a >> 32) | signs4(s >> 4);
  storeCoded(unit, lane, half, sc, first, second, <u32>b | signs4(t), <u32>(b >> 32) | signs4(t >> 4));
}

@unmanaged export class IQ2_XXS {
  @inline get dtype(): i32 { return 16; }
  @inline get fileBytes(): usize { return 66; }

  @inline unpack(src: usize, dst: usize, lane: i32): i32 {
    for (let p = src + 2, at: usize = 0; p < src + 66; p += 8, at += 2) {
      const s = load<u32>(p, 4), sc = <i32>(s >> 28) * 2 + 1;
      storePoints(dst, lane, at, sc, iq2xxsAt(load<u8>(p)), evenSigns(s), iq2xxsAt(load<u8>(p, 1)), evenSigns(s >> 7));
      storePoints(dst, lane, at + 1, sc, iq2xxsAt(load<u8>(p, 2)), evenSigns(s >> 14), iq2xxsAt(load<u8>(p, 3)), evenSigns(s >> 21));
    }
    return storeFactors(dst, lane, halfFinite(src) / 8, TABLES);
  }
}

@unmanaged export class IQ2_XS {
  @inline get dtype(): i32 { return 17; }
  @inline get fileBytes(): usize { return 74; }

  @inline unpack(src: usize, dst: usize, lane: i32): i32 {
    let p = src + 2;
    for (let b: usize = 0; b < 8; b++) {
      const s = <i32>load<u8>(src + b, 66);
      for (let half: usize = 0; half < 2; half++, p += 4) {
        const u = <u32>load<u16>(p), v = <u32>load<u16>(p, 2);
        const sc = (half ? s >> 4 : s & 15) * 2 + 1;
        storePoints(dst, lane, (b << 1) + half, sc, iq2xsAt(u & 511), evenSigns(u >> 9), iq2xsAt(v & 511), evenSigns(v >> 9));
      }
    }
    return storeFactors(dst, lane, halfFinite(src) / 8, TABLES);
  }
}

@unmanaged export class IQ2_S {
  @inline get dtype(): i32 { return 22; }
  @inline get fileBytes(): usize { return 82; }

  @inline unpack(src: usize, dst: usize, lane: i32): i32 {
    let p = src + 2;
    for (let b: usize = 0; b < 8; b++) {
      const s = <i32>load<u8>(src + b, 74);
      let high = <i32>load<u8>(src + b, 66);
      for (let half: usize = 0; half < 2; half++, p += 2, high >>= 4) {
        const u = iq2sAt(load<u8>(p) | (high & 3) << 8), v = iq2sAt(load<u8>(p, 1) | (high >> 2 & 3) << 8);
        storePoints(dst, lane, (b << 1) + half, (half ? s >> 4 : s & 15) * 2 + 1, u, load<u8>(p, 32), v, load<u8>(p, 33));
      }
    }
    return storeFactors(dst, lane, halfFinite(src) / 8, TABLES);
  }
}

@inline function pair(low: u32, high: u32): u64 { return <u64>low | <u64>high << 32; }

@unmanaged export class IQ3_XXS {
  @inline get dtype(): i32 { return 18; }
  @inline get fileBytes(): usize { return 98; }

  @inline unpack(src: usize, dst: usize, lane: i32): i32 {
    let p = src + 2;
    for (let q = src + 66, at: usize = 0; q < src + 98; q += 4, at += 2) {
      let s = load<u32>(q);
      const sc = <i32>(s >> 28) * 2 + 1;
      for (let half: usize = 0; half < 2; half++, p += 4, s >>= 14) {
        const u = pair(iq3xxsAt(load<u8>(p)), iq3xxsAt(load<u8>(p, 1))), v = pair(iq3xxsAt(load<u8>(p, 2)), iq3xxsAt(load<u8>(p, 3)));
        storePoints(dst, lane, at + half, sc, u, evenSigns(s), v, evenSigns(s >> 7));
      }
    }
    return storeFactors(dst, lane, halfFinite(src) / 4, TABLES + 16);
  }
}

@unmanaged export class IQ3_S {
  @inline get dtype(): i32 { return 21; }
  @inline get fileBytes(): usize { return 110; }

  @inline point(p: usize, high: i32): u64 { return pair(iq3sAt(load<u8>(p) | (high & 1) << 8), iq3sAt(load<u8>(p, 1) | (high & 2) << 7)); }

  @inline unpack(src: usize, dst: usize, lane: i32): i32 {
    let p = src + 2, q = src + 74;
    for (let b: usize = 0; b < 8; b++) {
      const s = <i32>load<u8>(src + (b >> 1), 106), sc = (b & 1 ? s >> 4 : s & 15) * 2 + 1;
      let high = <i32>load<u8>(src + b, 66);
      for (let half: usize = 0; half < 2; half++, p += 4, q += 2, high >>= 4) {
        storePoints(dst, lane, (b << 1) + half, sc, this.point(p, high), load<u8>(q), this.point(p + 2, high >> 2), load<u8>(q, 1));
      }
    }
    return storeFactors(dst, lane, halfFinite(src), TABLES + 32);
  }
}

/** 255 where all eight are moved down. */
@inline function moved(down: i32): u32 { return down ? 255 : 0; }

@unmanaged export class IQ1_S {
  @inline get dtype(): i32 { return 19; }
  @inline get fileBytes(): usize { return 50; }

  @inline unpack(src: usize, dst: usize, lane: i32): i32 {
    let p = src + 2;
    for (let b: usize = 0; b < 8; b++) {
      const s = <i32>load<u16>(src + (b << 1), 34), sc = (s >> 12 & 7) * 2 + 1, down = moved(s & 0x8000);
      for (let half: usize = 0, high = s; half < 2; half++, p += 2, high >>= 6) {
        const u = iq1At(load<u8>(p) | (high & 7) << 8), v = iq1At(load<u8>(p, 1) | (high >> 3 & 7) << 8);
        storePoints(dst, lane, (b << 1) + half, sc, u, down, v, down);
      }
    }
    return storeFactors(dst, lane, halfFinite(src) / 8, TABLES + 48);
  }
}

/** d is an f16 in the high nibbles of four words of scales. */
@unmanaged export class IQ1_M {
  @inline get dtype(): i32 { return 29; }
  @inline get fileBytes(): usize { return 56; }

  @inline unpack(src: usize, dst: usize, lane: i32): i32 {
    let d = 0;
    for (let b: usize = 0; b < 8; b++) {
      const s = <i32>load<u16>(src + (b >> 1 << 1), 48), shift = b & 1 ? 6 : 0;
      if (b & 1) d = d >> 4 | s & 0xf000;
      for (let half: usize = 0; half < 2; half++) {
        const p = src + (b << 2) + (half << 1), high = <i32>load<u8>(src + (b << 1) + half, 32);
        const u = iq1At(load<u8>(p) | (high & 7) << 8), v = iq1At(load<u8>(p, 1) | (high >> 4 & 7) << 8);
        storePoints(dst, lane, (b << 1) + half, (s >> (shift + (half ? 3 : 0)) & 7) * 2 + 1, u, moved(high & 8), v, moved(high & 128));
      }
    }
    store<u16>(dst, <u16>d, 160); // where the table will be
    return storeFactors(dst, lane, halfFinite(dst + 160) / 8, TABLES + 48);
  }
}
