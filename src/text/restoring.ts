/** Restoring snapshots: checks all of one before anything is restored, and is fetched when one is. */
import type { SparsityOptions } from '../adapt/methods.ts';
import type { Binding, Engine } from '../engine/engine.ts';
import { InputError, ModelError } from '../errors.ts';
import { inRange, show } from '../options.ts';
import { damaged, unpackSnapshot } from '../session/format.ts';
import type { SequenceShape } from '../session/restored.ts';
import { readSequence } from '../session/restored.ts';
import type { SavedSequence } from '../session/saved.ts';
import type { ChatState, GenerationHeader, SnapshotHeader, SnapshotKind } from './snapshot.ts';

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null && !Array.isArray(value);
const isCount = (value: unknown): boolean => inRange({ min: 0, max: 2 ** 31, integer: true }, value);

/** How a saved conversation goes on. */
export interface RestoreOptions {
  /** How the conversation goes on skipping. Default: as it did. */
  sparsity?: SparsityOptions;
}

/** A snapshot taken apart, with everything checked that can be before a model is touched. */
export interface Restored {
  readonly ids: Int32Array;
  readonly sequence: SavedSequence;
  readonly chat: ChatState | undefined;
  readonly generation: GenerationHeader | undefined;
}

function checkBinding({ model, build }: SnapshotHeader, binding: Binding): void {
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
  snapshot: Uint8Array | ArrayBuffer, wanted: SnapshotKind, { binding, contextSize }: Pick<Engine, 'binding' | 'contextSize'>,
  shape: SequenceShape, digest: () => string | undefined, ownSparsity: boolean,
): Restored {
  const { header, section } = unpackSnapshot<SnapshotHeader>(snapshot), { kind, chat, generation } = header;
  if (kind !== 'chat' && kind !== 'generation') damaged(`kind ${show(kind)}`, 'chat or generation');
  checkBinding(header, binding);
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
  if (ids.length > contextSize + (generation ? 1 : 0)) { // the last token of an answer is not in the cache yet
    throw new InputError('E_CONTEXT_FULL', {
      subject: 'snapshot', found: `${ids.length} tokens`, expected: `at most ${contextSize} (contextSize)`,
      remedy: `Load the model with contextSize: ${ids.length} or more.`,
    });
  }
  return { ids, sequence: readSequence(header.sequence, ids, section, shape), chat, generation };
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
