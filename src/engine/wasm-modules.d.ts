/** Modules that scripts/build.ts writes: the bytes of an engine binary, and the sizes of all. */
declare module '*.wasm.js' {
  const bytes: Uint8Array<ArrayBuffer>;
  export default bytes;
}
declare module '*/wasm/sizes.js' {
  const sizes: Readonly<Record<'base' | 'relaxed', number>>;
  export default sizes;
}
/** What workerd and edge-light make of an imported binary. */
declare module '*.wasm' {
  const module: WebAssembly.Module;
  export default module;
}
