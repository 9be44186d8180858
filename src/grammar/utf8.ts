/** Ranges of code points as sequences of byte ranges: UTF-8, so surrogates are none. */

/** Sequences of ranges: [first, last] of each byte. */
export type ByteRanges = readonly (readonly [first: number, last: number])[];

/** Code points of one length split where the leading bytes change. */
const lengths = [[0, 0x7f], [0x80, 0x7ff], [0x800, 0xd7ff], [0xe000, 0xffff], [0x10000, 0x10ffff]] as const;

function bytesOf(point: number): number[] {
  if (point < 0x80) return [point];
  if (point < 0x800) return [0xc0 | point >> 6, 0x80 | point & 63];
  if (point < 0x10000) return [0xe0 | point >> 12, 0x80 | point >> 6 & 63, 0x80 | point & 63];
  return [0xf0 | point >> 18, 0x80 | point >> 12 & 63, 0x80 | point >> 6 & 63, 0x80 | point & 63];
}

function split(first: number, last: number, add: (sequence: ByteRanges) => void): void {
  const size = bytesOf(first).length;
  for (let tail = 1; tail < size; tail++) { // each byte but the leading ones whole, or one range alone
    const low = 2 ** (6 * tail) - 1;
    if ((first & ~low) === (last & ~low)) continue;
    if ((first & low) !== 0) {
      split(first, first | low, add);
      return split((first | low) + 1, last, add);
    }
    if ((last & low) !== low) {
      split(first, (last & ~low) - 1, add);
      return split(last & ~low, last, add);
    }
  }
  const from = bytesOf(first), to = bytesOf(last);
  add(from.map((byte, i) => [byte, to[i]!] as const));
}

/** @param ranges of code points: first, last, first, last, … */
export function utf8Ranges(ranges: readonly number[]): ByteRanges[] {
  const sequences: ByteRanges[] = [];
  for (let i = 0; i < ranges.length; i += 2) {
    for (const [low, high] of lengths) {
      const first = Math.max(low, ranges[i]!), last = Math.min(high, ranges[i + 1]!);
      if (first <= last) split(first, last, (sequence) => { sequences.push(sequence); });
    }
  }
  return sequences;
}
