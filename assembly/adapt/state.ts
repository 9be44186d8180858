/** Where a sequence's adaptive state lies: every sequence has an AdaptRecord, and once it skips neurons an AdaptLayer for each layer. */
import { AdaptLayer, AdaptRecord, SequenceRecord } from '../abi/records';

@inline export function adaptOf(sequence: SequenceRecord): AdaptRecord { return changetype<AdaptRecord>(<usize>sequence.adaptPtr); }

@inline export function adaptLayer(adapt: AdaptRecord, iLayer: i32): AdaptLayer {
  return changetype<AdaptLayer>(<usize>adapt.layersPtr + <usize>iLayer * offsetof<AdaptLayer>());
}
