/**
 * f32, f16 and bf16 rows of a GGUF file into the interleaved float layouts (8 rows side by side, column by column), or into a plain f32
 * `vector`. The last group's missing rows become zeros. Returns how many values are not finite. Test: test/kernels/repack.test.ts.
 */
import { Dtype } from '../../abi/enums';

@inline function badBits(dtype: i32, p: usize): i32 {
  if (dtype == Dtype.f32) return i32((load<u32>(p) & 0x7f800000) == 0x7f800000);
  if (dtype == Dtype.f16) return i32((load<u16>(p) & 0x7c00) == 0x7c00);
  return i32((load<u16>(p) & 0x7f80) == 0x7f80);
}

/** One value as f32. */
@inline export function valueOf(dtype: i32, p: usize): f32 {
  if (dtype == Dtype.f32) return load<f32>(p);
  if (dtype == Dtype.f16) {
    const h = <u32>load<u16>(p);
    return f32x4.extract_lane(f32x4.mul(i32x4.splat((h & 0x8000) << 16 | (h & 0x7fff) << 13), f32x4.splat(5.192296858534828e33)), 0);
  }
  return reinterpret<f32>(<u32>load<u16>(p) << 16);
}

/** `dtype` is a literal. */
@inline function interleave(dtype: i32, src: usize, dst: usize, rows: i32, cols: i32): i32 {
  const size: usize = dtype == Dtype.f32 ? 4 : 2;
  const rowBytes = <usize>cols * size, groupBytes = <usize>8 * rowBytes;
  let bad = 0;
  for (let row = 0; row < rows; row += 8, dst += groupBytes, src += groupBytes) {
    const nLanes = min(8, rows - row);
    if (nLanes < 8) memory.fill(dst, 0, groupBytes);
    for (let lane = 0; lane < nLanes; lane++) {
      let q = dst + <usize>lane * size;
      const from = src + <usize>lane * rowBytes;
      for (let p = from, end = from + rowBytes; p < end; p += size, q += 8 * size) {
        if (dtype == Dtype.f32) store<u32>(q, load<u32>(p));
        else store<u16>(q, load<u16>(p));
        bad += badBits(dtype, p);
      }
    }
  }
  return bad;
}

@inline function flatten(dtype: i32, src: usize, dst: usize, count: i32): i32 {
  const size: usize = dtype == Dtype.f32 ? 4 : 2;
  let bad = 0;
  for (const end = src + <usize>count * size; src < end; src += size, dst += 4) {
    store<f32>(dst, valueOf(dtype, src));
    bad += badBits(dtype, src);
  }
  return bad;
}

export function repackF32(src: usize, dst: usize, rows: i32, cols: i32): i32 { return interleave(Dtype.f32, src, dst, rows, cols); }
export function repackF16(src: usize, dst: usize, rows: i32, cols: i32): i32 { return interleave(Dtype.f16, src, dst, rows, cols); }
export function repackBF16(src: usize, dst: usize, rows: i32, cols: i32): i32 { return interleave(Dtype.bf16, src, dst, rows, cols); }

/** Any float dtype → f32 [rows * cols], back to back. */
export function toVector(dtype: i32, src: usize, dst: usize, count: i32): i32 {
  if (dtype == Dtype.f32) return flatten(Dtype.f32, src, dst, count);
  if (dtype == Dtype.f16) return flatten(Dtype.f16, src, dst, count);
  return flatten(Dtype.bf16, src, dst, count);
}
