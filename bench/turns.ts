/** Taking turns, because machines drift within a second. */

/**
 * Measures every contender between two runs of the reference, round after round, there and back: `heard` gets its time and the mean of the
 * two beside it.
 */
export async function takeTurns<T>(
  contenders: readonly T[], rounds: number, reference: () => Promise<number>, measure: (contender: T) => Promise<number>,
  heard: (contender: T, ms: number, against: number) => void,
): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    let before = await reference();
    for (const contender of round % 2 ? contenders : [...contenders].reverse()) {
      const ms = await measure(contender), after = await reference();
      heard(contender, ms, (before + after) / 2);
      before = after;
    }
  }
}
