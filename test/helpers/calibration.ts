/** Reference statistics of the embedded model (torch, ../shared), and how vectors are compared with them. */
import { readFileSync } from 'node:fs';
import { shared } from './models.ts';

const folder = `${shared}fixtures/calibration/`;

/** Token ids of the documents that the reference was made from. */
export function calibrationDocuments(): number[][] {
  return (JSON.parse(readFileSync(`${folder}documents.json`, 'utf8')) as { ids: number[] }[]).map(({ ids }) => ids);
}

export function reference(name: 'h_sq' | 'h_normed_sq' | 'h_mean' | 'up_sq' | 'gate_sq' | 'fisher' | 'layer_grad_sq'): Float32Array {
  return new Float32Array(new Uint8Array(readFileSync(`${folder}${name}.f32`)).buffer);
}

/** Row `layer` of [nLayers, width]. */
export const rowOf = (matrix: Float32Array, layer: number, width: number): Float32Array => matrix.subarray(layer * width, (layer + 1) * width);

/** Norm of a - b over norm of b. */
export function relativeError(a: Float32Array, b: Float32Array): number {
  let error = 0, norm = 0;
  for (let i = 0; i < a.length; i++) { error += (a[i]! - b[i]!) ** 2; norm += b[i]! ** 2; }
  return Math.sqrt(error / norm);
}

function ranks(values: Float32Array): Float64Array {
  const order = Array.from(values.keys()).sort((i, j) => values[i]! - values[j]!);
  const result = new Float64Array(values.length);
  order.forEach((at, rank) => { result[at] = rank; });
  return result;
}

/** Pearson's correlation. */
export function correlation(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const n = a.length;
  let ma = 0, mb = 0;
  for (let i = 0; i < n; i++) { ma += a[i]! / n; mb += b[i]! / n; }
  let ab = 0, aa = 0, bb = 0;
  for (let i = 0; i < n; i++) { ab += (a[i]! - ma) * (b[i]! - mb); aa += (a[i]! - ma) ** 2; bb += (b[i]! - mb) ** 2; }
  return ab / Math.sqrt(aa * bb);
}

/** Spearman's rank correlation of values without ties. */
export const rankCorrelation = (a: Float32Array, b: Float32Array): number => correlation(ranks(a), ranks(b));
