/**
 * sin, cos, pow and log in f64, computed here because JavaScript's `Math.sin` and `Math.pow` may differ in the last bit between engines and
 * text must not. A few dozen calls a token, each rounded to f32 by the caller: series in loops, within 1e-14, not tables, which weigh a
 * tenth of the binary. Test: test/kernels/rope.test.ts, test/kernels/sweep.test.ts.
 */
const LN2_HIGH: f64 = 6.93147180369123816490e-01, LN2_LOW: f64 = 1.90821492927058770002e-10; // the first has 32 bits: n times it is exact

/** 1 - z / ((k - 1) k) + z² / ((k - 1) k (k + 1) (k + 2)) - …, where z = r², r <= pi / 4: cos r from k = 2, sin r / r from k = 3. */
function series(z: f64, k: f64): f64 {
  let sum: f64 = 1;
  for (let j = k + 14; j >= k; j -= 2) sum = 1 - sum * z / (j * (j - 1));
  return sum;
}

/** sin(x + quarters pi / 2). To the last bit of an f32 up to |x| = 2^20, where angles in f32 are a sixteenth apart. */
function sine(x: f64, quarters: i32): f64 {
  const n = nearest(x * 0.6366197723675814);
  const r = x - n * 1.57079632673412561417 - n * 6.07710050650619224932e-11; // n times the first is exact
  const quarter = <i32>n + quarters;
  const value = quarter & 1 ? series(r * r, 2) : r * series(r * r, 3);
  return quarter & 2 ? -value : value;
}

export function sin64(x: f64): f64 { return sine(x, 0); }
export function cos64(x: f64): f64 { return sine(x, 1); }

/** ln x by the series of artanh. No subnormal numbers: what comes here was an f32 or is above 1. */
export function log64(x: f64): f64 {
  if (!(x > 0 && x < Infinity)) return x == 0 ? -Infinity : x < 0 ? NaN : x;
  const bits = reinterpret<i64>(x) - 0x3fe6a09e667f3bcd; // of sqrt(1/2): what is left of x is between that and twice that
  const n = <f64>(bits >> 52), m = reinterpret<f64>((bits & 0x000fffffffffffff) + 0x3fe6a09e667f3bcd);
  const s = (m - 1) / (m + 1), z = s * s;
  let sum: f64 = 0;
  for (let j: f64 = 25; j > 0; j -= 2) sum = sum * z + 1 / j;
  return n * LN2_HIGH + (2 * s * sum + n * LN2_LOW);
}

/** x^y for x > 0 and results that are normal numbers. */
export function pow64(x: f64, y: f64): f64 {
  const t = y * log64(x), n = nearest(t * 1.4426950408889634), r = t - n * LN2_HIGH - n * LN2_LOW;
  let sum: f64 = 1;
  for (let k: f64 = 16; k > 0; k--) sum = 1 + sum * r / k;
  return sum * reinterpret<f64>(<i64>(n + 1023) << 52);
}
