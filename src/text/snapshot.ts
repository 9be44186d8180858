/** Snapshots of chats and generations: what they are bound to and what goes into the header (docs/sessions.md). Restoring: restoring.ts. */
import type { SparsityOptions } from '../adapt/methods.ts';
import type { Binding } from '../engine/engine.ts';
import { InputError } from '../errors.ts';
import { checkNumber, saidOf } from '../options.ts';
import { seedRange } from '../sampler/options.ts';
import { Random } from '../sampler/random.ts';
import { damaged, packSnapshot, unpackSnapshot } from '../session/format.ts';
import type { SequenceHeader } from '../session/saved.ts';
import { sequenceParts } from '../session/saved.ts';
import { adjusted } from './contract.ts';
import type { GenerateOptions, GenerationSource, GenerationState } from './types.ts';
import type { ChatMessage, TemplateInput } from './template.ts';

/** What a snapshot holds. */
export type SnapshotKind = 'chat' | 'generation';

/** @internal a conversation besides its cache */
export interface ChatState {
  readonly messages: readonly ChatMessage[];
  readonly template?: TemplateInput | undefined;
  readonly sparsity: SparsityOptions;
}

/** A generation without its tokens; of a resolved sparsity what leads to it again. */
export type GenerationHeader = Omit<GenerationState, 'tokens' | 'owner' | 'sparsity' | 'selection' | 'options'> & {
  readonly options: Omit<GenerateOptions, 'logitBias' | 'constraint'>
    & { readonly logitBias?: readonly (readonly [id: number, bias: string])[] };
  readonly sparsity: Pick<GenerationState['sparsity'], 'options' | 'bound' | 'warnings'>;
};

/** @internal what a snapshot says before its sections */
export interface SnapshotHeader extends Binding {
  readonly kind: SnapshotKind;
  /** Of the calibration, where sparse methods would use it. */
  readonly calibration?: string | undefined;
  readonly sequence: SequenceHeader;
  readonly chat?: ChatState | undefined;
  readonly generation?: GenerationHeader | undefined;
}

/** What a snapshot says of itself. */
export interface SnapshotInfo {
  /** What was saved. */
  readonly kind: SnapshotKind;
  /** Of the format. */
  readonly version: number;
  /** The model's name and the fingerprint of its weights; the build that computed it. */
  readonly model: Binding['model'];
  /** The build that computed it. */
  readonly build: Binding['build'];
  /** Tokens in all, and those whose keys and values are there. */
  readonly tokens: number;
  /** Tokens whose keys and values are there. */
  readonly cachedTokens: number;
  /** Of the snapshot. */
  readonly bytes: number;
}

/** JSON has no infinity; it is the default. */
const sparsityHeader = ({ rerunAbove, ...rest }: SparsityOptions): SparsityOptions =>
  ({ ...rest, ...(rerunAbove === undefined || rerunAbove === Infinity ? {} : { rerunAbove }) });

function generationHeader(state: GenerationState): GenerationHeader {
  const { tokens: _tokens, owner: _owner, selection: _selection, sparsity, options, ...rest } = state;
  const { sparsity: _sparsity, logitBias, ...plain } = options;
  const entries = logitBias && [...(logitBias instanceof Map ? logitBias : Object.entries(logitBias))];
  const biases = entries?.map(([id, bias]) => [Number(id), String(bias)] as const);
  const { options: asked = { method: 'dense' }, bound, warnings } = sparsity;
  return {
    ...rest, options: { ...plain, ...(biases ? { logitBias: biases } : {}) },
    sparsity: { options: sparsityHeader(asked), bound, warnings },
  };
}

/** Asks `of` between two tokens, until it answers, and packs what it names. */
async function save<T extends { tokens: ArrayLike<number>; owner: object | undefined }>(
  { pool: { engine }, claim, digest }: GenerationSource, of: () => T | undefined, settled: () => Promise<unknown>,
  headerOf: (asked: T) => Pick<SnapshotHeader, 'kind' | 'chat' | 'generation'>,
): Promise<Uint8Array<ArrayBuffer>> {
  for (;;) {
    const saved = await claim.use(of()?.tokens ?? [], undefined, (sequence) => sequence.save(of));
    if (!saved) { await settled(); continue; }
    const { asked, sequence } = saved, { header: own, sections } = sequenceParts(sequence);
    const header: SnapshotHeader = { ...headerOf(asked), ...engine.binding, calibration: digest?.(), sequence: own };
    return packSnapshot(header, [{ name: 'tokens', data: Int32Array.from(asked.tokens) }, ...sections]);
  }
}

