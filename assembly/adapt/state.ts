/**
 * Where layers lie: a model's, and a sequence's adaptive state. Every sequence has an AdaptRecord, and once it skips neurons an AdaptLayer
 * for each layer.
 */
import { AdaptLayer, AdaptRecord, LayerRecord, ModelRecord, SequenceRecord } from '../abi/records';

@inline export function layerOf(model: ModelRecord, iLayer: i32): LayerRecord {
  return changetype<LayerRecord>(<usize>model.layersPtr + <usize>iLayer * offsetof<LayerRecord>());
}

@inline export function adaptOf(sequence: SequenceRecord): AdaptRecord { return changetype<AdaptRecord>(<usize>sequence.adaptPtr); }

@inline export function adaptLayer(adapt: AdaptRecord, iLayer: i32): AdaptLayer {
  return changetype<AdaptLayer>(<usize>adapt.layersPtr + <usize>iLayer * offsetof<AdaptLayer>());
}
