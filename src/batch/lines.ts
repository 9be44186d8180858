/** A stream of bytes, line by line: only one line at a time is in memory, and none that is longer than allowed. */

/** What a line is cut out of. */
export type Bytes = AsyncIterable<Uint8Array> | ReadableStream<Uint8Array>;

/** A line of a batch's input. */
export interface Line {
  /** From 1. */
  readonly number: number;
  /** Without its end, of `bytes` bytes; undefined where it cannot be read, and `problem` says why. */
  readonly text: string | undefined;
  readonly problem?: 'too_long' | 'invalid_utf8';
  readonly bytes: number;
  /** Of its bytes, 16 hexadecimal digits: tells whether it is the same line as in an earlier run. */
  readonly hash: string;
  /** Whether a line feed ended it: the last one of a file that was cut has none. */
  readonly whole: boolean;
}

/** 64 bits that tell texts apart; they do not resist an adversary. */
export class Hash {
  #a = 0x811c9dc5;
  #b = 0x9747b28c;

  update(bytes: Uint8Array): void {
    let a = this.#a, b = this.#b;
    for (let i = 0; i < bytes.length; i++) {
      a = Math.imul(a ^ bytes[i]!, 0x01000193);
      b = Math.imul(b ^ bytes[i]!, 0x5bd1e995);
      b ^= b >>> 13;
    }
    this.#a = a;
    this.#b = b;
  }

  /** Two unsigned numbers of 32 bits; the halves of one are mixed into the other, so that each depends on every bit. */
  words(): [number, number] {
    const mixed = (word: number): number => {
      word = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
      word = Math.imul(word ^ (word >>> 13), 0xc2b2ae35);
      return (word ^ (word >>> 16)) >>> 0;
    };
    return [mixed(this.#a ^ Math.imul(this.#b, 5)), mixed(this.#b ^ Math.imul(this.#a, 9))];
  }

  digits(): string {
    return this.words().map((word) => word.toString(16).padStart(8, '0')).join('');
  }
}

/** Chunks of either kind of stream: not every browser iterates the one that it has. */
async function* chunksOf(input: Bytes): AsyncGenerator<Uint8Array, void, undefined> {
  if (Symbol.asyncIterator in input) { yield* input; return; }
  const reader = (input as ReadableStream<Uint8Array>).getReader();
  try {
    for (let next = await reader.read(); !next.done; next = await reader.read()) yield next.value;
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

/** A byte order mark before the first line, and carriage returns before line feeds, are no part of the text. */
export async function* readLines(input: Bytes, maxBytes: number): AsyncGenerator<Line, void, undefined> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let pieces: Uint8Array[] = [], bytes = 0, hash = new Hash(), number = 1;
  const add = (piece: Uint8Array): void => {
    bytes += piece.length;
    hash.update(piece);
    if (bytes > maxBytes) pieces = [];
    else if (piece.length > 0) pieces.push(piece.slice());
  };
  const line = (whole: boolean): Line => {
    const common = { number, bytes, hash: hash.digits(), whole };
    let text: string | undefined, problem: Line['problem'];
    if (bytes > maxBytes) problem = 'too_long';
    else {
      const joined = new Uint8Array(bytes);
      let at = 0;
      for (const piece of pieces) { joined.set(piece, at); at += piece.length; }
      try { text = decoder.decode(joined).replace(/\r$/, ''); } catch { problem = 'invalid_utf8'; }
    }
    pieces = []; bytes = 0; hash = new Hash(); number++;
    return { ...common, text, ...(problem ? { problem } : {}) };
  };
  for await (const chunk of chunksOf(input)) {
    let from = 0;
    for (let end = chunk.indexOf(10, from); end >= 0; end = chunk.indexOf(10, from)) {
      add(chunk.subarray(from, end));
      from = end + 1;
      yield line(true);
    }
    add(chunk.subarray(from));
  }
  if (bytes > 0) yield line(false);
}
