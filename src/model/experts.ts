/**
 * Mixtures of experts: the keys under `expert_`, read as llama.cpp reads them for the family. Its graphs pass over some that converters
 * write; where such a key says what the graph does anyway it is taken, else refused.
 */
import { ModelError } from '../errors.ts';
import type { GgufFile } from '../format/gguf/types.ts';
import { mixtures } from './family.ts';
import type { Keys } from './keys.ts';
import { bad } from './keys.ts';
import type { Experts, Family } from './types.ts';

/** llama.cpp's bound. */
const mostExperts = 1_024;

const gatingNames = ['none', 'softmax', 'sigmoid', 'softmax of the chosen', 'square root of softplus'];
const other = 'A mixture of this kind is not run here; use another model, or a dense one of the same family.';

/** An expert's own tensors, as files have them since April 2024 and as they had them before. */
const expertTensor = /^blk\.\d+\.ffn_(?:gate_inp|\w+_exps)\./, splitTensor = /^blk\.\d+\.ffn_(?:gate|up|down)\.\d+\.weight$/;

interface FileExperts { readonly experts: Experts; /** Width of an expert of each layer. */ readonly layerFfn: readonly number[] }

/**
 * Undefined for a dense model. `widest`: limit of a width.
 * @throws ModelError `E_FAMILY` for a mixture of a family that has none, `E_HPARAM`, `E_TENSOR_UNKNOWN`
 */
export function readExperts(
  keys: Keys, family: Family, tensors: GgufFile['tensors'], nLayers: number, widest: number,
): FileExperts | undefined {
  const said = keys.number('expert_count'), { mixture } = family, names = [...tensors.keys()];
  if (!mixture) {
    if (said > 1) refuseMixture(keys, said); // one expert is no choice: its tensors say whether the model is dense
    keys.skip('expert_');
    return undefined;
  }
  const expert = names.find((name) => expertTensor.test(name) || splitTensor.test(name));
  if (said === 0 && !expert && !mixture.always) {
    keys.skip('expert_');
    return undefined;
  }
  if (said === 0) {
    bad(keys.name('expert_count'), '0, or no such key', expert ? `the number of experts that ${expert} is of` : 'at least 1 expert');
  }
  const split = names.find((name) => splitTensor.test(name));
  if (split !== undefined) refuseSplit(split);

  const count = keys.count('expert_count', mostExperts), used = keys.count('expert_used_count', count);
  checkRouter(keys, mixture);
  const layerFfn = mixture.ownWidth ? ownWidths(keys, nLayers, used, widest) : keys.counts('feed_forward_length', nLayers, widest);
  const widths = keys.has('expert_feed_forward_length') ? keys.counts('expert_feed_forward_length', nLayers, widest) : layerFfn;
  if (widths.some((width, i) => width !== layerFfn[i])) {
    const own = `the feed_forward_length ${layerFfn[0]}, as in every file of this family`;
    bad(keys.name('expert_feed_forward_length'), widths[0], own, other);
  }
  return { experts: { count, used, normed: mixture.normed, sharedFfn: sharedWidth(keys, mixture, widest) }, layerFfn };
}

/** Whether the router is the one that the family has: softmax over all experts, and then a choice among all of them. */
function checkRouter(keys: Keys, { normed }: NonNullable<Family['mixture']>): void {
  const gating = keys.number('expert_gating_func'), groups = keys.number('expert_group_count'), scale = keys.number('expert_weights_scale');
  if (gating !== 0 && gating !== 1) {
    bad(keys.name('expert_gating_func'), `${gating} (${gatingNames[gating] ?? 'unknown'})`, '1 (softmax), or no such key', other);
  }
  if (groups > 1) bad(keys.name('expert_group_count'), groups, '0 or 1: experts are not chosen by group', other);
  keys.name('expert_group_used_count'); // of groups there are none
  if (scale !== 0 && scale !== 1) bad(keys.name('expert_weights_scale'), scale, '1, or no such key', other);
  const norm = keys.flag('expert_weights_norm');
  if (norm !== undefined && norm !== normed) bad(keys.name('expert_weights_norm'), norm, `${normed}, as this family has it`, other);
}

/** Widths of experts where they are not the feed_forward_length: their own key, or that length dealt out among those that a token uses. */
function ownWidths(keys: Keys, nLayers: number, used: number, widest: number): readonly number[] {
  const key = 'feed_forward_length', own = `expert_${key}`;
  if (keys.list(own) !== undefined || keys.number(own) !== 0) {
    keys.name(key);
    return keys.counts(own, nLayers, widest);
  }
  return keys.counts(key, nLayers, widest).map((width) =>
    (width % used === 0 ? width / used : bad(keys.name(key), width, `a multiple of the ${used} experts that a token uses`)));
}

/** Width of the expert that every token goes to; 0: none. */
function sharedWidth(keys: Keys, { shared }: NonNullable<Family['mixture']>, widest: number): number {
  const key = 'expert_shared_feed_forward_length', width = keys.number(key), count = keys.number('expert_shared_count');
  if (count > (shared ? 1 : 0)) {
    bad(keys.name('expert_shared_count'), count, shared ? '0 or 1' : '0: this family has no shared expert', other);
  }
  if (!shared && width !== 0) bad(keys.name(key), width, '0, or no such key: this family has no shared expert', other);
  if (shared === 'always' && width === 0) return keys.count('feed_forward_length', widest);
  return width === 0 ? 0 : keys.count(key, widest);
}

/** For what needs one feed-forward part a layer. @throws ModelError `E_METHOD` */
export function checkOneFfn({ experts }: { readonly experts?: Experts }, subject: string): void {
  if (!experts) return;
  throw new ModelError('E_METHOD', {
    subject, found: `a mixture of ${experts.count} experts`, expected: 'a model with one feed-forward part a layer',
    remedy: `Use dense, or experts, which leaves out some of those that a token is sent to, here ${experts.used} of ${experts.count}.`,
  });
}

/** For what chooses among experts. @throws ModelError `E_METHOD` */
export function checkMixture({ experts }: { readonly experts?: object | undefined }, subject: string): void {
  if (experts) return;
  throw new ModelError('E_METHOD', {
    subject, found: 'a model without experts', expected: 'a mixture of experts', remedy: 'Use clada or wina; experts is for mixtures.',
  });
}

function refuseMixture(keys: Keys, count: number): never {
  const used = keys.number('expert_used_count'), some = used > 0 ? ` (${used} used at a time)` : '';
  throw new ModelError('E_FAMILY', {
    subject: `metadata key ${keys.name('expert_count')}`, found: `a mixture of ${count} experts${some}`,
    expected: 'a dense model: this family has no mixture',
    remedy: `Mixtures of experts are run of ${mixtures.join(', ')} (llama: Mixtral).`,
  });
}

function refuseSplit(name: string): never {
  throw new ModelError('E_TENSOR_UNKNOWN', {
    subject: `tensor ${name}`, found: 'each expert in a tensor of its own, as files had them before April 2024',
    expected: `${name.replace(/\.\d+\.weight$/, '_exps.weight')}: all experts in one`,
    remedy: 'Take a newer file of this model, or convert it again; llama.cpp no longer reads these either.',
  });
}
