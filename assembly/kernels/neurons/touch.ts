/**
 * WebAssembly has no prefetch instruction, and the processor's own prefetcher does not see where a list of neurons leads: left alone, a
 * kernel waits for a few cache lines at a time. So where weights are not in the cache, kernels first read one byte of every line of the
 * next listed neurons, which the processor does side by side, and then compute. Costs a twelfth where the weights are in the cache: the
 * caller decides.
 */

/** Reads a byte of every cache line of `bytes` > 0 bytes at `p`; the result keeps a compiler from leaving the reads out. */
@inline function touch(p: usize, bytes: usize): u32 {
  const last = p + bytes - 1;
  let touched = <u32>load<u8>(last);
  for (; p + 192 < last; p += 256) touched |= load<u8>(p) | load<u8>(p, 64) | load<u8>(p, 128) | load<u8>(p, 192);
  for (; p < last; p += 64) touched |= load<u8>(p);
  return touched;
}

/** The same of every listed row of `bytes` bytes; `list` up to `stop`. */
@inline export function touchRows(w: usize, bytes: usize, list: usize, stop: usize): u32 {
  let touched: u32 = 0;
  for (; list < stop; list += 2) touched |= touch(w + <usize>load<u16>(list) * bytes, bytes);
  return touched;
}
