/**
 * exp and log in float64 from + − × ÷ only. ECMAScript leaves the last bits of `Math.exp` and `Math.log` to the engine, so a
 * token decided with them could differ between runtimes; the four operations are exact IEEE 754 everywhere.
 *
 * exp: x = k·ln2 + r with |r| ≤ ln2/2, Taylor series to r¹³/13! (remainder < 4e-18), times 2^k.
 * log: x = m·2^e with √½ ≤ m < √2, log m = 2·artanh(s), s = (m−1)/(m+1), odd series to s²³ (remainder < 1e-19 relative).
 * Error over normal results: exp below 1 unit in the last place, log below 2 (0.87 and 1.24 measured against 40 digits;
 * test/sampler/exp.test.ts holds both against `Math`).
 */

// ln2 in two parts; the first ends in 21 zero bits, so k × LN2_HIGH is exact for every exponent k.
const LN2_HIGH = 6.93147180369123816490e-1;
const LN2_LOW = 1.90821492927058770002e-10;
const LOG2_E = 1.4426950408889634;

const MIN_EXPONENT = -1074;
const MAX_EXPONENT = 1023;

/** 2^k at index k − MIN_EXPONENT; halving and doubling are exact, subnormals included. */
const powersOfTwo = (() => {
  const powers = new Float64Array(MAX_EXPONENT - MIN_EXPONENT + 1);
  powers[-MIN_EXPONENT] = 1;
  for (let i = -MIN_EXPONENT + 1; i < powers.length; i++) powers[i] = powers[i - 1]! * 2;
  for (let i = -MIN_EXPONENT - 1; i >= 0; i--) powers[i] = powers[i + 1]! / 2;
  return powers;
})();

/** e^x: 0 below −745.14, Infinity above 709.78, NaN for NaN. */
export function exp(x: number): number {
  if (x < -745.2) return 0; // also keeps k + 1 inside the table below
  if (x > 710) return Infinity;
  const k = Math.floor(x * LOG2_E + 0.5);
  const r = (x - k * LN2_HIGH) - k * LN2_LOW;
  const tail = 1 / 6 + r * (1 / 24 + r * (1 / 120 + r * (1 / 720 + r * (1 / 5040 + r * (1 / 40320 + r * (1 / 362880
    + r * (1 / 3628800 + r * (1 / 39916800 + r * (1 / 479001600 + r * (1 / 6227020800))))))))));
  const y = 1 + (r + r * r * (0.5 + r * tail));
  if (k > MAX_EXPONENT) return y * 2 * powersOfTwo[k - 1 - MIN_EXPONENT]!;
  if (k < MIN_EXPONENT) return y * 0.5 * powersOfTwo[k + 1 - MIN_EXPONENT]!;
  return k === k ? y * powersOfTwo[k - MIN_EXPONENT]! : NaN;
}

/** Natural logarithm: −Infinity at 0, NaN below 0 and for NaN. */
export function log(x: number): number {
  if (!(x > 0)) return x === 0 ? -Infinity : NaN;
  if (x === Infinity) return Infinity;
  let e = 0;
  let m = x; // brought to [√½, √2) by exact powers of two
  for (let step = 512; step >= 1; step >>= 1) {
    const power = powersOfTwo[step - MIN_EXPONENT]!;
    while (m >= power) { m /= power; e += step; }
    while (m * power < 2) { m *= power; e -= step; }
  }
  if (m >= Math.SQRT2) { m /= 2; e += 1; }
  const s = (m - 1) / (m + 1);
  const q = s * s;
  const tail = 1 / 3 + q * (1 / 5 + q * (1 / 7 + q * (1 / 9 + q * (1 / 11 + q * (1 / 13 + q * (1 / 15 + q * (1 / 17
    + q * (1 / 19 + q * (1 / 21 + q * (1 / 23))))))))));
  // log m = 2s + 2s·q·tail; adding the large exact part last keeps the rounding of the small ones small.
  return e * LN2_HIGH + (e * LN2_LOW + 2 * s * q * tail + 2 * s);
}
