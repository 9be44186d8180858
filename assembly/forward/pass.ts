/**
 * A pass: tokens in, keys and values appended to the caches of their sequences, logits and reports out. Decode is a pass of one token of
 * each sequence that is ready, prefill one of many tokens of which the last one's logits are wanted; a pass may be both. Whose tokens they
 * are is data (TokenRecord): only positions, attention, statistics and the rows of the head look at it.
 */
import { Status, Wanted } from '../abi/enums';
import { ModelRecord, WorkspaceRecord } from '../abi/records';
import { adaptOf, layerOf } from '../adapt/state';
import { counts } from '../adapt/statistics';
import { block } from './block';
import { embedToken } from './embed';
import { head } from './head';
import { normRows, rowStride } from './norms';
import { fillAngles } from './rotate';
import { askedOf, fillRows, modelOf, narrowBuffer, narrowRows, noteLost, ownerOf, tokenOf } from './tokens';

/** x and the angles of every token. */
function embedTokens(model: ModelRecord, work: WorkspaceRecord, nTokens: i32): void {
  const stride = rowStride(model.hidden);
  let x = <usize>work.xPtr;
  for (let t = 0; t < nTokens; t++, x += stride) {
    const token = tokenOf(work, t);
    embedToken(model, token.id, token.position, x);
    fillAngles(model, work.anglesPtr, work.chunk, t, token.position);
  }
}

/** What is wrong with the tokens asked for, or ok. */
function check(model: ModelRecord, work: WorkspaceRecord, nTokens: i32): i32 {
  let rows = 0;
  for (let t = 0; t < nTokens; t++) {
    const token = askedOf(work, t);
    if (token.position >= ownerOf(token).capacity) return Status.contextFull;
    if (<u32>token.id >= <u32>model.vocab) return Status.tokenRange;
    if (token.wanted == Wanted.logits) rows++;
  }
  return rows <= work.logitRows ? Status.ok : Status.badLayout;
}

/** The sequences have moved on by the tokens of the pass, but for those that are lost: they stand where they did, without logits. */
function advance(work: WorkspaceRecord, nTokens: i32): i32 {
  let status: i32 = Status.ok;
  for (let t = 0; t < nTokens; t++) {
    const token = askedOf(work, t), sequence = ownerOf(token), adapt = adaptOf(sequence);
    if (sequence.lost) {
      sequence.hasLogits = 0;
      status = Status.notFinite;
      continue;
    }
    if (!work.sparse && adapt.collect) {
      if (counts(adapt, token.position)) adapt.nStat++;
      adapt.dirty = 1;
    }
    sequence.position = token.position + 1;
    sequence.hasLogits = <i32>(token.wanted == Wanted.logits);
  }
  return status;
}

/**
 * Runs the nTokens tokens (1 .. chunk) of the workspace's table, of which logits and a report are wanted of at most logitRows. With
 * `notFinite` some sequences are lost: they have not moved on, their logits and statistics are gone; others have. With any other negative
 * status none has. Hidden states, normed, are left in `normedPtr`, behind those that the head has read.
 */
export function pass(work: WorkspaceRecord, nTokens: i32): i32 {
  const model = modelOf(work), status = check(model, work, nTokens);
  if (status != Status.ok) return status;
  work.weightWords = 0;
  fillRows(work, nTokens);
  embedTokens(model, work, nTokens);
  let rows = nTokens;
  for (let iLayer = 0; iLayer < model.nLayers; iLayer++) rows = block(model, work, layerOf(model, iLayer), iLayer, rows);
  noteLost(work, work.xPtr, rows);
  narrowBuffer(work, work.xPtr, rowStride(model.hidden), rows, false);
  rows = narrowRows(work, rows, false);
  normRows(model, work.xPtr, model.outNormPtr, model.outNormBiasPtr, rows, work.normedPtr);
  while (rows > 0 && tokenOf(work, rows - 1).wanted == Wanted.state) rows--;
  if (rows > 0) head(model, work, rows);
  return advance(work, nTokens);
}
