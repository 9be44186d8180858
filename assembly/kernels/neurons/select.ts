/** Placeholder until the vector version lands. Test: test/kernels/select.test.ts. */
export function selectAbove(values: usize, weights: usize, threshold: f32, n: i32, out: usize): i32 {
  const start = out;
  for (let i = 0; i < n; i++) {
    const v = abs(load<f32>(values + (<usize>i << 2))) * (weights ? load<f32>(weights + (<usize>i << 2)) : 1);
    if (v > threshold) { store<u16>(out, <u16>i); out += 2; }
  }
  return <i32>((out - start) >> 1);
}
export function selectAboveIn(list: usize, nList: i32, values: usize, weights: usize, threshold: f32, out: usize): i32 {
  const start = out;
  for (const end = list + (<usize>nList << 1); list < end; list += 2) {
    const i = <usize>load<u16>(list);
    const v = abs(load<f32>(values + (i << 2))) * (weights ? load<f32>(weights + (i << 2)) : 1);
    if (v > threshold) { store<u16>(out, <u16>i); out += 2; }
  }
  return <i32>((out - start) >> 1);
}
export function selectTop(scores: usize, n: i32, k: i32, out: usize): i32 {
  let low: u32 = 0, high: u32 = 0x7f800000;
  while (low < high) {
    const middle = low + ((high - low) >> 1);
    let count = 0;
    for (let i = 0; i < n; i++) if (load<f32>(scores + (<usize>i << 2)) > reinterpret<f32>(middle)) count++;
    if (count <= k) high = middle; else low = middle + 1;
  }
  const t = reinterpret<f32>(high);
  let above = 0;
  for (let i = 0; i < n; i++) if (load<f32>(scores + (<usize>i << 2)) > t) above++;
  let ties = k - above;
  let p = out;
  for (let i = 0; i < n; i++) {
    const s = load<f32>(scores + (<usize>i << 2));
    if (s > t || (s == t && ties > 0)) { if (s == t) ties--; store<u16>(p, <u16>i); p += 2; }
  }
  return <i32>((p - out) >> 1);
}
