/**
 * Snapshots of chats and generations: what they are bound to, what goes into the header, and checking all of it before anything is restored
 * (docs/sessions.md).
 */
import type { SparsityOptions } from '../adapt/methods.ts';
import type { Binding, Engine } from '../engine/engine.ts';
import { FormatError, InputError, ModelError } from '../errors.ts';
import { checkNumber, inRange, saidOf, show } from '../options.ts';
import { seedRange } from '../sampler/options.ts';
import { Random } from '../sampler/random.ts';
import { packSnapshot, unpackSnapshot } from '../session/format.ts';
import type { SavedSequence, SequenceHeader } from '../session/saved.ts';
import { readSequence, sequenceParts, shapeOf } from '../session/saved.ts';
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
type GenerationHeader = Omit<GenerationState, 'tokens' | 'owner' | 'sparsity' | 'selection' | 'options'> & {
  readonly options: Omit<GenerateOptions, 'logitBias'> & { readonly logitBias?: readonly (readonly [id: number, bias: string])[] };
  readonly sparsity: Pick<GenerationState['sparsity'], 'options' | 'bound' | 'warnings'>;
};

interface Header extends Binding {
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
  headerOf: (asked: T) => Pick<Header, 'kind' | 'chat' | 'generation'>,
): Promise<Uint8Array<ArrayBuffer>> {
  for (;;) {
    const saved = await claim.use(of()?.tokens ?? [], undefined, (sequence) => sequence.save(of));
    if (!saved) { await settled(); continue; }
    const { asked, sequence } = saved, { header: own, sections } = sequenceParts(sequence);
    const header: Header = { ...headerOf(asked), ...engine.binding, calibration: digest?.(), sequence: own };
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

function damaged(found: string, expected: string): never {
  throw new FormatError('E_SNAPSHOT', {
    subject: 'snapshot', found, expected, remedy: 'The file is damaged or was not written by clada; save it again.',
  });
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null && !Array.isArray(value);
const isCount = (value: unknown): boolean => inRange({ min: 0, max: 2 ** 31, integer: true }, value);

/** What a snapshot says of itself, without a model: which to load, and how. @throws as restoring, for damaged bytes */
export function snapshotInfo(snapshot: Uint8Array | ArrayBuffer): SnapshotInfo {
  const { header: { kind, model, build, sequence }, section } = unpackSnapshot<Header>(snapshot);
  if ((kind !== 'chat' && kind !== 'generation') || !isObject(model) || !isObject(build)) {
    damaged('a header without kind, model or build', 'all of them');
  }
  const tokens = (section('tokens')?.length ?? 0) / 4;
  return { kind, version: 1, model, build, tokens, cachedTokens: sequence?.cached ?? 0, bytes: snapshot.byteLength };
}

/** A snapshot taken apart, with everything checked that can be before a model is touched. */
export interface Restored {
  readonly ids: Int32Array;
  readonly sequence: SavedSequence;
  readonly chat: ChatState | undefined;
  readonly generation: GenerationHeader | undefined;
}

function checkBinding({ model, build }: Header, binding: Binding): void {
  const refuse = (subject: string, found: unknown, expected: string, remedy: string): never => {
    throw new ModelError('E_SNAPSHOT_MODEL', { subject: `snapshot, ${subject}`, found: show(found), expected, remedy });
  };
  const named = (of: Binding['model'] | undefined): string => `${of?.name} (${String(of?.fingerprint).slice(0, 8)}…)`;
  if (model?.fingerprint !== binding.model.fingerprint) {
    refuse('model', named(model), `${named(binding.model)}, the model that is loaded`,
      'Load the model that the snapshot was saved from: the same file, the same weights.');
  }
  if (build?.abi !== binding.build.abi) {
    refuse('engine', `ABI version ${build?.abi}`, String(binding.build.abi),
      'Caches of different engine versions differ: use the version that saved it, or start anew.');
  }
  for (const name of ['tier', 'kv', 'precision'] as const) {
    const saved = build[name], here = binding.build[name];
    if (saved !== here) refuse(name, saved, `'${here}', as this model is loaded`, `Load the model with ${name}: '${String(saved)}'.`);
  }
  if (build.factors !== binding.build.factors) {
    refuse('frequency factors', build.factors, `the ${binding.build.factors} ones, which this context size asks for`,
      'Load the model with the contextSize that the snapshot was saved with: this model turns otherwise in longer contexts.');
  }
}

/**
 * @param digest of the calibration at hand
 * @throws InputError `E_OPTION` (not bytes; the other kind), `E_CONTEXT_FULL`; FormatError `E_SNAPSHOT`, `E_SNAPSHOT_VERSION`; ModelError
 * `E_SNAPSHOT_MODEL`
 */
export function readSnapshot(
  snapshot: Uint8Array | ArrayBuffer, wanted: SnapshotKind, engine: Engine, digest: () => string | undefined, ownSparsity: boolean,
): Restored {
  const { header, section } = unpackSnapshot<Header>(snapshot), { kind, chat, generation } = header;
  if (kind !== 'chat' && kind !== 'generation') damaged(`kind ${show(kind)}`, 'chat or generation');
  checkBinding(header, engine.binding);
  if (kind !== wanted) {
    throw new InputError('E_OPTION', {
      subject: 'snapshot', found: `a ${kind}`, expected: `a ${wanted}`,
      remedy: kind === 'chat' ? 'Use model.restore(snapshot).' : 'Use model.resume(snapshot).',
    });
  }
  if ((kind === 'chat') !== (chat !== undefined) || (kind === 'generation' && !generation)) damaged(`a ${kind} without one`, kind);
  if (chat !== undefined && (!isObject(chat) || !Array.isArray(chat.messages) || !isObject(chat.sparsity))) {
    damaged('a chat that is none', 'messages and sparsity');
  }
  const tokens = section('tokens') ?? new Uint8Array(0), ids = new Int32Array(tokens.buffer, tokens.byteOffset, tokens.length >> 2);
  if (generation !== undefined) checkGeneration(generation, ids.length);
  const asked = ownSparsity ? [] : [chat?.sparsity, generation?.sparsity.options];
  const needsCalibration = asked.some((options) => options && options.method !== 'dense' && options.method !== 'exact');
  if (needsCalibration && header.calibration !== digest()) {
    throw new ModelError('E_SNAPSHOT_MODEL', {
      subject: 'snapshot, calibration', found: header.calibration?.slice(0, 8) ?? 'none',
      expected: `${digest()?.slice(0, 8) ?? 'none'}, as this model is loaded`,
      remedy: "Load the model with the calibration that it was saved with, or go on with another sparsity: { method: 'dense' }.",
    });
  }
  if (ids.length > engine.contextSize + (generation ? 1 : 0)) { // the last token of an answer is not in the cache yet
    throw new InputError('E_CONTEXT_FULL', {
      subject: 'snapshot', found: `${ids.length} tokens`, expected: `at most ${engine.contextSize} (contextSize)`,
      remedy: `Load the model with contextSize: ${ids.length} or more.`,
    });
  }
  return { ids, sequence: readSequence(header.sequence, ids, section, shapeOf(engine)), chat, generation };
}

function checkGeneration(g: GenerationHeader, length: number): void {
  const isSparsity = (value: GenerationHeader['sparsity']): boolean =>
    isObject(value) && isObject(value.options) && Array.isArray(value.warnings);
  if (!isObject(g) || !isObject(g.options) || !isSparsity(g.sparsity)) damaged('a generation that is none', 'options and sparsity');
  const { promptTokens, shiftedTokens = 0, decodeFrom = 0, text, cost, contract, stopReason, stop, sparsity: { bound } } = g;
  if (!isCount(promptTokens) || !isCount(shiftedTokens) || promptTokens > length + shiftedTokens) {
    damaged(`${String(promptTokens)} prompt tokens`, `at most ${length}`);
  }
  if (!isCount(decodeFrom) || decodeFrom > length) damaged(`tokens decoded from ${String(decodeFrom)} on`, `at most ${length}`);
  if (typeof text !== 'string' || !inRange({ min: 0 }, cost)) damaged('a text or cost that is none', 'both');
  if (stopReason !== undefined && !['eog', 'stop', 'length', 'context', 'loop'].includes(stopReason)) {
    damaged(`stop reason ${show(stopReason)}`, 'eog, stop, length, context or loop');
  }
  if (stop !== undefined && typeof stop !== 'string') damaged('a stop text that is none', 'a text');
  const isNumber = (value: unknown): boolean => value === undefined || inRange({}, value);
  if (bound !== undefined && !(isObject(bound) && isCount(bound.checkEvery) && isNumber(bound.maxKl) && isNumber(bound.minTop1))) {
    damaged('a bound that is none', 'checkEvery with maxKl or minTop1');
  }
  if (contract === undefined) return;
  if (!isObject(contract) || !Array.isArray(contract.kls) || ![...contract.kls, contract.sinceKl].every((value) => inRange({}, value))
    || ![contract.same, contract.since, contract.sinceSame, contract.adjustments].every(isCount)
    || contract.adjustments > contract.kls.length) {
    damaged('a contract that is none', 'what was measured');
  }
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
