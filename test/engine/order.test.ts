/** Below a ceiling that has no room for second copies: the same bits, and rows of gate and up in the mask's order, which dense never notices. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Engine } from '../../src/engine/engine.ts';
import type { Selection } from '../../src/adapt/selection.ts';
import { denseSelection } from '../../src/adapt/selection.ts';
import { Stage } from '../../src/model/enums.ts';
import { Sequence } from '../../src/session/sequence.ts';
import { openEngine, tinyPath } from '../helpers/models.ts';
import { arenaOf } from '../helpers/taps.ts';

const test = suite('order');
const ids = Array.from({ length: 40 }, (_, i) => 3 + ((i * 89) % 440)), other = ids.map((id) => 3 + ((id * 7) % 440)), prompt = 24;
const griffin = (density: number): Selection => ({ ...denseSelection, stages: Stage.mask, rule: 'topK', density });
const scored = (scoreBase: number): Selection => ({ ...denseSelection, stages: Stage.scores, rule: 'cett', scoreBase });

async function logits(sequence: Sequence, selection: Selection, tokens = ids): Promise<{ rows: Buffer; bytes: number }> {
  const rows: Buffer[] = [];
  let bytes = 0;
  await sequence.evaluate(tokens.slice(0, prompt), () => undefined, { selection, decodeFrom: prompt, computeFrom: 0 });
  await sequence.evaluate(tokens, () => undefined, { selection, decodeFrom: prompt, computeFrom: prompt, onStep: ({ logits: row, report }) => { rows.push(Buffer.from(row.slice().buffer)); bytes = report.weightBytes; } });
  return { rows: Buffer.concat(rows), bytes };
}

/** No room from here on but for the lists of an order. */
function close(sequence: Sequence, bytes: number): void {
  const arena = arenaOf(sequence) as unknown as { maxBytes: number; top: number };
  arena.maxBytes = 65_536 * Math.ceil((arena.top + bytes) / 65_536);
}

/** A field of layer 0. */
const layerField = (engine: Engine, field: 'orderPtr' | 'orderFor'): number => {
  return engine.forms.layer(0).get(field);
};

for (const file of ['llama256-q4_0.gguf', 'llama256-q4_1.gguf', 'llama256-q8_0.gguf', 'llama256-q4_k_m.gguf', 'llama256-q5_k_m.gguf', 'llama256-q6_k.gguf', 'llama.gguf']) for (const tier of ['base', 'relaxed'] as const) {
  test(`${file} (${tier}): ordered in place, dense and every mask give the bits of roomy memory`, async () => {
    const [roomy, plain] = [new Sequence(await openEngine(tinyPath(file), { tier })), new Sequence(await openEngine(tinyPath(file), { tier }))], engine = await openEngine(tinyPath(file), { tier }), cramped = new Sequence(engine), { nLayers, ffn } = engine.plan.hparams;
    for (const sequence of [cramped, plain, roomy]) sequence.engine.forms.place({ columnNorm: new Float32Array(nLayers * ffn).fill(1) });
    assert.ok(cramped.adapt.record, 'its lists are there before the room ends');
    close(cramped, nLayers * 2 * ffn);
    const isFloat = file === 'llama.gguf';
    await plain.exclusive((e) => { e.makeForms = () => undefined; }); // all is computed, the rest zeroed
    const dense = await logits(roomy, denseSelection), first = await logits(plain, griffin(0.5));
    assert.ok((await logits(cramped, denseSelection)).rows.equals(dense.rows), 'dense before');
    const ordered = await logits(cramped, griffin(0.5));
    assert.ok(ordered.rows.equals(first.rows), 'the mask');
    if (!isFloat) assert.ok((await logits(roomy, griffin(0.5))).rows.equals(first.rows), 'compact copies too');
    assert.ok(layerField(engine, 'orderFor') !== 0, 'the rows were moved');
    assert.ok(ordered.bytes < 0.95 * dense.bytes, `${ordered.bytes} of ${dense.bytes} bytes read`);
    assert.ok((await logits(cramped, denseSelection)).rows.equals(dense.rows), 'dense over ordered rows');
    for (const tokens of [other, ids]) for (const density of [0.3, 0.9]) {
      assert.ok((await logits(cramped, griffin(density), tokens)).rows.equals((await logits(plain, griffin(density), tokens)).rows), `another mask, ${density}`);
    }
    const sums = plain.adapt.sums(0).h.slice().sort(), perToken = scored(Math.sqrt(sums[sums.length >> 1]! / (prompt - 4))); // half of the first layer
    assert.ok((await logits(cramped, perToken)).rows.equals((await logits(plain, perToken)).rows), 'a method that chooses per token, over ordered rows');
    close(cramped, 2 ** 24); // room again: copies are made from rows in the file's order
    assert.ok((await logits(cramped, { ...perToken })).rows.equals((await logits(roomy, perToken)).rows) || tier === 'relaxed', 'rows one by one, packed from ordered rows');
    assert.ok(isFloat || (await logits(cramped, griffin(0.4))).rows.equals((await logits(plain, griffin(0.4))).rows), 'compact copies from ordered rows');
  });
}

test.run();