export function saveGeneration(
  source: GenerationSource, generation: { readonly state: GenerationState | undefined; settled(): Promise<void> },
): Promise<Uint8Array<ArrayBuffer>> {
  return save(source, () => generation.state, () => generation.settled(), (state) => ({
    kind: 'generation', generation: generationHeader(state),
  }));
}

/** `of`: the conversation, its answer under way or the tokens of the last one; undefined while a token is under way. */
export function saveChat(
  source: GenerationSource,
  of: () => { chat: ChatState; answer: GenerationState | undefined; tokens: readonly number[] } | undefined,
  settled: () => Promise<unknown>,
): Promise<Uint8Array<ArrayBuffer>> {
  return save(source, () => {
    const now = of();
    return now && { ...now, tokens: now.answer?.tokens ?? now.tokens, owner: now.answer?.owner };
  }, settled, ({ chat, answer }) => ({
    kind: 'chat', chat: { ...chat, sparsity: sparsityHeader(chat.sparsity) }, generation: answer && generationHeader(answer),
  }));
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null && !Array.isArray(value);

/** What a snapshot says of itself, without a model: which to load, and how. @throws as restoring, for damaged bytes */
export function snapshotInfo(snapshot: Uint8Array | ArrayBuffer): SnapshotInfo {
  const { header: { kind, model, build, sequence }, section } = unpackSnapshot<SnapshotHeader>(snapshot);
  if ((kind !== 'chat' && kind !== 'generation') || !isObject(model) || !isObject(build)) {
    damaged('a header without kind, model or build', 'all of them');
  }
  const tokens = (section('tokens')?.length ?? 0) / 4;
  return { kind, version: 1, model, build, tokens, cachedTokens: sequence?.cached ?? 0, bytes: snapshot.byteLength };
}

/**
 * The state of a saved generation with options of whoever goes on: `maxTokens` counts from here, a `seed` starts anew.
 * @throws InputError `E_OPTION`
 */
export function goingOn(state: GenerationState, given: GenerateOptions): { state: GenerationState; options: GenerateOptions } {
  const own = saidOf(given), { maxTokens } = own, generated = state.tokens.length + (state.shiftedTokens ?? 0) - state.promptTokens;
  if (own.seed === -1) delete own.seed;
  if (typeof maxTokens === 'number' && maxTokens !== -1) {
    own.maxTokens = generated + checkNumber('maxTokens', { min: 0, integer: true }, maxTokens);
  }
  if (state.constraint !== undefined && !own.constraint) {
    throw new InputError('E_OPTION', {
      subject: 'option constraint', found: 'none', expected: 'one made of the same grammar, fresh: the text was begun under it',
      remedy: 'Snapshots keep where a constraint stands, not what it is of: pass { constraint }.',
    });
  }
  const options = { ...state.options, ...own };
  if (typeof own.seed !== 'number') return { options, state };
  return { options, state: { ...state, random: new Random(checkNumber('seed', seedRange, own.seed)).saveState() } };
}

/** A generation's state from its header; `sparsity`: resolved again, or another. */
export function generationState(
  { options, ...rest }: GenerationHeader, ids: Int32Array, sparsity: GenerationState['sparsity'],
): GenerationState {
  const { logitBias, ...plain } = options;
  if (logitBias !== undefined && !Array.isArray(logitBias)) damaged('a logit bias that is none', 'pairs of token and bias');
  const biases = logitBias && new Map(logitBias.map(([id, bias]) => [id, Number(bias)]));
  return {
    ...rest, tokens: Array.from(ids), sparsity, selection: adjusted(sparsity.selection, rest.contract?.adjustments ?? 0), owner: {},
    options: { ...plain, ...(biases ? { logitBias: biases } : {}) },
  };
}
