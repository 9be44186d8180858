/** First address behind the static data; the host's arena begins here. */
export function heapBase(): usize {
  return __heap_base;
}
