/** Whole models against logits computed by transformers in float64 (families) and torch on dequantised weights (dtypes). */
import { existsSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { KvName } from '../../src/model/enums.ts';
import { openSession, tinyPath, tinyTruth } from '../helpers/models.ts';

/** float32 weights: relative RMS of a row. Quantised weights meet 8-bit activations: the fixtures allow 2e-2. */
const exactTolerance = 2e-4, quantTolerance = 2e-2;

/** Largest relative RMS error of a logit row over all sequences. */
async function worstRow(name: string, tokens: string, tier: 'base' | 'relaxed', kv: KvName): Promise<number> {
  const session = await openSession(tinyPath(`${name}.gguf`), { tier, kv });
  const truth = tinyTruth(name, tokens);
  let row = 0, worst = 0;
  for (const sequence of truth.sequences) {
    await session.score(sequence, (_, logits) => {
      let error = 0, norm = 0;
      for (let i = 0; i < logits.length; i++) {
        const want = truth.logits[row * logits.length + i]!;
        error += (logits[i]! - want) ** 2;
        norm += want ** 2;
      }
      worst = Math.max(worst, Math.sqrt(error / norm));
      row++;
    });
  }
  assert.is(row * 448, truth.logits.length);
  return worst;
}

for (const tier of ['base', 'relaxed'] as const) {
  const test = suite(`tiny models (${tier})`);

  for (const name of ['llama', 'llama-tied', 'llama-rope3', 'mistral', 'qwen2', 'gpt2']) {
    test(`${name}: all logits as transformers computes them`, async () => {
      const worst = await worstRow(name, name, tier, 'f32');
      assert.ok(worst < exactTolerance, `relative RMS ${worst}`);
      const half = await worstRow(name, name, tier, 'f16');
      assert.ok(half < 5e-3, `f16 cache: relative RMS ${half}`);
      const q8 = await worstRow(name, name, tier, 'q8');
      assert.ok(q8 < quantTolerance, `q8 cache: relative RMS ${q8}`);
    });

    test(`${name}: greedy continuation`, async () => {
      const { greedyPrompt, greedy } = tinyTruth(name);
      const session = await openSession(tinyPath(`${name}.gguf`), { tier });
      const tokens = [...greedyPrompt];
      for (const [token, margin] of greedy) {
        const top = await session.evaluate(tokens, ({ report }) => report.topToken);
        if (margin > 1e-3) assert.is(top, token);
        tokens.push(token);
      }
    });
  }

  for (const dtype of ['f32', 'f16', 'bf16', 'q4_0', 'q4_1', 'q5_0', 'q5_1', 'q8_0', 'q4_k_m', 'q5_k_m', 'q6_k']) {
    const name = `llama256-${dtype}`;
    if (!existsSync(tinyPath(`${name}.gguf`))) {
      test.skip(`${name} (needs ../shared)`, () => undefined);
      continue;
    }
    test(`${name}: all logits as torch computes them on dequantised weights`, async () => {
      const worst = await worstRow(name, 'llama256', tier, 'f32');
      const tolerance = /^(f|bf)/.test(dtype) ? exactTolerance : quantTolerance;
      assert.ok(worst < tolerance, `relative RMS ${worst}`);
      if (process.env['VERBOSE']) console.log(name, tier, worst);
    });
  }

  test.run();
}
