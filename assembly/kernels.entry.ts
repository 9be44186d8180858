/** Every kernel, exported for tests and benches. Never shipped: the engine's own entry is `index.ts`. */
export { heapBase } from './base/memory';
export { quantize, x4Stride } from './kernels/quantize/quantize';
export { matvecQ40, matvecQ41, matvecQ4K } from './kernels/matvec/q4';
export { matvecQ80, matvecQ81, matvecQ5K, matvecQ6K } from './kernels/matvec/q8';
export { matvecF32, matvecF16, matvecBF16 } from './kernels/matvec/floats';
export { matmulQ40, matmulQ41, matmulQ4K } from './kernels/matmul/q4';
export { matmulQ80, matmulQ81, matmulQ5K, matmulQ6K } from './kernels/matmul/q8';
export { matmulF32, matmulF16, matmulBF16 } from './kernels/matmul/floats';
export { rmsNorm, layerNorm } from './kernels/norm/norm';
export { activateGated, activate, add, scale } from './kernels/activation/activation';
export { ropeFrequencies, ropeTable, rope } from './kernels/rope/rope';
export { storeKv } from './kernels/attention/cache';
export { attend } from './kernels/attention/attention';
export { sweepLogitsAt } from './kernels/logits/sweep';
export { readMemory } from './kernels/bandwidth/bandwidth';
export { repack, layoutBytes } from './kernels/repack/repack';
export { expand } from './kernels/repack/expand';
export { dequantRow } from './kernels/embed/embed';
