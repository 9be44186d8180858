/** What is known of a batch's lines, in some 20 bytes a line however long they are: which are done, and which names were given. */
import { FormatError } from '../errors.ts';
import { show } from '../options.ts';
import { Hash } from './lines.ts';

/** `batch_req_`, the batch (model and run, 8 digits each), the number of its line, the hash of its line. */
const idForm = /^batch_req_([0-9a-f]{16})_([1-9]\d{0,9})_([0-9a-f]{16})$/;
/** A forged number takes no more than a gigabyte. */
const mostLines = 2 ** 28;
/** How a result begins, as it is written. */
export const resultStart = '{"id":"batch_req_';

export const idOf = (batch: string, line: { readonly number: number; readonly hash: string }): string =>
  `batch_req_${batch}_${line.number}_${line.hash}`;

/** The parts of a result's id; undefined for one of somebody else. */
export function readId(id: unknown): { batch: string; number: number; hash: string } | undefined {
  const match = typeof id === 'string' ? idForm.exec(id) : null;
  return match ? { batch: match[1]!, number: Number(match[2]), hash: match[3]! } : undefined;
}

/**
 * The batch of results that go to one place: those of one model begin the same.
 * @param model its fingerprint, hexadecimal @param place hexadecimal, 8 digits or more
 */
export const batchOf = (model: string, place: string): string => model.slice(0, 8).padEnd(8, '0') + place.slice(0, 8);

/** Lines that have a result already. */
export class Ledger {
  /** 32 bits of the hash of each line that is done, by its number; 0: it is not. */
  #hashes = new Uint32Array(1024);
  /** Lines in it. */
  count = 0;

  /** Takes down the result of an earlier run. @returns its batch @throws FormatError `E_DATA` */
  read(id: unknown): string {
    const known = readId(id);
    if (known && known.number <= mostLines && this.#add(known)) return known.batch;
    throw new FormatError('E_DATA', {
      subject: 'results of a batch',
      found: known ? `${known.number > mostLines ? 'a' : 'a second'} result of line ${known.number}` : `the id ${show(id)}`,
      expected: 'each line once, with the ids that clada gives', remedy: 'Name a new output.',
    });
  }

  #add({ number, hash }: { readonly number: number; readonly hash: string }): boolean {
    if (number >= this.#hashes.length) {
      const grown = new Uint32Array(Math.max(number + 1, 2 * this.#hashes.length));
      grown.set(this.#hashes);
      this.#hashes = grown;
    }
    if (this.#hashes[number] !== 0) return false;
    this.#hashes[number] = short(hash);
    this.count++;
    return true;
  }

  /** Whether a result of an earlier run is that of this id's line. */
  knows(id: string): boolean {
    const known = readId(id);
    return known !== undefined && this.#hashes[known.number] === short(known.hash);
  }

  /** Whether a line has a result. @throws FormatError `E_DATA` where the result is of another text */
  has({ number, hash }: { readonly number: number; readonly hash: string }): boolean {
    const known = this.#hashes[number] ?? 0;
    if (known === 0 || known === short(hash)) return known !== 0;
    throw new FormatError('E_DATA', {
      subject: `line ${number} of the input`, found: 'a result that is of another text', expected: 'the input that the results are of',
      remedy: 'Name a new output, or bring the earlier input back.',
    });
  }
}

/** Never 0. */
const short = (hash: string): number => Number.parseInt(hash.slice(0, 8), 16) || 1;

/** A set of texts that keeps 64 bits of each. */
export class Names {
  #table = new Uint32Array(2 * 2048);
  #count = 0;
  readonly #encoder = new TextEncoder();

  /** False where it was there. */
  add(name: string): boolean {
    if (2 * this.#count >= this.#table.length / 2) this.#grow();
    const hash = new Hash();
    hash.update(this.#encoder.encode(name));
    const [a, b] = hash.words();
    return this.#put(a || 1, b); // 0 is an empty place
  }

  #put(a: number, b: number): boolean {
    const table = this.#table, places = table.length / 2;
    let at = b & (places - 1);
    for (; table[2 * at] !== 0; at = (at + 1) & (places - 1)) if (table[2 * at] === a && table[2 * at + 1] === b) return false;
    table[2 * at] = a;
    table[2 * at + 1] = b;
    this.#count++;
    return true;
  }

  #grow(): void {
    const old = this.#table;
    this.#table = new Uint32Array(2 * old.length);
    this.#count = 0;
    for (let i = 0; i < old.length; i += 2) if (old[i] !== 0) this.#put(old[i]!, old[i + 1]!);
  }
}
