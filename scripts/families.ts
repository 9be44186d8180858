/**
 * What native llama.cpp makes of the tiny models of test/helpers/tiny-models.ts, for test/engine/families.test.ts.
 *
 *   npm install --prefix bench/peers && tsx scripts/families.ts [NAME …]
 */
import { asked, greedyTokens, promptRows, tinyModelPath, tinyModels, writeTruth } from '../test/helpers/tiny-models.ts';
import { withNative } from './native.ts';

const vocab = 448, names = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(tinyModels);

function best(row: Float32Array): { token: number; margin: number } {
  const token = row.indexOf(Math.max(...row)), next = Math.max(...row.filter((_, i) => i !== token));
  return { token, margin: row[token]! - next };
}

for (const name of names) {
  const contextSize = tinyModels[name]!.contextSize ?? 256;
  await withNative(await tinyModelPath(name), vocab, contextSize, async (evaluate) => {
    const rows = (await evaluate(asked)).slice(-promptRows), greedy: number[] = [], margins: number[] = [];
    for (let row = rows.at(-1)!; greedy.length < greedyTokens;) {
      const { token, margin } = best(row);
      greedy.push(token);
      margins.push(margin);
      row = (await evaluate([token]))[0]!;
      if (greedy.length === greedyTokens) rows.push(row);
    }
    writeTruth(name, { rows, greedy, margins });
    console.log(name, greedy.join(' '), 'least margin', Math.min(...margins).toFixed(4));
  });
}
process.exit(0); // llama.cpp keeps threads
