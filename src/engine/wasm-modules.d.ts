/** Modules that scripts/build.ts writes: an engine binary as text (binaries.ts) and its bytes, and the sizes of all. */
declare module '*.wasm.js' {
  export const bytes: number;
  const deflated: string;
  export default deflated;
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
