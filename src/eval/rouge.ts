/**
 * ROUGE-L (Lin 2004) as the rouge-score package gives it without stemming: words are runs of a-z and 0-9 of the lower-cased text, precision
 * and recall are the longest common subsequence over the words of either side, F1 is their harmonic mean. Test:
 * test/eval/generation.test.ts.
 */
export function rougeL(answer: string, reference: string): number {
  const a = wordsOf(answer), b = wordsOf(reference);
  const common = commonSubsequence(a, b);
  return common === 0 ? 0 : (2 * common) / (a.length + b.length); // 2PR/(P+R) with P = common/a, R = common/b
}

function wordsOf(text: string): string[] {
  return text.toLowerCase().match(/[a-z0-9]+/g) ?? [];
}

/** Length of the longest common subsequence; one row of the table is kept. */
function commonSubsequence(a: readonly string[], b: readonly string[]): number {
  const row = new Uint32Array(b.length + 1);
  for (const word of a) {
    let diagonal = 0; // the row above, one to the left
    for (let j = 1; j <= b.length; j++) {
      const above = row[j]!;
      row[j] = word === b[j - 1] ? diagonal + 1 : Math.max(above, row[j - 1]!);
      diagonal = above;
    }
  }
  return row[b.length]!;
}
