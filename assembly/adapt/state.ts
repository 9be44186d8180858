/** Where a session's adaptive state lies: every session has an AdaptRecord, and once it skips neurons an AdaptLayer for each layer. */
import { AdaptLayer, AdaptRecord, SessionRecord } from '../abi/records';

@inline export function adaptOf(session: SessionRecord): AdaptRecord { return changetype<AdaptRecord>(<usize>session.adaptPtr); }

@inline export function adaptLayer(adapt: AdaptRecord, iLayer: i32): AdaptLayer {
  return changetype<AdaptLayer>(<usize>adapt.layersPtr + <usize>iLayer * offsetof<AdaptLayer>());
}
