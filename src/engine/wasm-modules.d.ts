/** Modules that scripts/build.ts writes: the bytes of an engine binary. */
declare module '*.wasm.js' {
  const bytes: Uint8Array<ArrayBuffer>;
  export default bytes;
}
