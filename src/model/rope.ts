/** How a file wants positions turned: the keys under `rope`, read as llama.cpp reads them. */
import type { Keys } from './keys.ts';
import { bad } from './keys.ts';
import type { RopeHparams, WindowRule } from './types.ts';

type Unpaired = Omit<RopeHparams, 'kind'>;

export const sameRope = (a: RopeHparams, b: RopeHparams): boolean =>
  a.kind === b.kind && a.dim === b.dim && a.base === b.base && a.scale === b.scale && a.magnitude === b.magnitude
  && a.longAbove === b.longAbove && String(a.factors) === String(b.factors);

/** Of two sets of frequency factors the one for contexts of this size; undefined where a model has one, or none. */
export function factorsIn(ropes: readonly RopeHparams[], contextSize: number): 'short' | 'long' | undefined {
  const longAbove = ropes.find((rope) => rope.longAbove !== undefined)?.longAbove;
  return longAbove === undefined ? undefined : contextSize > longAbove ? 'long' : 'short';
}

/** 1 over the factor that a file was stretched by: of the old key where the new one is absent, and 1 for a factor of 0. */
function scaleOf(keys: Keys): number {
  const key = keys.has('rope.scaling.factor') ? 'rope.scaling.factor' : 'rope.scale_linear', factor = keys.number(key);
  keys.name('rope.scale_linear');
  return Number.isFinite(factor) && factor >= 0 ? 1 / (factor || 1) : bad(keys.name(key), factor, 'a positive number, or 0 for none');
}

/**
 * YaRN (arXiv 2309.00071): pairs that turn more than 32 times within the original context keep their frequency, those that turn less than
 * once are stretched in full, those between by a share; as factors beside `scale`, which stretches all.
 */
function yarnFactors({ dim, base, scale }: { dim: number; base: number; scale: number }, originalContext: number): number[] {
  const pairOf = (turns: number): number => (dim * Math.log(originalContext / (2 * Math.PI * turns))) / (2 * Math.log(base));
  const low = Math.max(0, Math.floor(pairOf(32))), high = Math.min(dim - 1, Math.ceil(pairOf(1)));
  return Array.from({ length: dim / 2 }, (_, pair) => {
    const kept = 1 - Math.min(1, Math.max(0, (pair - low) / Math.max(0.001, high - low)));
    return scale / (scale * (1 - kept) + kept);
  });
}

const types = ['none', 'linear', 'yarn', 'longrope'] as const;

/** `hasWindows`: some layers have a window, and turn as `rule` says. @throws ModelError `E_HPARAM` */
export function readRope(
  keys: Keys, headDim: number, contextLength: number, rule: WindowRule | undefined, hasWindows: boolean,
): { rope: Unpaired; windowRope: Unpaired } {
  const dim = keys.count('rope.dimension_count', headDim, headDim), base = keys.positive('rope.freq_base', 10_000);
  const said = keys.string('rope.scaling.type', 'linear'), type = types.find((one) => one === said);
  if (dim % 2 !== 0) bad(keys.name('rope.dimension_count'), dim, 'an even number');
  if (!type) {
    const expected = `${types.join(', ')} (llama3 scaling comes as the tensor rope_freqs.weight)`;
    bad(keys.name('rope.scaling.type'), JSON.stringify(said), expected);
  }
  const read = scaleOf(keys), scale = type === 'none' ? 1 : read, magnitude = keys.positive('rope.scaling.attn_factor', 1);
  const originalContext = type === 'yarn' || type === 'longrope'
    ? keys.count('rope.scaling.original_context_length', 2 ** 31, contextLength) : contextLength;
  const scaled = (own: number): Unpaired => {
    if (type === 'longrope') return { dim, base: own, scale, magnitude, longAbove: originalContext };
    if (type !== 'yarn') return { dim, base: own, scale, magnitude };
    const factors = yarnFactors({ dim, base: own, scale }, originalContext);
    return { dim, base: own, scale, magnitude: magnitude * (scale < 1 ? 1 - 0.1 * Math.log(scale) : 1), factors };
  };
  const rope = scaled(base);
  if (!rule || !hasWindows) return { rope, windowRope: rope };
  const own = keys.positive('rope.freq_base_swa', rule.ropeBase ?? base);
  if (rule.rope === 'alike') return { rope, windowRope: scaled(own) };
  if (rule.rope === 'unscaled') return { rope, windowRope: { dim, base: own, scale: 1, magnitude } };
  if (own !== base) bad(keys.name('rope.freq_base_swa'), own, `${base}, the base of all layers`);
  return { rope, windowRope: { dim, base, scale: 1, magnitude: 1 } };
}
