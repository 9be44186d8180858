/** Every kernel, exported for tests and benches. Never shipped: the engine's own entry is `index.ts`. */
export { heapBase } from './base/memory';
