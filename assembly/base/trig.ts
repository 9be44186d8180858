/**
 * sin, cos, pow and log in f64, compiled from AssemblyScript's own library (a musl port) into the binary, because JavaScript's
 * `Math.sin` and `Math.pow` may differ in the last bit between engines and text must not. A few dozen calls a token.
 */
@inline export function sin64(x: f64): f64 { return NativeMath.sin(x); }
@inline export function cos64(x: f64): f64 { return NativeMath.cos(x); }
@inline export function pow64(x: f64, y: f64): f64 { return NativeMath.pow(x, y); }
@inline export function log64(x: f64): f64 { return NativeMath.log(x); }
